// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/time_text.h"
#include "cli/literal.h"
#include "cli/schema.h"
#include "csv/input.h"
#include "csv/reader.h"
#include "freshline/v1/feature_store.pb.h"

namespace freshline::cli {

struct CsvEventOptions {
  // The column with the event's time, as base::ParseTime() reads it; what its
  // numbers, and those of TIMESTAMP columns, count.
  std::string time_column = "event_time";
  base::TimeUnit time_unit = base::TimeUnit::kMicros;
  // Added to every event's time.
  int64_t shift_us = 0;
  char delimiter = 0;  // as csv::ReaderOptions has it
  // Columns of the file that are left out.
  std::vector<std::string> ignore;
  // Texts that are NULL in every column; others as ParseValue() has them.
  std::vector<std::string> nulls;
  // With a producer, events carry the column's number, or else their record's
  // number, counted from first_sequence over all records of the file.
  std::string producer;
  std::string sequence_column;
  uint64_t first_sequence = 1;
  // Records that begin on a line before this one are passed over.
  uint64_t from_line = 0;
  // Most events of one batch, and most bytes as it is sent. At least 1.
  size_t batch_events = 500;
  size_t batch_bytes = 4 << 20;
};

struct CsvBatch {
  v1::EventBatch events;
  std::vector<uint64_t> lines;  // of each event: where its record begins
};

// Events of one source, from a CSV file whose header names columns of the
// source, in any order, as "name" or "name:type" (one of bool, int64, float64,
// string, timestamp in any case, which must be the declared one). Values are
// read by their declared types.
//
// What stands before something wrong is given first; then the error, for ever.
// Not thread-safe.
class CsvEventReader {
 public:
  // `source` and `input` must outlive the reader.
  // Returns: INVALID_ARGUMENT where the header is wrong, or does not fit the
  // source or the options, naming every column that does not; DATA_LOSS where
  // the input cannot be read.
  static absl::StatusOr<std::unique_ptr<CsvEventReader>> Open(
      CsvEventOptions options, const SchemaSource& source, csv::Input& input);

  // The next batch; nullopt at the end.
  // Returns: DATA_LOSS naming line and column where a record is wrong: number
  // of fields, quotes, a value, the time, an event beyond batch_bytes.
  absl::StatusOr<std::optional<CsvBatch>> Next();

  // The time of the newest event of the rest of the file, before the shift; it
  // reads it to its end. nullopt where there is none. Returns: as Next().
  absl::StatusOr<std::optional<int64_t>> NewestTime();

  // The first line that Next() has not given yet; after an error the line that
  // it names.
  uint64_t next_line() const { return next_line_; }
  // Columns of the source that the file does not have: NULL in every event.
  const std::vector<std::string>& absent() const { return absent_; }

 private:
  struct Field {
    const SchemaColumn* column = nullptr;
    size_t index = 0;  // in the record
  };

  CsvEventReader(CsvEventOptions options, const SchemaSource& source,
                 csv::Reader reader)
      : options_(std::move(options)),
        source_(source),
        reader_(std::move(reader)) {}

  absl::Status ReadHeader();
  absl::Status MatchColumn(size_t index, std::vector<std::string>* unknown);
  absl::Status CheckComplete(const std::vector<std::string>& unknown);
  // Moves to the next record at or behind from_line; false at the end.
  absl::StatusOr<bool> NextRecord();
  absl::Status Wrong(absl::string_view column, absl::string_view what) const;
  absl::StatusOr<int64_t> ParseEventTime() const;
  absl::StatusOr<Literal> ParseField(const Field& field) const;
  // Reads the record into row_; returns its size on the wire, at most.
  absl::StatusOr<size_t> ReadRow();
  void AppendRow(CsvBatch* batch, std::vector<v1::Column>* columns);

  const CsvEventOptions options_;
  const SchemaSource& source_;
  csv::Reader reader_;
  std::vector<Field> fields_;
  size_t time_index_ = 0;
  std::optional<size_t> sequence_index_;
  std::vector<std::string> absent_;
  uint64_t records_ = 0;  // read, also before from_line

  struct Row {
    std::vector<Literal> values;  // as fields_
    int64_t time_us = 0;
    uint64_t sequence = 0;
  };
  Row row_;
  size_t held_bytes_ = 0;  // of row_, where it waits for the next batch; else 0
  absl::Status failed_;
  uint64_t next_line_ = 0;
};

}  // namespace freshline::cli
