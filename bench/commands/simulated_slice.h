// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "base/job_shape.h"
#include "bench/replay/workload.h"
#include "bench/score/state_ranker.h"
#include "bench/sim/trace/slice_function.h"
#include "bench/sim/trace/slice_simulation.h"
#include "bench/sim/trace/time_profile.h"

// What commands that simulate slices share.

namespace freshline::bench {

// Views of a prepared slice, and the ranker that all its runs share.
// Not thread-safe.
class SimulatedSlice {
 public:
  // All arguments outlive it.
  SimulatedSlice(const PreparedSlice& prepared, const Workload& workload,
                 const SliceFunction& function, const ScoreOptions& options);

  const ShapedSlice& shaped() const { return shaped_; }
  const PreparedSlice& prepared() const { return prepared_; }
  // ValueBound() of it, which no policy changes: computed once for equal SLO,
  // gap, batch, workers and seed. REQUIRES: always the same times.
  double BoundOf(const ProfiledTimes& times, const SliceRunOptions& options);
  // RunSlice() of it, with that bound.
  absl::StatusOr<SliceRun> Run(const ProfiledTimes& times,
                               SliceRunOptions options);

 private:
  using BoundKey =
      std::tuple<base::Duration, base::Duration, uint32_t, uint32_t, uint64_t>;

  SliceView View(const StringPool& pool) const;

  const PreparedSlice& prepared_;
  const std::vector<base::JobShape> shapes_;
  const ShapedSlice shaped_;
  StateRanker ranker_;
  std::map<BoundKey, double> bounds_;
};

struct TimesOptions {
  uint32_t workers = 2;
  uint32_t batch_max = 1;
  std::string file;  // used where it is there, else written; "": neither
  double profile_seconds = 5;
  std::string definitions;  // that a decision log has to agree with
  double last_s = 0;        // of a decision log, its last seconds; 0: all
  bool steady = false;      // every run takes the mean of its size
};

// What is timed, and what load 1 is: the mix of the trace itself.
struct Calibrated {
  ProfiledTimes times;
  std::string digest;  // of the times: equal times, equal digests
  // How many times the rows of batches of 1 the best batches compute, of those
  // that take 30 ms at most, with users drawn from the slice. 1 where no
  // batches were timed.
  double batch_speedup = 1;
  double rows_per_second = 0;
};

// Reads the file of times (or the decision log) where there is one, else
// measures them now, on the users of the workload's slice. Says what they are.
// Returns: the errors of both; INVALID_ARGUMENT for a file of another
// function, table, or number of workers.
absl::StatusOr<Calibrated> Calibrate(const Workload& workload,
                                     const SliceFunction& function,
                                     const TimesOptions& options);

// Rows that `workers` compute in a second, one by one, of the workload's own
// mix of users.
absl::StatusOr<double> RowsPerSecond(const Workload& workload,
                                     const SliceFunction& function,
                                     const ProfiledTimes& times,
                                     uint32_t workers);

// Fills what a run of a slice does not know itself: the trace, the load, the
// bound on violations.
void DescribeSlice(const Workload& workload, double superpose, double load,
                   const SimulatedSlice& slice, RunReport* report);

}  // namespace freshline::bench
