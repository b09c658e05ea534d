// SPDX-License-Identifier: Apache-2.0
#include "cli/literal.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/foreign_text.h"
#include "base/number_text.h"
#include "base/status_macros.h"
#include "csv/value.h"

namespace freshline::cli {
namespace {

absl::Status Malformed(absl::string_view text, absl::string_view remedy) {
  return absl::InvalidArgumentError(absl::StrCat("\"", text, "\": ", remedy));
}

// Bad values may be long; their beginning tells enough.
absl::Status Wrong(absl::string_view text, absl::string_view what) {
  const absl::string_view shown = base::Utf8Prefix(text, 60);
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", shown, shown.size() < text.size() ? "...\" " : "\" ", what));
}

bool LooksWhole(absl::string_view text) {
  absl::ConsumePrefix(&text, "-");
  return !text.empty() &&
         text.find_first_not_of("0123456789") == absl::string_view::npos;
}

absl::StatusOr<Literal> ParseFloat(absl::string_view text) {
  const std::optional<double> number = base::ParseFiniteNumber(text);
  if (number.has_value()) return Literal(*number);
  double parsed = 0;
  if (absl::SimpleAtod(text, &parsed) && std::isinf(parsed)) {
    return Wrong(text,
                 "is infinite, or beyond FLOAT64; write a finite number, or "
                 "nothing for NULL");
  }
  return Wrong(text, text.find(',') == absl::string_view::npos
                         ? "is no FLOAT64; write a number such as 9.5"
                         : "is no FLOAT64; write a decimal point, and nothing "
                           "between thousands");
}

absl::StatusOr<Literal> ParseString(absl::string_view text) {
  if (base::IsUtf8(text)) return Literal(std::string(text));
  return absl::InvalidArgumentError(
      "the text is not UTF-8; convert the file, for example by: iconv -f "
      "WINDOWS-1252 -t UTF-8");
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

// The text of "str:42" or "\"42\""; nullopt where it is neither.
absl::StatusOr<std::optional<absl::string_view>> Unquote(
    absl::string_view text) {
  const absl::string_view whole = text;
  if (absl::ConsumePrefix(&text, "str:")) return std::optional(text);
  if (!absl::ConsumePrefix(&text, "\"")) {
    return std::optional<absl::string_view>();
  }
  if (!absl::ConsumeSuffix(&text, "\"")) {
    return Malformed(whole, "the quote is not closed");
  }
  return std::optional(text);
}

absl::Status UnknownColumn(const SchemaSource& source, absl::string_view name) {
  return absl::InvalidArgumentError(absl::StrCat(
      "source \"", source.name, "\" has no column \"", name, "\" (it has: ",
      absl::StrJoin(source.columns, ", ",
                    [](std::string* out, const SchemaColumn& column) {
                      absl::StrAppend(out, column.name);
                    }),
      ")"));
}

}  // namespace

absl::StatusOr<Literal> ParseValue(absl::string_view text, v1::ScalarType type,
                                   base::TimeUnit unit) {
  if (text.empty()) return Literal();
  if (type == v1::STRING) return ParseString(text);
  text = csv::PlainValue(text);
  if (text.empty()) return Literal();
  switch (type) {
    case v1::BOOL: {
      const std::optional<bool> truth = base::ParseTruth(text);
      if (truth.has_value()) return Literal(*truth);
      return Wrong(text, "is no BOOL; write true or false");
    }
    case v1::INT64: {
      const std::optional<int64_t> number = base::ParseWholeNumber(text);
      if (number.has_value()) return Literal(*number);
      return Wrong(text,
                   "is no INT64; write a whole number from -2^63 to 2^63 - 1");
    }
    case v1::FLOAT64:
      return ParseFloat(text);
    case v1::TIMESTAMP: {
      FRESHLINE_ASSIGN_OR_RETURN(const int64_t us, base::ParseTime(text, unit));
      return Literal(TimestampUs{us});
    }
    default:
      return absl::InvalidArgumentError(
          "the daemon declares a type that this command does not know; use "
          "the command of its own version");
  }
}

absl::StatusOr<Literal> ParseArgument(absl::string_view text,
                                      v1::ScalarType type) {
  FRESHLINE_ASSIGN_OR_RETURN(const auto quoted, Unquote(text));
  if (quoted.has_value()) {
    if (type == v1::STRING) return Literal(std::string(*quoted));
    return Malformed(text, absl::StrCat("is written as a STRING and declared ",
                                        v1::ScalarType_Name(type),
                                        "; leave quotes and str: out"));
  }
  if (type == v1::TIMESTAMP) absl::ConsumePrefix(&text, "ts:");
  return ParseValue(text, type);
}

