// SPDX-License-Identifier: Apache-2.0
#include "base/duration_text.h"

#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace freshline::base {
namespace {

struct Unit {
  const char* name;
  int64_t micros;
};
constexpr Unit kUnits[] = {{"d", 86'400'000'000}, {"h", 3'600'000'000},
                           {"m", 60'000'000},     {"s", 1'000'000},
                           {"ms", 1'000},         {"us", 1}};
constexpr int64_t kMaxMicros = 100LL * 366 * 86'400'000'000;

absl::Status Malformed(absl::string_view text) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text,
                   "\" is not a duration: write whole numbers with units d, "
                   "h, m, s, ms or us, at most 100 years, as in \"14d\" or "
                   "\"1h30m\""));
}

}  // namespace

absl::StatusOr<Duration> ParseDuration(absl::string_view text) {
  int64_t total = 0;
  size_t at = 0;
  if (text.empty()) return Malformed(text);
  while (at < text.size()) {
    int64_t number = 0;
    const size_t digits = at;
    while (at < text.size() && absl::ascii_isdigit(text[at])) {
      number = number * 10 + (text[at++] - '0');
      if (number > kMaxMicros) return Malformed(text);
    }
    const size_t letters = at;
    while (at < text.size() && absl::ascii_isalpha(text[at])) ++at;
    const absl::string_view name = text.substr(letters, at - letters);
    const Unit* unit = nullptr;
    for (const Unit& u : kUnits) {
      if (name == u.name) unit = &u;
    }
    if (letters == digits || unit == nullptr) return Malformed(text);
    if (number > (kMaxMicros - total) / unit->micros) return Malformed(text);
    total += number * unit->micros;
  }
  return Duration(std::chrono::microseconds(total));
}

std::string FormatDuration(Duration duration) {
  int64_t left =
      std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  std::string text;
  for (const Unit& unit : kUnits) {
    if (const int64_t n = left / unit.micros; n > 0) {
      absl::StrAppend(&text, n, unit.name);
      left %= unit.micros;
    }
  }
  return text.empty() ? "0s" : text;
}

}  // namespace freshline::base
