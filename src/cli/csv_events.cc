// SPDX-License-Identifier: Apache-2.0
#include "cli/csv_events.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "cli/shell_quote.h"
#include "csv/value.h"

namespace freshline::cli {
namespace {

// Bytes of a varint of 64 bits, and of what stands before each string.
constexpr size_t kVarintBytes = 10;
constexpr size_t kStringHeadBytes = 6;

constexpr std::array<std::pair<absl::string_view, v1::ScalarType>, 5> kTypes = {
    {{"bool", v1::BOOL},
     {"int64", v1::INT64},
     {"float64", v1::FLOAT64},
     {"string", v1::STRING},
     {"timestamp", v1::TIMESTAMP}}};

bool Contains(const std::vector<std::string>& all, absl::string_view one) {
  return std::any_of(all.begin(), all.end(), [&](const std::string& s) {
    return absl::string_view(s) == one;
  });
}

std::string ColumnNames(const SchemaSource& source) {
  return absl::StrJoin(source.columns, ", ",
                       [](std::string* out, const SchemaColumn& column) {
                         absl::StrAppend(out, column.name);
                       });
}

size_t WireBytes(const Literal& value) {
  const auto* text = std::get_if<std::string>(&value);
  const size_t null =
      std::holds_alternative<std::monostate>(value) ? kVarintBytes : 0;
  return null +
         (text != nullptr ? text->size() + kStringHeadBytes : kVarintBytes);
}

}  // namespace

absl::StatusOr<std::unique_ptr<CsvEventReader>> CsvEventReader::Open(
    CsvEventOptions options, const SchemaSource& source, csv::Input& input) {
  csv::ReaderOptions csv_options;
  csv_options.delimiter = options.delimiter;
  FRESHLINE_ASSIGN_OR_RETURN(csv::Reader reader,
                             csv::Reader::Open(input, csv_options));
  std::unique_ptr<CsvEventReader> made(
      new CsvEventReader(std::move(options), source, std::move(reader)));
  FRESHLINE_RETURN_IF_ERROR(made->ReadHeader());
  return made;
}

absl::Status CsvEventReader::MatchColumn(size_t index,
                                         std::vector<std::string>* unknown) {
  const std::string& cell = reader_.header()[index];
  const std::string name = cell.substr(0, cell.find(':'));
  if (Contains(options_.ignore, cell) || Contains(options_.ignore, name)) {
    return absl::OkStatus();
  }
  if (name == options_.sequence_column) sequence_index_ = index;
  const SchemaColumn* column = source_.Find(name);
  if (column == nullptr) {
    if (name != options_.time_column && name != options_.sequence_column) {
      unknown->push_back(name);
    }
    return absl::OkStatus();
  }
  if (name.size() < cell.size()) {
    const std::string type = cell.substr(name.size() + 1);
    const auto* known =
        std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& one) {
          return absl::EqualsIgnoreCase(one.first, type);
        });
    if (known == kTypes.end() || known->second != column->type) {
      return absl::InvalidArgumentError(
          absl::StrCat("header: column ", name, " is said to be \"", type,
                       "\" and declared ", v1::ScalarType_Name(column->type),
                       "; leave the type out"));
    }
  }
  fields_.push_back({column, index});
  return absl::OkStatus();
}

absl::Status CsvEventReader::ReadHeader() {
  std::optional<size_t> time_index;
  std::vector<std::string> unknown;
  for (size_t i = 0; i < reader_.header().size(); ++i) {
    const std::string& cell = reader_.header()[i];
    if (cell.substr(0, cell.find(':')) == options_.time_column) time_index = i;
    FRESHLINE_RETURN_IF_ERROR(MatchColumn(i, &unknown));
  }
  const auto missing = [&](absl::string_view option, const std::string& name) {
    return absl::InvalidArgumentError(absl::StrCat(
        "header: there is no column ", name, "; name another with ", option,
        " (columns: ", absl::StrJoin(reader_.header(), ", "), ")"));
  };
  if (!time_index.has_value()) {
    return missing("--time-column", options_.time_column);
  }
  time_index_ = *time_index;
  if (!options_.sequence_column.empty() && !sequence_index_.has_value()) {
    return missing("--sequence-column", options_.sequence_column);
  }
  next_line_ = reader_.line() + 1;
  return CheckComplete(unknown);
}

absl::Status CsvEventReader::CheckComplete(
    const std::vector<std::string>& unknown) {
  if (!unknown.empty()) {
    std::string flags;
    for (const std::string& name : unknown) {
      absl::StrAppend(&flags, " --ignore ", ShellQuote(name));
    }
    return absl::InvalidArgumentError(absl::StrCat(
        "header: source \"", source_.name, "\" has no column ",
        absl::StrJoin(unknown, ", "), " (it has: ", ColumnNames(source_),
        "); rename, or leave out with", flags));
  }
  for (const SchemaColumn& column : source_.columns) {
    const bool there = std::any_of(
        fields_.begin(), fields_.end(),
        [&](const Field& field) { return field.column == &column; });
    if (there) continue;
    if (column.key) {
      return absl::InvalidArgumentError(absl::StrCat(
          "header: there is no column ", column.name,
          ", the join key of source \"", source_.name,
          "\" (columns: ", absl::StrJoin(reader_.header(), ", "), ")"));
    }
    absent_.push_back(column.name);
  }
  return absl::OkStatus();
}

