// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Points in time as people and other tools write them. One reader for the
// command line, for files of events and for click traces.

namespace freshline::base {

// The event times that are taken, in Unix microseconds: 1973 to 2286. What lies
// outside was counted in seconds, milliseconds or nanoseconds.
inline constexpr int64_t kEventTimeMinUs = 100'000'000'000'000;
inline constexpr int64_t kEventTimeMaxUs = 10'000'000'000'000'000;

// What a time written as a bare number counts.
enum class TimeUnit : uint8_t { kSeconds, kMillis, kMicros, kNanos };

// "s", "ms", "us", "ns"; nullopt for another text.
std::optional<TimeUnit> ParseTimeUnit(absl::string_view text);

// Unix microseconds of a date and time of the Gregorian calendar:
//
//   2019-10-01 00:00:00           UTC, as everything without a zone
//   2019-10-01T00:00:00Z          RFC 3339; T may be t or a space
//   2019-10-01 00:00:00 UTC       or GMT
//   2019-10-01T02:00:00.5+02:00   offsets +02:00, +0200, +02, also after a
//                                 space; up to nine decimals after . or ,
//   2019-10-01 00:00, 2019-10-01  without seconds, without a time: midnight
//
// nullopt for anything else: day and month in another order, names of months
// and of zones other than UTC and GMT, a day that the month does not have, a
// second of 60. Digits beyond microseconds are cut off. Allocates nothing; some
// 20 ns.
std::optional<int64_t> TryParseDateTime(absl::string_view text);

// The same, or a number of `unit` since 1970: a whole one, or one with
// decimals, as in 1569888000.25.
// Returns: INVALID_ARGUMENT that names the text and says what to write; a
// number beyond 64 bits of microseconds.
absl::StatusOr<int64_t> ParseTime(absl::string_view text,
                                  TimeUnit unit = TimeUnit::kMicros);

// "2019-10-01 00:00:00 UTC", whole seconds; ParseTime() reads it back.
std::string FormatTime(int64_t time_us);

}  // namespace freshline::base
