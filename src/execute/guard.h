// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "base/time.h"
#include "estimate/quantile_tracker.h"

namespace freshline::execute {

// How long before a deadline the answers of each feature service (a flow)
// leave, so that its callers see the share `violation_budget` of them late at
// most. Two things make an answer late: that it leaves after its answer_by
// (overshoot, measured here for each flow), and what passes outside of the
// daemon (overhead, which only callers can see). Each has half of the budget,
// and a QuantileTracker that learns what to keep for it: a violation raises it
// at once by a quarter of a millisecond, and thousands of answers in time take
// that back.
//
// The overhead is learned for each caller (a connection, asking one flow with
// budgets of one power of two) from its own reports, and moves nobody else:
//   guard = overshoot + its overhead + floor / 4   for a caller that reports,
//   guard = overshoot + the default               for one that does not.
// The default is `overhead_share` of the budget, or the floor where that is
// more. It is raised to what the median of the callers of its kind holds, each
// caller counting once and a silent one as the default, so that it takes most
// of them, and three at least, to move it. A caller that has just begun to
// report is taken to be like the median of those of its kind that do.
//
// A guard is never more than guard_share_max of the budget that its query
// brings, unless the floor is more, which shrinks with budgets below the SLO:
// every query keeps time to be refreshed in.
//
// What no guard within its bounds could have averted (a machine that stood
// still for longer) teaches nothing but is counted. Of reports, those below 0
// and those above both budget and SLO are ignored, those above the share are
// taken as the share; both are counted. What was learned fades without traffic:
// after kSilence, by half in each kHalfLife.
//
// Thread-safety: every method from any thread.
// Bounds: the flows given, kCallersMax callers (one that is not known is as
// one that never reported). A flow beyond those given learns nothing.
// Cost: a short lock and a look-up, about 0.1 us; the median, once a second,
// some 50 us.
class Guard {
 public:
  static constexpr size_t kCallersMax = 1024;
  static constexpr base::Duration kSilence = std::chrono::seconds(10);
  static constexpr base::Duration kHalfLife = std::chrono::seconds(60);

  struct Options {
    base::Duration floor = std::chrono::microseconds(1500);
    base::Duration overshoot_max = std::chrono::milliseconds(20);
    double violation_budget = 1e-4;  // in (0, 0.1]
    double guard_share_max = 0.4;    // of the budget
    double overhead_share = 0.15;    // "; the default
  };
  // Who asks, for what, and how long there is from arrival to the deadline.
  struct Asker {
    base::FlowId flow{};
    base::Duration budget{};
    uint64_t caller = 0;  // a connection; 0: not known
  };
  struct FlowState {
    // With the SLO for budget, for those callers that are more: those that
    // report, or those that do not.
    base::Duration guard{};
    base::Duration overhead{};           // part of `guard`
    base::Duration overshoot{};          // "
    base::Duration overhead_silent{};    // kept for a caller that says nothing
    base::Duration overhead_reported{};  // the median of those that report
    uint64_t callers_reporting = 0;      // of those seen in the last minute
    uint64_t callers_silent = 0;         // "
    uint64_t answers = 0;
    uint64_t late = 0;                  // sent after their deadline
    uint64_t beyond_guard = 0;          // overshoots that nothing averts
    uint64_t overhead_reports = 0;      // taken
    uint64_t overhead_bounded = 0;      // of them, above the share
    uint64_t overhead_implausible = 0;  // ignored
  };

  // `slos` by FlowId.
  Guard(const Options& options, std::span<const base::Duration> slos);
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  // What to keep for a query that arrives now. To be asked once a query: it is
  // how callers come to be known.
  base::Duration Of(const Asker& asker, base::MonoTime now);

  // A caller saw so much time beyond the server's part. Before Of(), where a
  // query brings the report.
  void Reported(const Asker& asker, int64_t overhead_us, base::MonoTime now);

  // A query of the flow was answered. `overshoot`: from its answer_by to the
  // end of sending, where it left because its time had come.
  void Answered(base::FlowId flow, std::optional<base::Duration> overshoot,
                bool late, base::MonoTime now);

  // By FlowId.
  std::vector<FlowState> States(base::MonoTime now) const;

 private:
  // A threshold, and when it last met what it is learned from.
  struct Learned {
    estimate::QuantileTracker micros{estimate::QuantileTracker::Options{}};
    base::MonoTime last = base::kInfinitePast;

    void Age(base::MonoTime now);
    base::Duration At(base::MonoTime now) const;
  };
  struct Flow {
    base::Duration slo{};
    Learned overshoot;
    FlowState counts;  // only the counters are kept here
  };
  using Class = uint8_t;  // of a budget: its power of two
  static constexpr size_t kClasses = 64;
  struct CallerKey {
    uint64_t caller = 0;
    base::FlowId flow{};
    Class budget_class = 0;

    friend bool operator==(const CallerKey&, const CallerKey&) = default;
    template <typename H>
    friend H AbslHashValue(H h, const CallerKey& key) {
      return H::combine(std::move(h), key.caller, key.flow, key.budget_class);
    }
  };
  struct Caller {
    CallerKey key;
    Learned overhead;
    uint64_t reports = 0;
    uint64_t unreported = 0;  // queries since the last one
    base::MonoTime seen = base::kInfinitePast;
    bool spared = false;  // by the eviction's hand, once
  };
  // What the callers of one flow and class hold, where there are any.
  struct Median {
    std::optional<base::Duration> of_all;
    std::optional<base::Duration> of_reporters;
  };

  base::Duration ShareMax(const Flow& flow, base::Duration budget) const;
  base::Duration Default(const Flow& flow, base::Duration budget) const;
  base::Duration Outside(const Flow& flow, const Asker& asker,
                         const Caller* caller, base::MonoTime now) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static bool Reports(const Caller& caller);
  // Makes the caller known; null where it has no name.
  Caller* Find(const Asker& asker, base::MonoTime now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Caller* Evict() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TakeMedians(base::MonoTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Options options_;
  mutable base::Mutex mu_;
  std::vector<Flow> flows_ ABSL_GUARDED_BY(mu_);
  std::vector<Caller> callers_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<CallerKey, uint32_t> index_ ABSL_GUARDED_BY(mu_);
  size_t hand_ ABSL_GUARDED_BY(mu_) = 0;
  // By flow.
  std::vector<std::array<Median, kClasses>> medians_ ABSL_GUARDED_BY(mu_);
  base::MonoTime medians_due_ ABSL_GUARDED_BY(mu_) = base::kInfinitePast;
};

}  // namespace freshline::execute
