// SPDX-License-Identifier: Apache-2.0
#include "cli/csv.h"

#include <algorithm>
#include <utility>

#include "absl/container/fixed_array.h"
#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "cli/literal.h"

namespace freshline::cli {
namespace {

absl::StatusOr<bool> ParseBool(const std::string& text) {
  bool value = false;
  if (absl::SimpleAtob(text, &value)) return value;
  return absl::InvalidArgumentError("");
}
absl::StatusOr<int64_t> ParseInt64(const std::string& text) {
  int64_t value = 0;
  if (absl::SimpleAtoi(text, &value)) return value;
  return absl::InvalidArgumentError("");
}
absl::StatusOr<double> ParseFloat64(const std::string& text) {
  double value = 0;
  if (absl::SimpleAtod(text, &value)) return value;
  return absl::InvalidArgumentError("");
}
absl::StatusOr<std::string> ParseString(const std::string& text) {
  return text;
}

}  // namespace

absl::Status CsvReader::Error(absl::string_view what) const {
  return absl::DataLossError(absl::StrCat("line ", record_line_, ": ", what));
}

absl::StatusOr<std::optional<std::vector<std::string>>> CsvReader::Next() {
  std::vector<std::string> fields(1);
  bool quoted = false;
  bool any = false;
  size_t bytes = 0;
  record_line_ = next_line_;
  for (int c = in_.get(); c != std::char_traits<char>::eof(); c = in_.get()) {
    if (++bytes > kRecordBytesMax) return Error("longer than 1 MiB");
    const char ch = static_cast<char>(c);
    if (ch == '\n') ++next_line_;
    if (quoted) {
      if (ch != '"') {
        fields.back().push_back(ch);
      } else if (in_.peek() == '"') {
        fields.back().push_back(static_cast<char>(in_.get()));
      } else {
        quoted = false;
      }
    } else if (ch == '"') {
      quoted = any = true;
    } else if (ch == ',') {
      fields.emplace_back();
      any = true;
    } else if (ch == '\n') {
      if (any) return std::optional(std::move(fields));
      record_line_ = next_line_;
      bytes = 0;
    } else if (ch != '\r' || in_.peek() != '\n') {
      fields.back().push_back(ch);
      any = true;
    }
  }
  if (in_.bad()) return Error("reading failed");
  if (quoted) return Error("a quote is not closed before the end of the file");
  if (!any) return std::optional<std::vector<std::string>>();
  return std::optional(std::move(fields));
}

CsvEventReader::CsvEventReader(CsvEventOptions options, std::istream& in)
    : options_(std::move(options)),
      reader_(in),
      next_sequence_(options_.first_sequence) {}

absl::Status CsvEventReader::ReadHeader() {
  FRESHLINE_ASSIGN_OR_RETURN(auto header, reader_.Next());
  if (!header.has_value()) {
    return absl::InvalidArgumentError(
        "the file is empty; its first line must name the columns");
  }
  std::optional<size_t> time_index;
  static constexpr std::pair<const char*, Type> kTypes[] = {
      {"bool", Type::kBool},
      {"int64", Type::kInt64},
      {"float64", Type::kFloat64},
      {"string", Type::kString},
      {"timestamp", Type::kTimestamp}};
  for (const std::string& cell : *header) {
    Column column;
    column.name = cell.substr(0, cell.find(':'));
    if (column.name.size() < cell.size()) {
      const std::string type = cell.substr(column.name.size() + 1);
      const auto* known =
          std::find_if(std::begin(kTypes), std::end(kTypes),
                       [&](const auto& entry) { return entry.first == type; });
      if (known == std::end(kTypes)) {
        return absl::InvalidArgumentError(absl::StrCat(
            "header: column ", column.name, " has type \"", type,
            "\"; write bool, int64, float64, string or timestamp"));
      }
      column.type = known->second;
    }
    if (column.name == options_.time_column) time_index = columns_.size();
    if (!options_.sequence_column.empty() &&
        column.name == options_.sequence_column) {
      sequence_index_ = columns_.size();
    }
    columns_.push_back(std::move(column));
  }
  const auto missing = [&](absl::string_view option, const std::string& name) {
    return absl::InvalidArgumentError(absl::StrCat(
        "header: there is no column ", name, "; name another with ", option,
        " (columns: ", absl::StrJoin(*header, ", "), ")"));
  };
  if (!time_index.has_value()) {
    return missing("--time-column", options_.time_column);
  }
  time_index_ = *time_index;
  if (!options_.sequence_column.empty() && !sequence_index_.has_value()) {
    return missing("--sequence-column", options_.sequence_column);
  }
  return absl::OkStatus();
}

absl::StatusOr<CsvEventReader::Records> CsvEventReader::ReadRecords() {
  Records records;
  lines_.clear();
  while (records.size() < options_.batch_events) {
    FRESHLINE_ASSIGN_OR_RETURN(auto record, reader_.Next());
    if (!record.has_value()) break;
    if (record->size() != columns_.size()) {
      return absl::DataLossError(
          absl::StrCat("line ", reader_.line(), ": ", record->size(),
                       " fields; the header has ", columns_.size()));
    }
    lines_.push_back(reader_.line());
    records.push_back(*std::move(record));
  }
  return records;
}

void CsvEventReader::InferTypes(const Records& records) {
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (columns_[i].type != Type::kInfer) continue;
    bool any = false;
    bool whole = true;
    bool numeric = true;
    for (const auto& record : records) {
      if (record[i].empty()) continue;
      any = true;
      whole = whole && ParseInt64(record[i]).ok();
      numeric = numeric && ParseFloat64(record[i]).ok();
    }
    // All empty so far: nothing is known, and NULLs have no type.
    if (!any) continue;
    columns_[i].type = whole     ? Type::kInt64
                       : numeric ? Type::kFloat64
                                 : Type::kString;
  }
}

