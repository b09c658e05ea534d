// SPDX-License-Identifier: Apache-2.0
#include "base/time_text.h"

#include <chrono>
#include <cstdio>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace freshline::base {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr size_t kDecimalsMax = 9;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// Takes exactly `n` digits from the front of *text; -1 where there are fewer.
int Take(absl::string_view* text, size_t n) {
  if (text->size() < n) return -1;
  int value = 0;
  for (size_t i = 0; i < n; ++i) {
    if (!IsDigit((*text)[i])) return -1;
    value = value * 10 + ((*text)[i] - '0');
  }
  text->remove_prefix(n);
  return value;
}

bool TakeChar(absl::string_view* text, char c) {
  if (text->empty() || text->front() != c) return false;
  text->remove_prefix(1);
  return true;
}

// The digits after a decimal mark, as millionths; nullopt where there is none
// or more than kDecimalsMax.
std::optional<int64_t> TakeMillionths(absl::string_view* text) {
  int64_t value = 0;
  size_t n = 0;
  for (; n < text->size() && IsDigit((*text)[n]); ++n) {
    if (n < 6) value = value * 10 + ((*text)[n] - '0');
  }
  if (n == 0 || n > kDecimalsMax) return std::nullopt;
  for (size_t i = n; i < 6; ++i) value *= 10;
  text->remove_prefix(n);
  return value;
}

// "hh:mm", "hh:mm:ss", "hh:mm:ss.d"; microseconds of the day.
std::optional<int64_t> TakeTimeOfDay(absl::string_view* text) {
  const int hour = Take(text, 2);
  if (hour < 0 || hour > 23 || !TakeChar(text, ':')) return std::nullopt;
  const int minute = Take(text, 2);
  if (minute < 0 || minute > 59) return std::nullopt;
  int64_t time = (hour * 60 + minute) * 60 * kSecond;
  if (!TakeChar(text, ':')) return time;
  const int second = Take(text, 2);
  if (second < 0 || second > 59) return std::nullopt;
  time += second * kSecond;
  if (TakeChar(text, '.') || TakeChar(text, ',')) {
    const std::optional<int64_t> millionths = TakeMillionths(text);
    if (!millionths.has_value()) return std::nullopt;
    time += *millionths;
  }
  return time;
}

// The zone that ends a text, as microseconds ahead of UTC; nullopt where it is
// none.
std::optional<int64_t> ZoneOf(absl::string_view text) {
  TakeChar(&text, ' ');
  if (text.empty() || text == "Z" || text == "z" || text == "UTC" ||
      text == "GMT") {
    return 0;
  }
  const bool west = text.front() == '-';
  if (!west && text.front() != '+') return std::nullopt;
  text.remove_prefix(1);
  const int hours = Take(&text, 2);
  if (hours < 0 || hours > 23) return std::nullopt;
  int minutes = 0;
  if (!text.empty()) {
    TakeChar(&text, ':');
    minutes = Take(&text, 2);
    if (minutes < 0 || minutes > 59 || !text.empty()) return std::nullopt;
  }
  const int64_t ahead = (hours * 60 + minutes) * 60 * kSecond;
  return west ? -ahead : ahead;
}

// Microseconds in one of `unit`, times 1000: nanoseconds are a thousandth.
int64_t NanosPer(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::kSeconds:
      return 1'000'000'000;
    case TimeUnit::kMillis:
      return 1'000'000;
    case TimeUnit::kMicros:
      return 1000;
    case TimeUnit::kNanos:
      return 1;
  }
  return 1000;
}

absl::Status Wrong(absl::string_view text, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text.substr(0, 60), "\" ", what));
}

// A number of `unit`; false where `text` is none. *time_us is nullopt where it
// is beyond 64 bits.
bool ParseNumber(absl::string_view text, TimeUnit unit,
                 std::optional<int64_t>* time_us) {
  const bool negative = TakeChar(&text, '-');
  if (!negative) TakeChar(&text, '+');
  constexpr __int128 kFar = static_cast<__int128>(1) << 96;
  __int128 nanos = 0;
  size_t digits = 0;
  for (; !text.empty() && IsDigit(text.front()); text.remove_prefix(1)) {
    if (nanos < kFar) nanos = nanos * 10 + (text.front() - '0');
    ++digits;
  }
  if (digits == 0) return false;
  int64_t per = NanosPer(unit);
  nanos = nanos < kFar ? nanos * per : kFar * 1000;
  if (TakeChar(&text, '.')) {
    if (text.empty()) return false;
    for (; !text.empty() && IsDigit(text.front()); text.remove_prefix(1)) {
      per /= 10;
      nanos += per * (text.front() - '0');
    }
  }
  if (!text.empty()) return false;
  // Towards the past, as a digit that is cut off from a date.
  __int128 micros = nanos / 1000;
  if (negative) micros = -(micros + (nanos % 1000 != 0 ? 1 : 0));
  if (micros >= std::numeric_limits<int64_t>::min() &&
      micros <= std::numeric_limits<int64_t>::max()) {
    *time_us = static_cast<int64_t>(micros);
  }
  return true;
}

}  // namespace

std::optional<TimeUnit> ParseTimeUnit(absl::string_view text) {
  if (text == "s") return TimeUnit::kSeconds;
  if (text == "ms") return TimeUnit::kMillis;
  if (text == "us") return TimeUnit::kMicros;
  if (text == "ns") return TimeUnit::kNanos;
  return std::nullopt;
}

std::optional<int64_t> TryParseDateTime(absl::string_view text) {
  const int year = Take(&text, 4);
  if (year < 0 || !TakeChar(&text, '-')) return std::nullopt;
  const int month = Take(&text, 2);
  if (month < 0 || !TakeChar(&text, '-')) return std::nullopt;
  const int day = Take(&text, 2);
  if (day < 0) return std::nullopt;
  const std::chrono::year_month_day date{
      std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
      std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  int64_t time = days * 86'400 * kSecond;
  if (text.empty()) return time;
  if (!TakeChar(&text, ' ') && !TakeChar(&text, 'T') && !TakeChar(&text, 't')) {
    return std::nullopt;
  }
  const std::optional<int64_t> of_day = TakeTimeOfDay(&text);
  if (!of_day.has_value()) return std::nullopt;
  const std::optional<int64_t> ahead = ZoneOf(text);
  if (!ahead.has_value()) return std::nullopt;
  return time + *of_day - *ahead;
}

absl::StatusOr<int64_t> ParseTime(absl::string_view text, TimeUnit unit) {
  if (const std::optional<int64_t> time = TryParseDateTime(text)) return *time;
  std::optional<int64_t> number;
  if (ParseNumber(text, unit, &number)) {
    if (number.has_value()) return *number;
    return Wrong(text, "is beyond the range of Unix microseconds");
  }
  return Wrong(text,
               "is no time; write 2019-10-01 00:00:00 (UTC), "
               "2019-10-01T02:00:00+02:00 or Unix microseconds");
}

std::string FormatTime(int64_t time_us) {
  using std::chrono::days;
  using std::chrono::floor;
  const std::chrono::sys_time<std::chrono::microseconds> time{
      std::chrono::microseconds(time_us)};
  const auto day = floor<days>(time);
  const std::chrono::year_month_day date{day};
  const auto seconds =
      static_cast<int>(floor<std::chrono::seconds>(time - day).count());
  char text[64];
  std::snprintf(text, sizeof(text), "%04d-%02u-%02u %02d:%02d:%02d UTC",
                static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), seconds / 3600,
                seconds / 60 % 60, seconds % 60);
  return text;
}

}  // namespace freshline::base
