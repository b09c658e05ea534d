// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "freshline/events.h"

namespace freshline::cli {

// Records of a CSV file (RFC 4180: quotes, doubled quotes and line breaks
// inside them; LF or CRLF). Empty lines are skipped.
class CsvReader {
 public:
  static constexpr size_t kRecordBytesMax = 1 << 20;

  // `in` must outlive the reader.
  explicit CsvReader(std::istream& in) : in_(in) {}

  // The next record; nullopt at the end.
  // Returns: DATA_LOSS naming the line: a quote that is not closed at the end
  // of the file, a record beyond kRecordBytesMax, a failure to read.
  absl::StatusOr<std::optional<std::vector<std::string>>> Next();

  // Line on which the record returned last began, from 1.
  int64_t line() const { return record_line_; }

 private:
  absl::Status Error(absl::string_view what) const;

  std::istream& in_;
  int64_t next_line_ = 1;
  int64_t record_line_ = 0;
};

struct CsvEventOptions {
  std::string source;
  // The column with the event's time, as ParseTimeUs() reads it.
  std::string time_column = "event_time";
  // With a producer, events carry the column's number, or else their record's
  // number counted from first_sequence.
  std::string producer;
  std::string sequence_column;
  uint64_t first_sequence = 1;
  // Events of one batch. 1 to 10,000.
  size_t batch_events = 500;
};

// Events of one source, from a CSV file whose header names the columns as
// "name" or "name:type", type one of bool, int64, float64, string, timestamp.
// A column without a type takes the narrowest of int64, float64 and string
// that fits every value of the first batch that has one, and keeps it. An empty
// field is NULL.
class CsvEventReader {
 public:
  // `in` must outlive the reader.
  CsvEventReader(CsvEventOptions options, std::istream& in);

  // The next batch; nullopt at the end.
  // Returns: INVALID_ARGUMENT where the header is wrong; DATA_LOSS naming line
  // and column where a record is: number of fields, type of a value, time.
  absl::StatusOr<std::optional<EventRows>> Next();

 private:
  enum class Type { kInfer, kBool, kInt64, kFloat64, kString, kTimestamp };
  struct Column {
    std::string name;
    Type type = Type::kInfer;
  };
  using Records = std::vector<std::vector<std::string>>;

  absl::Status ReadHeader();
  absl::StatusOr<Records> ReadRecords();
  void InferTypes(const Records& records);
  absl::Status Wrong(size_t record, const std::string& column,
                     absl::string_view what) const;
  absl::Status AddTimes(const Records& records, EventRows& rows) const;
  absl::Status AddSequences(const Records& records, EventRows& rows);
  absl::Status AddColumn(size_t index, const Records& records,
                         EventRows& rows) const;
  // Parses field by field into a column; empty fields become NULL.
  template <typename T, typename Parse, typename Add>
  absl::Status AddTyped(size_t index, const Records& records, Parse parse,
                        Add add, absl::string_view type, EventRows& rows) const;

  const CsvEventOptions options_;
  CsvReader reader_;
  std::vector<Column> columns_;
  size_t time_index_ = 0;
  std::optional<size_t> sequence_index_;
  std::vector<int64_t> lines_;  // of the records of the current batch
  uint64_t next_sequence_;
};

}  // namespace freshline::cli
