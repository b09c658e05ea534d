// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/time_text.h"
#include "bench/trace/click.h"

namespace freshline::bench {

struct ReadOptions {
  // What a time written as a bare number counts.
  base::TimeUnit time_unit = base::TimeUnit::kMicros;
  // Rows with since <= time < until, before jitter.
  int64_t since_us = std::numeric_limits<int64_t>::min();
  int64_t until_us = std::numeric_limits<int64_t>::max();
  // Where a file has whole seconds, rows of one second are spread over it at
  // random, in their order, so that every user's order is kept. A second with
  // a finer time is left alone.
  bool jitter = true;
  uint64_t seed = 1;
  // The share of rows that may be malformed, and are skipped; with more the
  // file is refused. In [0, 1]; 1: whatever can be read.
  double skipped_share_max = 0.01;
  // Most rows of the time range. 64 bytes each, half as much again while they
  // are sorted.
  size_t clicks_max = size_t{1} << 27;
};

struct MalformedRow {
  uint64_t line = 0;  // 1 is the file's first
  std::string reason;
};

struct ReadReport {
  uint64_t rows = 0;  // well formed, in the time range or not
  uint64_t malformed = 0;
  std::vector<MalformedRow> examples;  // the first few
  // Rows of the time range that were earlier than the one before: the rows
  // were sorted where this is not 0.
  uint64_t out_of_order = 0;
};

// Clicks of a CSV file, plain or gzipped, that the options select, in order of
// time; those of one time stand as in the file, or in reverse where the file
// has its newest first.
//
// The header names the columns, in any order, others among them: event_time,
// product_id and user_id are needed; event_type (view where absent),
// category_id, category_code, brand, price and user_session (else the user's
// only one) are optional, as REES46 publishes them. Ids are INT64, sessions any
// text; times are read as csv::ParseEventTime() does, numbers as
// csv::PlainValue() leaves them. category_id and price may be NULL. Of rows
// outside of the time range only the number of fields and the time are checked.
//
// `pool` takes the strings.
// Returns: NOT_FOUND for a file that cannot be opened; INVALID_ARGUMENT, naming
// the file and mostly the line, for one that cannot be read to its end, is
// empty, lacks a column, has more malformed rows than the options allow (the
// first few are named) or more rows than clicks_max.
// Cost: some 2 million rows a second.
absl::StatusOr<std::vector<Click>> ReadTrace(const std::string& path,
                                             const ReadOptions& options,
                                             StringPool* pool,
                                             ReadReport* report);

struct TraceWindow {
  int64_t start_us = 0;
  int64_t end_us = 0;
  uint64_t clicks = 0;
};

// The window of `seconds` with the most clicks, in whole seconds, found in one
// pass; the first of several. Rows are checked as those outside of a time range
// are; skipped_share_max holds.
absl::StatusOr<TraceWindow> FindPeakWindow(const std::string& path,
                                           int64_t seconds,
                                           const ReadOptions& options = {});

}  // namespace freshline::bench
