// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/time_text.h"
#include "bench/score/list_book.h"
#include "bench/score/models.h"
#include "bench/score/queries.h"
#include "bench/trace/click.h"
#include "bench/trace/reader.h"
#include "bench/trace/slice.h"
#include "bench/trace/workload_shape.h"
#include "featurize/item_table.h"

namespace freshline::bench {

struct WorkloadOptions {
  std::string trace;
  std::string tables;  // directory of items.fltab
  // "2019-10-01T02:40:00+600", or "auto": the ten minutes after the rows that
  // the table was trained on, or the busiest ones where that is not known.
  std::string window = "auto";
  int64_t slice_seconds = 60;  // from the window's start; 0: the whole window
  uint64_t seed = 1;  // of the sub-second jitter and of the workload's draws
  std::string workload = "";        // as WorkloadShape::Parse() reads it
  double skipped_share_max = 0.01;  // as ReadOptions has it
  base::TimeUnit time_unit = base::TimeUnit::kMicros;  // likewise
};

// A slice ready to be sent and scored.
struct PreparedSlice {
  Slice slice;
  std::vector<Click> clicks;  // warm-up, queries, later
  QuerySet set;
  std::array<Ranks, kModelRows> models;
};

// A trace, the table trained before its window, and the slices that were cut
// from it; each is scored once, whatever number of policies run on it.
//
// Not thread-safe.
class Workload {
 public:
  // Returns: the errors of reading, which say where a relative path was looked
  // for; INVALID_ARGUMENT for a window that cannot be parsed or holds nothing.
  // `book` is of the same table, and others may share it; null: its own.
  static absl::StatusOr<std::unique_ptr<Workload>> Load(
      const WorkloadOptions& options, std::shared_ptr<ListBook> book = nullptr);

  // Cost: scoring takes about 0.2 ms per list that the book does not have yet,
  // and thread, once per factor.
  absl::StatusOr<const PreparedSlice*> Prepare(double superpose);

  // The same, kept by the caller. Thread-safe.
  absl::StatusOr<std::unique_ptr<PreparedSlice>> Score(
      double superpose, const ScoreOptions& options) const;

  // The slice alone, unscored.
  absl::StatusOr<Slice> Cut(double superpose) const;
  // The same without a crowd: its mix of users is what load 1 is measured with.
  absl::StatusOr<Slice> CutMix(double superpose) const;

  const WorkloadOptions& options() const { return options_; }
  const WorkloadShape& shape() const { return shape_; }
  const StringPool& pool() const { return pool_; }
  const ReadReport& read_report() const { return read_report_; }
  const featurize::ItemTable& table() const { return *table_; }
  ListBook* book() const { return book_.get(); }
  TraceWindow window() const { return window_; }
  int64_t slice_seconds() const { return slice_seconds_; }
  const std::string& sha256() const { return sha256_; }
  // Whether the table was trained on rows of the window: its figures are then
  // better than they would be.
  bool trained_on_window() const {
    return trained_until_us_.has_value() &&
           *trained_until_us_ > window_.start_us;
  }
  // Queries per second of the slice at superpose 1.
  double natural_rate() const { return natural_rate_; }

 private:
  explicit Workload(const WorkloadOptions& options) : options_(options) {}
  SliceOptions SliceAt(double superpose) const;

  const WorkloadOptions options_;
  WorkloadShape shape_;
  StringPool pool_;
  ReadReport read_report_;
  std::vector<Click> clicks_;
  std::shared_ptr<const featurize::ItemTable> table_;
  std::shared_ptr<ListBook> book_;
  TraceWindow window_;
  std::optional<int64_t> trained_until_us_;
  int64_t slice_seconds_ = 0;
  double natural_rate_ = 0;
  std::string sha256_;
  std::map<double, std::unique_ptr<PreparedSlice>> slices_;
};

// "auto" (the ten busiest minutes) or "2019-10-01T02:40:00+600" over a trace
// file, of whose rows a share may be malformed and whose times may be numbers
// of `time_unit`.
absl::StatusOr<TraceWindow> ResolveWindow(
    const std::string& trace, const std::string& window,
    double skipped_share_max,
    base::TimeUnit time_unit = base::TimeUnit::kMicros);

}  // namespace freshline::bench