absl::Status CsvEventReader::Wrong(absl::string_view column,
                                   absl::string_view what) const {
  return absl::DataLossError(absl::StrCat("line ", reader_.line(),
                                          column.empty() ? "" : ", column ",
                                          column, ": ", what));
}

absl::StatusOr<bool> CsvEventReader::NextRecord() {
  while (true) {
    const csv::Reader::Got got = reader_.Next();
    if (got == csv::Reader::Got::kEnd) return false;
    ++records_;
    const bool passed_over = reader_.line() < options_.from_line;
    if (!passed_over) next_line_ = reader_.line();
    if (got == csv::Reader::Got::kFailed) return Wrong("", reader_.error());
    if (passed_over) continue;
    if (got == csv::Reader::Got::kMalformed) return Wrong("", reader_.error());
    if (reader_.fields().size() == reader_.header().size()) return true;
    return Wrong(
        "", absl::StrCat(reader_.fields().size(), " fields; the header has ",
                         reader_.header().size(), ", separated by a ",
                         csv::Reader::DelimiterName(reader_.delimiter())));
  }
}

absl::StatusOr<int64_t> CsvEventReader::ParseEventTime() const {
  const auto time = csv::ParseEventTime(reader_.fields()[time_index_],
                                        options_.time_unit, options_.shift_us);
  if (!time.ok()) return Wrong(options_.time_column, time.status().message());
  return *time;
}

absl::StatusOr<Literal> CsvEventReader::ParseField(const Field& field) const {
  const absl::string_view text = reader_.fields()[field.index];
  absl::StatusOr<Literal> value =
      Contains(options_.nulls, text)
          ? Literal()
          : ParseValue(text, field.column->type, options_.time_unit);
  if (!value.ok()) return Wrong(field.column->name, value.status().message());
  if (field.column->key && std::holds_alternative<std::monostate>(*value)) {
    return Wrong(field.column->name,
                 "no value; a join key must have one in every row");
  }
  return value;
}

absl::StatusOr<size_t> CsvEventReader::ReadRow() {
  FRESHLINE_ASSIGN_OR_RETURN(row_.time_us, ParseEventTime());
  size_t bytes = 2 * kVarintBytes;  // with the sequence
  row_.values.clear();
  for (const Field& field : fields_) {
    FRESHLINE_ASSIGN_OR_RETURN(Literal value, ParseField(field));
    bytes += WireBytes(value);
    row_.values.push_back(std::move(value));
  }
  row_.sequence = options_.first_sequence + records_ - 1;
  if (sequence_index_.has_value() &&
      !absl::SimpleAtoi(reader_.fields()[*sequence_index_], &row_.sequence)) {
    return Wrong(options_.sequence_column,
                 "is no whole number; it is the producer's sequence");
  }
  if (bytes > options_.batch_bytes) {
    return Wrong("", absl::StrCat("the event alone is of ", bytes,
                                  " bytes; the daemon takes requests of ",
                                  options_.batch_bytes));
  }
  return bytes;
}

void CsvEventReader::AppendRow(CsvBatch* batch,
                               std::vector<v1::Column>* columns) {
  const auto row = static_cast<uint32_t>(batch->lines.size());
  for (size_t i = 0; i < fields_.size(); ++i) {
    AppendTo(row_.values[i], fields_[i].column->type, row, &(*columns)[i]);
  }
  batch->events.add_event_time_us(row_.time_us);
  if (!options_.producer.empty()) {
    batch->events.add_producer_sequence(row_.sequence);
  }
  batch->lines.push_back(reader_.line());
}

absl::StatusOr<std::optional<CsvBatch>> CsvEventReader::Next() {
  FRESHLINE_RETURN_IF_ERROR(failed_);
  CsvBatch batch;
  std::vector<v1::Column> columns(fields_.size());
  size_t bytes = 0;
  while (batch.lines.size() < options_.batch_events) {
    if (held_bytes_ == 0) {
      const absl::StatusOr<bool> more = NextRecord();
      if (more.ok() && !*more) break;
      const absl::StatusOr<size_t> row_bytes =
          more.ok() ? ReadRow() : absl::StatusOr<size_t>(more.status());
      if (!row_bytes.ok()) {
        failed_ = row_bytes.status();
        break;
      }
      held_bytes_ = *row_bytes;
    }
    if (bytes + held_bytes_ > options_.batch_bytes) break;
    bytes += std::exchange(held_bytes_, 0);
    AppendRow(&batch, &columns);
    next_line_ = reader_.line() + 1;
  }
  if (batch.lines.empty()) {
    FRESHLINE_RETURN_IF_ERROR(failed_);
    return std::optional<CsvBatch>();
  }
  batch.events.set_source(source_.name);
  batch.events.set_producer_id(options_.producer);
  for (size_t i = 0; i < fields_.size(); ++i) {
    // A column that is absent is NULL.
    if (static_cast<size_t>(columns[i].null_rows_size()) ==
        batch.lines.size()) {
      continue;
    }
    columns[i].set_name(fields_[i].column->name);
    *batch.events.add_columns() = std::move(columns[i]);
  }
  return std::optional<CsvBatch>(std::move(batch));
}

absl::StatusOr<std::optional<int64_t>> CsvEventReader::NewestTime() {
  std::optional<int64_t> newest;
  while (true) {
    FRESHLINE_ASSIGN_OR_RETURN(const bool more, NextRecord());
    if (!more) return newest;
    FRESHLINE_ASSIGN_OR_RETURN(const int64_t time, ParseEventTime());
    newest = std::max(newest.value_or(time), time);
  }
}

}  // namespace freshline::cli
