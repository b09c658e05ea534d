// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "estimate/quantile_tracker.h"

namespace freshline::execute {

// How long before a deadline the answers of each feature service (a flow)
// leave, so that its callers see the share `violation_budget` of them late at
// most. Two things make an answer late: that it leaves after its answer_by
// (overshoot, measured here), and what passes outside of the daemon (overhead,
// which callers report). Each has half of the budget, and a QuantileTracker
// per flow that learns what to keep for it: a violation raises it at once by a
// quarter of a millisecond, and thousands of answers in time take that back.
//   guard = overshoot + max(overhead, floor)   where nobody reports,
//   guard = overshoot + overhead + floor / 4   where somebody does,
// and at most guard_share_max of the flow's SLO, unless the floor is more.
//
// What no guard within its bounds could have averted (a machine that stood
// still for longer) teaches nothing but is counted; the same holds for reports
// beyond the bounds and below 0, so that no caller moves the guard of its own
// service beyond the share, nor that of another at all.
//
// Thread-safety: Of() from any thread; all else from one.
// Bounds: the flows given; a flow beyond them is guarded by the floor.
// Cost: a few ns, no allocation.
class Guard {
 public:
  struct Options {
    base::Duration floor = std::chrono::microseconds(1500);
    base::Duration overshoot_max = std::chrono::milliseconds(20);
    double violation_budget = 1e-4;  // in (0, 0.1]
    double guard_share_max = 0.4;    // of the SLO
  };
  struct FlowState {
    base::Duration guard{};
    base::Duration overshoot{};  // kept for it
    base::Duration overhead{};   // "
    uint64_t answers = 0;
    uint64_t late = 0;                  // sent after their deadline
    uint64_t beyond_guard = 0;          // overshoots that nothing averts
    uint64_t overhead_reports = 0;      // taken
    uint64_t overhead_implausible = 0;  // reports that were not
  };

  // `slos` by FlowId.
  Guard(const Options& options, std::span<const base::Duration> slos);

  // The guard in force.
  base::Duration Of(base::FlowId flow) const;
  // The largest in force of the flows that were asked; the floor without one.
  base::Duration Largest() const;

  // A query of the flow was answered. `overshoot`: from its answer_by to the
  // end of sending, where it left because its time had come.
  void Answered(base::FlowId flow, std::optional<base::Duration> overshoot,
                bool late);
  // A caller of the flow saw so much time beyond the server's part.
  void Reported(base::FlowId flow, int64_t overhead_us);

  // All zero but the guard for a flow beyond those given.
  FlowState StateOf(base::FlowId flow) const;
  size_t flows() const { return flows_.size(); }

 private:
  struct Flow {
    base::Duration guard_max{};
    estimate::QuantileTracker overshoot_us;
    estimate::QuantileTracker overhead_us;
    FlowState state;
    uint64_t unreported = 0;  // answers since the last report
  };

  void Publish(size_t flow);

  const Options options_;
  std::vector<Flow> flows_;
  // By flow; written by one thread, read by all.
  std::unique_ptr<std::atomic<int64_t>[]> guard_ns_;
};

}  // namespace freshline::execute
