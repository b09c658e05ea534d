// SPDX-License-Identifier: Apache-2.0
#include "csv/value.h"

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/foreign_text.h"

namespace freshline::csv {
namespace {

bool IsNull(absl::string_view text) {
  // The longest is NULL's.
  if (text.size() > 4) return false;
  for (const char* null : {"NULL", "\\N", "NA", "N/A", "NaN", "NaT", "None",
                           "nil", "<NA>", "#N/A"}) {
    if (absl::EqualsIgnoreCase(text, null)) return true;
  }
  return false;
}

bool IsEventTime(int64_t time_us) {
  return time_us >= base::kEventTimeMinUs && time_us <= base::kEventTimeMaxUs;
}

// The unit in which a number would be an event time; "" where there is none.
absl::string_view UnitOf(absl::string_view text) {
  constexpr std::pair<const char*, base::TimeUnit> kUnits[] = {
      {"s", base::TimeUnit::kSeconds},
      {"ms", base::TimeUnit::kMillis},
      {"us", base::TimeUnit::kMicros},
      {"ns", base::TimeUnit::kNanos}};
  for (const auto& [name, unit] : kUnits) {
    const absl::StatusOr<int64_t> time = base::ParseTime(text, unit);
    if (time.ok() && IsEventTime(*time)) return name;
  }
  return "";
}

absl::Status Outside(absl::string_view text, absl::string_view remedy) {
  return absl::InvalidArgumentError(absl::StrCat(
      base::Quoted(text), " is a time outside of 1973 to 2286", remedy));
}

absl::Status NoEventTime(absl::string_view text) {
  if (base::TryParseDateTime(text).has_value()) return Outside(text, "");
  const absl::string_view unit = UnitOf(text);
  return Outside(
      text, unit.empty()
                ? std::string("; give a date, or a number since 1970 and what "
                              "it counts (--time-unit s, ms, us or ns)")
                : absl::StrCat("; where numbers count ", unit,
                               ", say so: --time-unit ", unit));
}

}  // namespace

absl::string_view PlainValue(absl::string_view text) {
  text = absl::StripAsciiWhitespace(text);
  return IsNull(text) ? absl::string_view() : text;
}

absl::StatusOr<int64_t> ParseEventTime(absl::string_view text,
                                       base::TimeUnit unit, int64_t shift_us) {
  text = absl::StripAsciiWhitespace(text);
  const absl::StatusOr<int64_t> time = base::ParseTime(text, unit);
  if (!time.ok()) {
    // Beyond 64 bits of microseconds, or no time at all.
    return UnitOf(text).empty() ? time.status() : NoEventTime(text);
  }
  int64_t shifted = 0;
  if (!__builtin_add_overflow(*time, shift_us, &shifted) &&
      IsEventTime(shifted)) {
    return shifted;
  }
  return shift_us != 0 && IsEventTime(*time)
             ? Outside(text, " once it is shifted")
             : NoEventTime(text);
}

}  // namespace freshline::csv
