// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/random.h"
#include "bench/trace/click.h"

namespace freshline::bench {

struct ReadOptions {
  // Rows with since <= time < until, before jitter.
  int64_t since_us = std::numeric_limits<int64_t>::min();
  int64_t until_us = std::numeric_limits<int64_t>::max();
  // The file has whole seconds. Rows of one second are spread over it at
  // random, in their order, so that every user's order is kept.
  bool jitter = true;
  uint64_t seed = 1;
};

struct MalformedRow {
  uint64_t line = 0;  // 1 is the header
  std::string reason;
};

struct ReadReport {
  uint64_t rows = 0;  // well formed, in the time range or not
  uint64_t malformed = 0;
  std::vector<MalformedRow> examples;  // the first few
  // Rows up to a minute earlier than the one before; they take its time.
  uint64_t out_of_order = 0;
};

// Streams clicks from a CSV file as REES46 publishes it, plain or gzipped,
// with header event_time,event_type,product_id,category_id,category_code,
// brand,price,user_id,user_session. A malformed row is counted and skipped,
// never fatal: so are rows more than a minute earlier than the row before, a
// row more than a day later than the rows around it, and an archive that ends
// early. Memory: the rows of one second.
//
// Not thread-safe.
class TraceReader {
 public:
  // `pool` outlives the reader.
  // Returns: NOT_FOUND for a file that cannot be opened; INVALID_ARGUMENT for
  // one that cannot be read, is empty, or has another header.
  static absl::StatusOr<std::unique_ptr<TraceReader>> Open(
      const std::string& path, const ReadOptions& options, StringPool* pool);
  ~TraceReader();

  // False at the end of the file, or beyond options.until_us.
  bool Next(Click* click);

  const ReadReport& report() const { return report_; }

 private:
  struct File;
  TraceReader(std::unique_ptr<File> file, const ReadOptions& options,
              StringPool* pool);
  struct Row {
    Click click;
    uint64_t line = 0;
  };
  bool ParseNext(Row* row);    // the next well-formed row
  bool ReadRow(Click* click);  // that fits into the order of time
  bool FillSecond();
  void AddMalformed(uint64_t line, std::string reason);

  const std::unique_ptr<File> file_;
  const ReadOptions options_;
  StringPool* const pool_;
  base::Rng rng_;
  ReadReport report_;
  std::vector<Click> second_;  // of one second, with jitter
  size_t next_ = 0;
  bool has_ahead_ = false;
  Click ahead_;              // first row of the next second
  std::optional<Row> held_;  // read to judge the row before it
  // Before all times, and far from overflow.
  int64_t newest_us_ = std::numeric_limits<int64_t>::min() / 2;
};

// All clicks of a file that the options select.
absl::StatusOr<std::vector<Click>> ReadTrace(const std::string& path,
                                             const ReadOptions& options,
                                             StringPool* pool,
                                             ReadReport* report);

struct TraceWindow {
  int64_t start_us = 0;
  int64_t end_us = 0;
  uint64_t clicks = 0;
};

// The window of `seconds` with the most clicks, found in one pass; the first
// of several.
absl::StatusOr<TraceWindow> FindPeakWindow(const std::string& path,
                                           int64_t seconds);

// Parses "2019-10-01 00:00:00 UTC" (and without " UTC").
absl::StatusOr<int64_t> ParseTraceTime(absl::string_view text);
// Writes it, whole seconds.
std::string FormatTraceTime(int64_t time_us);

}  // namespace freshline::bench
