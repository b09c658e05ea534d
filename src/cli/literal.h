// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/time_text.h"
#include "cli/schema.h"
#include "freshline/events.h"
#include "freshline/request.h"
#include "freshline/v1/feature_store.pb.h"
#include "freshline/v1/types.pb.h"

namespace freshline::cli {

struct TimestampUs {
  int64_t us;
  friend bool operator==(const TimestampUs&, const TimestampUs&) = default;
};

// A value; monostate is NULL.
using Literal = std::variant<std::monostate, bool, int64_t, double, std::string,
                             TimestampUs>;

// The value of a declared type that a text of a file stands for:
//
//   BOOL       true, t, yes, y, 1, false, f, no, n, 0, in any case
//   INT64      a whole number, also as 10.0 or 1e3; never rounded
//   FLOAT64    a finite number, with a decimal point
//   STRING     the text, which must be UTF-8
//   TIMESTAMP  as base::ParseTime() reads it; a number is one of `unit`
//
// The empty text is NULL. Where the type is not STRING, so are NULL, \N, NA,
// N/A, NaN, NaT, None, nil, <NA> and #N/A, in any case, and spaces around a
// value do not count. In a STRING they are text: "NA" may be a country, "nan" a
// brand.
// Returns: INVALID_ARGUMENT naming the text, its type and what to write.
absl::StatusOr<Literal> ParseValue(
    absl::string_view text, v1::ScalarType type,
    base::TimeUnit unit = base::TimeUnit::kMicros);

// The same of an argument, where a STRING may be quoted, "a,b", or have str:
// before it, and a TIMESTAMP ts:.
// Returns: as ParseValue(); and for str: or quotes where the type is another.
absl::StatusOr<Literal> ParseArgument(absl::string_view text,
                                      v1::ScalarType type);

// Appends a value to a column of the type that the value has, at `row`.
// REQUIRES: the column has as many elements as `row`, of the declared type.
void AppendTo(const Literal& value, v1::ScalarType type, uint32_t row,
              v1::Column* column);

// "user_id=42,43" or "country=de,\"a,b\"": the values of a join key.
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

// Values are of the type that the schema declares for the join key. Where
// entities declare it differently, they are INT64 when all look so, and STRING
// otherwise or with str: before them.
// Returns: INVALID_ARGUMENT naming the text and what to write instead;
// NOT_FOUND for a join key of no entity.
absl::StatusOr<EntityValues> ParseEntity(absl::string_view text,
                                         const Schema& schema);

// "clicks:user_id=42,price=9.5": one event, its values of the types that the
// source declares. The names event_time_us (default `now_us`; written as
// base::ParseTime() reads it) and producer_sequence are the event's own; the
// latter needs `producer`.
// Returns: INVALID_ARGUMENT naming the text; NOT_FOUND for an unknown source.
absl::StatusOr<EventRows> ParseEvent(absl::string_view text,
                                     absl::string_view producer, int64_t now_us,
                                     const Schema& schema);

// Splits at commas outside double quotes.
std::vector<std::string> SplitOutsideQuotes(absl::string_view text);

}  // namespace freshline::cli
