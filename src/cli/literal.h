// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "freshline/events.h"
#include "freshline/request.h"

namespace freshline::cli {

struct TimestampUs {
  int64_t us;
  friend bool operator==(const TimestampUs&, const TimestampUs&) = default;
};

// A value as typed on the command line; monostate is NULL.
using Literal = std::variant<std::monostate, bool, int64_t, double, std::string,
                             TimestampUs>;

// The command does not know the schema, so a value's type follows from how it
// is written; the daemon's error names the declared type where they differ:
//
//   42           INT64          4.5, 1e3     FLOAT64       true, false  BOOL
//   str:42, "42" STRING         ts:TIME      TIMESTAMP     (empty)      NULL
//   anything else is a STRING. TIME as ParseTimeUs() reads it.
//
// Returns: INVALID_ARGUMENT naming the text: a number beyond its type, a quote
// that is not closed, a time that is none.
absl::StatusOr<Literal> ParseLiteral(absl::string_view text);

// Unix microseconds as a whole number, "2019-10-01 00:00:00[.5][ UTC]" (UTC) or
// RFC 3339.
absl::StatusOr<int64_t> ParseTimeUs(absl::string_view text);

// "user_id=42,43" or "country=de,str:1": the values of a join key, INT64 when
// all are whole numbers, STRING when none is.
struct EntityValues {
  std::string join_key;
  std::vector<int64_t> numbers;  // empty where there are strings
  std::vector<std::string> strings;

  // To a FeatureRequest or an OutcomeReport.
  template <typename Request>
  void AddTo(Request& request) const {
    if (strings.empty()) {
      request.Entity(join_key, numbers);
    } else {
      request.Entity(join_key, strings);
    }
  }
};

// Returns: INVALID_ARGUMENT naming the text and what to write instead.
absl::StatusOr<EntityValues> ParseEntity(absl::string_view text);

// "clicks:user_id=42,price=9.5": one event. The names event_time_us (default
// `now_us`; written as ParseTimeUs() reads it) and producer_sequence are the
// event's own; the latter needs `producer`.
absl::StatusOr<EventRows> ParseEvent(absl::string_view text,
                                     absl::string_view producer,
                                     int64_t now_us);

// Splits at commas outside double quotes.
std::vector<std::string> SplitOutsideQuotes(absl::string_view text);

}  // namespace freshline::cli
