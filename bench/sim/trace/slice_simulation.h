// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "base/job_shape.h"
#include "base/time.h"
#include "bench/report/run_report.h"
#include "bench/score/state_ranker.h"
#include "bench/sim/simulation.h"
#include "bench/sim/trace/slice_function.h"
#include "bench/sim/trace/time_profile.h"
#include "bench/trace/click.h"
#include "schedule/policies.h"
#include "staleness/metric.h"

// A replay of a slice in virtual time: the clicks and users of the trace, the
// policy and the estimator of the daemon, run times of the real function, and
// the lists that the answers would have held.

namespace freshline::bench {

// A slice with the shape of each of its queries. Views, which outlive it.
struct ShapedSlice {
  SliceView view;
  std::span<const base::JobShape> shapes;  // ShapesOf() the view
  // Pushed and never asked for, in order of time: of users of no query, whose
  // rows would take one scan.
  std::span<const Click> storm = {};
};

// The clicks of a slice as arrivals: each with its query (gap 0), or followed
// by it. Keys are users + 1, those of the storm beyond kStormKey. Not
// thread-safe.
class SliceStream final : public SimStream {
 public:
  static constexpr uint64_t kStormKey = uint64_t{1} << 40;

  SliceStream(const ShapedSlice& slice, base::Duration gap,
              std::function<uint32_t(int64_t user)> flow_of = {},
              std::function<base::Duration(int64_t user)> slo_of = {});
  bool Next(SimArrival* arrival) override;

 private:
  SimArrival Of(size_t query) const;
  // What comes next of the slice's own clicks.
  std::optional<SimArrival> Own();
  SimArrival OfStorm();

  const ShapedSlice slice_;
  const base::Duration gap_;
  const std::function<uint32_t(int64_t user)> flow_of_;
  const std::function<base::Duration(int64_t user)> slo_of_;
  std::optional<SimArrival> own_;  // looked at, not yet given
  size_t next_storm_ = 0;
  absl::flat_hash_map<int64_t, uint32_t> storm_clicks_;  // so far, by user
  absl::flat_hash_map<int64_t, uint64_t> storm_keys_;
  size_t next_event_ = 0;
  size_t next_query_ = 0;  // with a gap
  // With a gap: by user, the newest click so far, whose shape the row has.
  std::vector<size_t> newest_;
};

// What the daemon knows when a slice begins: a fresh row of every user with
// clicks in the warm-up.
std::vector<SimWarmRow> WarmRowsOf(const SliceView& slice);

// Mean time of computing a slice's rows one by one: workers / this is load 1.
// REQUIRES: a query.
base::Duration MeanTime(const ShapedSlice& slice, const ProfiledTimes& times);

struct SliceRunOptions {
  schedule::PolicyConfig policy;
  uint32_t workers = 2;
  uint32_t batch_max = 1;
  base::Duration slo = std::chrono::milliseconds(30);
  // Taken off the deadline where the policy has a guard.
  base::Duration guard = std::chrono::milliseconds(2);
  base::Duration gap{};
  // What the policy weighs; null: the pending share.
  std::shared_ptr<const staleness::StalenessMetric> metric;
  uint64_t seed = 1;  // of the draws of run times
  // Whose query a user's is, of flows of equal weight; not set: of flow 0.
  std::function<uint32_t(int64_t user)> flow_of;
  // The SLO of a user's queries; not set: `slo`.
  std::function<base::Duration(int64_t user)> slo_of;
  // Callers report whether their next click was in the list that they got.
  // Costs the ranks of rows that lack up to kReportedMissing clicks, once for
  // all runs with one ranker.
  bool reports = false;
  // Stale answers are those of the cheap model (ModelRow::kCheap), which is
  // made of every click while answering: what such an answer is worth to the
  // scheduler, as a share of a fresh one. Not set: what was stored.
  std::optional<double> approximate;
  // ValueBound() of these options, where the caller knows it; else computed.
  std::optional<double> value_bound;
};

// Of rows that lack more clicks, the loss is that of so many.
inline constexpr uint32_t kReportedMissing = 6;

// The value of a fresh answer is the share of the user's clicks that the last
// one is, 1 / n where it is the nth: what the pending share falls by.
//
// The most of the value of all fresh answers that any policy could capture,
// knowing everything beforehand (FreshValueBound): 1 where there is room for
// everything. In batches, a row takes at least its share of the fastest run
// of any size that was ever measured: no policy can be as lucky always, so
// with batches it is as much looser as run times vary.
double ValueBound(const ShapedSlice& slice, const ProfiledTimes& times,
                  const SliceRunOptions& options);

struct SliceRun {
  // kind, policy, slo, gap, seed, guard, workers and all that was measured;
  // the trace, the load and the upper bound on violations are the caller's.
  RunReport report;
  Ranks ranks;                // of what each query was served
  uint64_t actions_hash = 0;  // equal: equal decisions
};

// Runs one policy over the slice and ranks what it served.
// Deterministic. No answer leaves late, no dispatcher takes time, and no query
// is lost on its way: latency is from arrival to decision.
// Returns: INVALID_ARGUMENT naming the option that is out of range.
absl::StatusOr<SliceRun> RunSlice(const ShapedSlice& slice,
                                  const ProfiledTimes& times,
                                  const std::array<Ranks, kModelRows>& models,
                                  const SliceRunOptions& options,
                                  StateRanker* ranker);

}  // namespace freshline::bench
