// SPDX-License-Identifier: Apache-2.0
#include "cli/literal.h"

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/status_macros.h"

namespace freshline::cli {
namespace {

bool LooksWhole(absl::string_view text) {
  absl::ConsumePrefix(&text, "-");
  return !text.empty() &&
         text.find_first_not_of("0123456789") == absl::string_view::npos;
}

bool LooksNumeric(absl::string_view text) {
  absl::ConsumePrefix(&text, "-");
  return !text.empty() &&
         absl::ascii_isdigit(static_cast<unsigned char>(text.front())) &&
         text.find_first_not_of("0123456789.eE+-") == absl::string_view::npos;
}

absl::Status Malformed(absl::string_view text, absl::string_view remedy) {
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\": ", remedy));
}

// NAME=REST of an assignment.
absl::StatusOr<std::pair<absl::string_view, absl::string_view>> SplitName(
    absl::string_view text) {
  const size_t equals = text.find('=');
  if (equals == absl::string_view::npos || equals == 0) {
    return Malformed(text, "write NAME=VALUE, for example user_id=42");
  }
  return std::make_pair(text.substr(0, equals), text.substr(equals + 1));
}

// Adds one value as a column of one row.
void AddColumn(absl::string_view name, const Literal& value, EventRows& rows) {
  if (const bool* b = std::get_if<bool>(&value)) {
    rows.Bools(name, {*b});
  } else if (const int64_t* i = std::get_if<int64_t>(&value)) {
    rows.Int64s(name, {*i});
  } else if (const double* d = std::get_if<double>(&value)) {
    rows.Float64s(name, {*d});
  } else if (const std::string* s = std::get_if<std::string>(&value)) {
    rows.Strings(name, {*s});
  } else if (const TimestampUs* t = std::get_if<TimestampUs>(&value)) {
    rows.TimestampsUs(name, {t->us});
  }
  // NULL: a column that is absent is NULL, whatever its type.
}

}  // namespace

std::vector<std::string> SplitOutsideQuotes(absl::string_view text) {
  std::vector<std::string> parts(1);
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (c == ',' && !quoted) {
      parts.emplace_back();
    } else {
      parts.back().push_back(c);
    }
  }
  return parts;
}

absl::StatusOr<int64_t> ParseTimeUs(absl::string_view text) {
  int64_t us = 0;
  if (LooksWhole(text)) {
    if (absl::SimpleAtoi(text, &us)) return us;
    return Malformed(text, "beyond the range of Unix microseconds");
  }
  absl::string_view rest = text;
  absl::ConsumeSuffix(&rest, " UTC");
  absl::Time time;
  std::string error;
  for (const char* format : {"%Y-%m-%d %H:%M:%E*S", absl::RFC3339_full}) {
    if (absl::ParseTime(format, rest, &time, &error)) {
      return absl::ToUnixMicros(time);
    }
  }
  return Malformed(text,
                   "is no time; write Unix microseconds, "
                   "\"2019-10-01 00:00:00\" or \"2019-10-01T00:00:00Z\"");
}

absl::StatusOr<Literal> ParseLiteral(absl::string_view text) {
  const absl::string_view whole = text;
  if (text.empty()) return Literal();
  if (absl::ConsumePrefix(&text, "str:")) {
    return Literal(std::string(text.data(), text.size()));
  }
  if (absl::ConsumePrefix(&text, "ts:")) {
    FRESHLINE_ASSIGN_OR_RETURN(const int64_t us, ParseTimeUs(text));
    return Literal(TimestampUs{us});
  }
  if (absl::ConsumePrefix(&text, "\"")) {
    if (!absl::ConsumeSuffix(&text, "\"")) {
      return Malformed(whole, "the quote is not closed");
    }
    return Literal(std::string(text.data(), text.size()));
  }
  if (text == "true" || text == "false") return Literal(text == "true");
  if (LooksWhole(text)) {
    int64_t value = 0;
    if (absl::SimpleAtoi(text, &value)) return Literal(value);
    return Malformed(text, "beyond INT64; write str: before it for a STRING");
  }
  double number = 0;
  if (LooksNumeric(text) && absl::SimpleAtod(text, &number)) {
    return Literal(number);
  }
  return Literal(std::string(text.data(), text.size()));
}

absl::StatusOr<EntityValues> ParseEntity(absl::string_view text) {
  FRESHLINE_ASSIGN_OR_RETURN(const auto named, SplitName(text));
  EntityValues entity;
  entity.join_key = std::string(named.first);
  std::vector<int64_t>& numbers = entity.numbers;
  std::vector<std::string>& strings = entity.strings;
  for (const std::string& part : SplitOutsideQuotes(named.second)) {
    if (part.empty()) return Malformed(text, "a value is missing");
    // Keys are INT64 or STRING only, so that "true" and "1.5" are STRINGs.
    if (LooksWhole(part) || absl::StartsWith(part, "str:") ||
        part.front() == '"') {
      FRESHLINE_ASSIGN_OR_RETURN(Literal value, ParseLiteral(part));
      if (const int64_t* number = std::get_if<int64_t>(&value)) {
        numbers.push_back(*number);
      } else {
        strings.push_back(std::get<std::string>(std::move(value)));
      }
    } else {
      strings.push_back(part);
    }
  }
  if (!numbers.empty() && !strings.empty()) {
    return Malformed(text,
                     "mixes INT64 and STRING keys; write str: before each "
                     "number that is a STRING");
  }
  return entity;
}

absl::StatusOr<EventRows> ParseEvent(absl::string_view text,
                                     absl::string_view producer,
                                     int64_t now_us) {
  const size_t colon = text.find(':');
  if (colon == absl::string_view::npos || colon == 0) {
    return Malformed(text,
                     "write SOURCE:NAME=VALUE,..., for example "
                     "clicks:user_id=42,product_id=7");
  }
  EventRows rows(text.substr(0, colon));
  std::optional<uint64_t> sequence;
  for (const std::string& part : SplitOutsideQuotes(text.substr(colon + 1))) {
    FRESHLINE_ASSIGN_OR_RETURN(const auto named, SplitName(part));
    if (named.first == "event_time_us") {
      FRESHLINE_ASSIGN_OR_RETURN(now_us, ParseTimeUs(named.second));
    } else if (named.first == "producer_sequence") {
      uint64_t number = 0;
      if (!absl::SimpleAtoi(named.second, &number) || producer.empty()) {
        return Malformed(part, "needs a whole number, and --producer");
      }
      sequence = number;
    } else {
      FRESHLINE_ASSIGN_OR_RETURN(const Literal value,
                                 ParseLiteral(named.second));
      AddColumn(named.first, value, rows);
    }
  }
  rows.TimesUs({now_us});
  if (!producer.empty()) {
    if (!sequence.has_value()) {
      return Malformed(text, "--producer needs producer_sequence=N in it");
    }
    rows.Producer(producer, {*sequence});
  }
  return rows;
}

}  // namespace freshline::cli