absl::Status CsvEventReader::Wrong(size_t record, const std::string& column,
                                   absl::string_view what) const {
  return absl::DataLossError(
      absl::StrCat("line ", lines_[record], ", column ", column, ": ", what));
}

template <typename T, typename Parse, typename Add>
absl::Status CsvEventReader::AddTyped(size_t index, const Records& records,
                                      Parse parse, Add add,
                                      absl::string_view type,
                                      EventRows& rows) const {
  // Not a vector, which has no bool elements to point at.
  absl::FixedArray<T> values(records.size(), T{});
  std::vector<uint32_t> null_rows;
  for (size_t r = 0; r < records.size(); ++r) {
    const std::string& field = records[r][index];
    if (field.empty()) {
      null_rows.push_back(static_cast<uint32_t>(r));
      continue;
    }
    auto parsed = parse(field);
    if (!parsed.ok()) {
      return Wrong(r, columns_[index].name,
                   absl::StrCat("\"", field, "\" is no ", type,
                                "; where that is not the type, declare it in "
                                "the header, as in ",
                                columns_[index].name, ":string"));
    }
    values[r] = *std::move(parsed);
  }
  add(columns_[index].name, absl::Span<const T>(values.data(), values.size()));
  if (!null_rows.empty()) rows.NullRows(null_rows);
  return absl::OkStatus();
}

absl::Status CsvEventReader::AddColumn(size_t index, const Records& records,
                                       EventRows& rows) const {
  switch (columns_[index].type) {
    case Type::kBool:
      return AddTyped<bool>(
          index, records, ParseBool,
          [&](const auto& name, auto values) { rows.Bools(name, values); },
          "bool", rows);
    case Type::kInt64:
      return AddTyped<int64_t>(
          index, records, ParseInt64,
          [&](const auto& name, auto values) { rows.Int64s(name, values); },
          "int64", rows);
    case Type::kFloat64:
      return AddTyped<double>(
          index, records, ParseFloat64,
          [&](const auto& name, auto values) { rows.Float64s(name, values); },
          "float64", rows);
    case Type::kString:
      return AddTyped<std::string>(
          index, records, ParseString,
          [&](const auto& name, auto values) { rows.Strings(name, values); },
          "string", rows);
    case Type::kTimestamp:
      return AddTyped<int64_t>(
          index, records, ParseTimeUs,
          [&](const auto& name, auto values) {
            rows.TimestampsUs(name, values);
          },
          "timestamp", rows);
    case Type::kInfer:
      return absl::OkStatus();  // absent: NULL in every row
  }
  return absl::OkStatus();
}

absl::Status CsvEventReader::AddTimes(const Records& records,
                                      EventRows& rows) const {
  std::vector<int64_t> times;
  times.reserve(records.size());
  for (size_t r = 0; r < records.size(); ++r) {
    const auto time = ParseTimeUs(records[r][time_index_]);
    if (!time.ok()) {
      return Wrong(r, columns_[time_index_].name, time.status().message());
    }
    times.push_back(*time);
  }
  rows.TimesUs(times);
  return absl::OkStatus();
}

absl::Status CsvEventReader::AddSequences(const Records& records,
                                          EventRows& rows) {
  if (options_.producer.empty()) return absl::OkStatus();
  std::vector<uint64_t> sequences;
  sequences.reserve(records.size());
  for (size_t r = 0; r < records.size(); ++r) {
    uint64_t sequence = next_sequence_++;
    if (sequence_index_.has_value() &&
        !absl::SimpleAtoi(records[r][*sequence_index_], &sequence)) {
      return Wrong(r, columns_[*sequence_index_].name,
                   "is no whole number; it is the producer's sequence");
    }
    sequences.push_back(sequence);
  }
  rows.Producer(options_.producer, sequences);
  return absl::OkStatus();
}

absl::StatusOr<std::optional<EventRows>> CsvEventReader::Next() {
  if (columns_.empty()) FRESHLINE_RETURN_IF_ERROR(ReadHeader());
  FRESHLINE_ASSIGN_OR_RETURN(const Records records, ReadRecords());
  if (records.empty()) return std::optional<EventRows>();
  InferTypes(records);
  EventRows rows(options_.source);
  FRESHLINE_RETURN_IF_ERROR(AddTimes(records, rows));
  FRESHLINE_RETURN_IF_ERROR(AddSequences(records, rows));
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (i == time_index_ || i == sequence_index_) continue;
    FRESHLINE_RETURN_IF_ERROR(AddColumn(i, records, rows));
  }
  return std::optional<EventRows>(std::move(rows));
}

}  // namespace freshline::cli