void AppendTo(const Literal& value, v1::ScalarType type, uint32_t row,
              v1::Column* column) {
  // Where a row has no value, an element stands for it all the same.
  if (std::holds_alternative<std::monostate>(value)) column->add_null_rows(row);
  const auto or_default = [&]<typename T>(T) {
    const T* held = std::get_if<T>(&value);
    return held != nullptr ? *held : T{};
  };
  v1::Values* values = column->mutable_values();
  switch (type) {
    case v1::BOOL:
      values->mutable_bools()->add_values(or_default(bool{}));
      break;
    case v1::INT64:
      values->mutable_int64s()->add_values(or_default(int64_t{}));
      break;
    case v1::FLOAT64:
      values->mutable_float64s()->add_values(or_default(double{}));
      break;
    case v1::STRING:
      values->mutable_strings()->add_values(or_default(std::string()));
      break;
    case v1::TIMESTAMP:
      values->mutable_timestamps_us()->add_values(or_default(TimestampUs{}).us);
      break;
    default:
      break;
  }
}

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

absl::StatusOr<EntityValues> ParseEntity(absl::string_view text,
                                         const Schema& schema) {
  FRESHLINE_ASSIGN_OR_RETURN(const auto named, SplitName(text));
  FRESHLINE_ASSIGN_OR_RETURN(std::optional<v1::ScalarType> type,
                             schema.KeyType(named.first));
  EntityValues entity;
  entity.join_key = std::string(named.first);
  const std::vector<std::string> parts = SplitOutsideQuotes(named.second);
  if (!type.has_value()) {
    type = std::all_of(parts.begin(), parts.end(), LooksWhole) ? v1::INT64
                                                               : v1::STRING;
  }
  for (const std::string& part : parts) {
    if (part.empty()) return Malformed(text, "a value is missing");
    absl::StatusOr<Literal> value = ParseArgument(part, *type);
    if (!value.ok()) return Malformed(text, value.status().message());
    if (const int64_t* number = std::get_if<int64_t>(&*value)) {
      entity.numbers.push_back(*number);
    } else if (std::string* string = std::get_if<std::string>(&*value)) {
      entity.strings.push_back(std::move(*string));
    } else {
      return Malformed(text, "a join key must have a value");
    }
  }
  return entity;
}

absl::StatusOr<EventRows> ParseEvent(absl::string_view text,
                                     absl::string_view producer, int64_t now_us,
                                     const Schema& schema) {
  const size_t colon = text.find(':');
  if (colon == absl::string_view::npos || colon == 0) {
    return Malformed(text,
                     "write SOURCE:NAME=VALUE,..., for example "
                     "clicks:user_id=42,product_id=7");
  }
  FRESHLINE_ASSIGN_OR_RETURN(const SchemaSource* source,
                             schema.GetSource(text.substr(0, colon)));
  v1::EventBatch batch;
  batch.set_source(source->name);
  std::optional<uint64_t> sequence;
  for (const std::string& part : SplitOutsideQuotes(text.substr(colon + 1))) {
    FRESHLINE_ASSIGN_OR_RETURN(const auto named, SplitName(part));
    if (named.first == "event_time_us") {
      FRESHLINE_ASSIGN_OR_RETURN(now_us, base::ParseTime(named.second));
    } else if (named.first == "producer_sequence") {
      uint64_t number = 0;
      if (!absl::SimpleAtoi(named.second, &number) || producer.empty()) {
        return Malformed(part, "needs a whole number, and --producer");
      }
      sequence = number;
    } else {
      const SchemaColumn* column = source->Find(named.first);
      if (column == nullptr) return UnknownColumn(*source, named.first);
      const auto value = ParseArgument(named.second, column->type);
      if (!value.ok()) return Malformed(part, value.status().message());
      // A column that is absent is NULL.
      if (std::holds_alternative<std::monostate>(*value)) continue;
      v1::Column* out = batch.add_columns();
      out->set_name(column->name);
      AppendTo(*value, column->type, 0, out);
    }
  }
  batch.add_event_time_us(now_us);
  if (!producer.empty()) {
    if (!sequence.has_value()) {
      return Malformed(text, "--producer needs producer_sequence=N in it");
    }
    batch.set_producer_id(std::string(producer));
    batch.add_producer_sequence(*sequence);
  }
  return EventRows(std::move(batch));
}

}  // namespace freshline::cli
