// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/histogram.h"
#include "base/ids.h"
#include "base/job_shape.h"
#include "base/time.h"
#include "estimate/estimator.h"
#include "schedule/policies.h"
#include "schedule/policy.h"
#include "staleness/metric.h"

// Virtual time: the policy and the estimator of the daemon, driven by arrivals
// and sampled run times instead of threads and a clock.

namespace freshline::bench {

// An event of a key, a query for its row, or a query that carries an event.
struct SimArrival {
  base::Duration at{};  // since the start; never decreases over a stream
  base::RowId row;
  bool event = true;
  bool query = true;
  base::JobShape shape;  // of computing the row with this event
  // What an answer is worth more that has seen all events of the key.
  double value = 1;
  // The caller goes away so long after `at`; 0: never.
  base::Duration patience{};
  base::FlowId flow{};   // whose query it is
  base::Duration slo{};  // of the query; 0: SimOptions::slo
};

class SimStream {
 public:
  virtual ~SimStream() = default;
  // Returns false at the end.
  virtual bool Next(SimArrival* arrival) = 0;
};

struct SimRun {
  base::Duration time{};
  bool ok = true;
  base::Duration overhead{};  // until the policy hears of its end
};

// How long work really takes.
class SimServiceTimes {
 public:
  virtual ~SimServiceTimes() = default;
  // `draw` stands for the row and what it has seen: the same work takes the
  // same time whatever policy asks for it (common random numbers). `at` is the
  // virtual time of the start, for times that drift.
  virtual SimRun Sample(const base::JobShape& shape, uint32_t batch,
                        uint64_t draw, base::Duration at) const = 0;
};

// A row that stands when the stream begins, computed then.
struct SimWarmRow {
  base::RowId row;
  uint32_t events = 0;  // of its key so far; it has seen all of them
};

// What the draw of work is, given that of the rows of its batch before this
// one (the seed, for the first). `newest` is the sequence of the row's newest
// event: 1 for the first of the warm rows' events, then on over the stream.
uint64_t DrawOf(uint64_t before, base::RowId row, base::Seq newest);

// What one query was answered with.
struct SimOutcome {
  base::Obtained how = base::Obtained::kUnset;  // unset: its caller left
  uint64_t seen = 0;         // events of the key that the answer had seen
  bool fresh = false;        // they were all that had come before the query
  base::Duration latency{};  // from arrival to answer
  // From the as-of time of the answer's row to the answer. 0 without a row.
  base::Duration age{};
};

struct SimOptions {
  schedule::PolicyConfig policy;
  std::vector<schedule::GroupTraits> groups;
  std::vector<schedule::FlowTraits> flows;
  estimate::Estimator::Options estimator;
  uint32_t workers = 2;
  base::Duration slo = std::chrono::milliseconds(30);
  base::Duration guard = std::chrono::milliseconds(3);
  // How long before its deadline the answer to a query leaves; not set: `guard`
  // for all. Called once for each query that waits.
  std::function<base::Duration(const SimArrival&, base::MonoTime now)> guard_of;
  // What the policy is told a refresh is worth: value times this metric, or
  // where there is none the arrival's true value.
  std::shared_ptr<const staleness::StalenessMetric> metric;
  // What the caller of query `number` (as SimResult::outcomes) reports that an
  // answer lost which had seen so many of the key's events; below 0: nothing.
  // Not set: nobody reports. A report comes with the key's next event, and is
  // told to the row's regret and to the metric, where it learns, as the
  // daemon's ReportOutcome does.
  std::function<double(uint64_t number, uint64_t seen)> loss_of;
  // Share of its gain that is left to a row which an approximation stands in
  // for while its query waits.
  double waiting_gain_share = 1;
  // Runs of each shape and batch size that the estimator is seeded with.
  uint32_t profile_runs = 20;
  std::vector<base::JobShape> profile_shapes;
  // Arrivals before it count in nothing but the hash.
  base::Duration warm_up{};
  std::vector<SimWarmRow> warm_rows;  // distinct
  // Whether SimResult::outcomes is wanted.
  bool keep_outcomes = false;
  uint64_t seed = 1;
};

// The queries of one flow. The worker time that it got is
// SimResult::policy.flow_service.
struct SimFlow {
  uint64_t queries = 0;
  uint64_t answered = 0;
  uint64_t late = 0;
  double value_offered = 0;
  double value_captured = 0;

  double captured_share() const {
    return value_offered > 0 ? value_captured / value_offered : 0;
  }
};

struct SimResult {
  uint64_t queries = 0;
  uint64_t answered = 0;
  uint64_t cancelled = 0;
  uint64_t late = 0;  // answered after arrival + slo
  std::array<uint64_t, base::kObtainedCount> obtained{};
  double value_offered = 0;   // of the queries answered
  double value_captured = 0;  // of those whose answer had seen everything
  base::Histogram latency_ns;
  base::Histogram pending;  // events that the answer had not seen
  uint64_t jobs = 0;
  uint64_t rows_computed = 0;
  uint64_t rows_background = 0;
  uint64_t rows_used = 0;  // refreshed at least one waiting answer
  uint64_t rows_wasted =
      0;                  // replaced, or too late, before any query read them
  base::Duration busy{};  // of all workers
  base::Duration span{};  // from the start to the last answer or completion
  estimate::Calibration calibration;  // of group 0
  // Its share within p99 by windows of runs, oldest first: CoverageWindows.
  std::vector<double> p99_coverage_windows;
  schedule::PolicyStats policy;
  std::vector<SimFlow> flows;        // by FlowId, up to the last one seen
  std::vector<SimOutcome> outcomes;  // of the queries, in order of arrival
  // Of every action in order, with its time: equal runs have equal hashes.
  uint64_t actions_hash = 0;

  double captured_share() const {
    return value_offered > 0 ? value_captured / value_offered : 0;
  }
};

// Runs one policy over a stream. Every event is told to the policy (Changed),
// as the daemon does; a query whose row has seen everything is answered
// without the policy. Nothing ticks late: answers leave at answer_by exactly.
//
// Deterministic: the same options, stream and service times give the same
// result. Memory is bounded by the keys seen and the waiting queries.
SimResult RunSimulation(const SimOptions& options, SimStream* stream,
                        const SimServiceTimes& service_times);

// The same on a policy and the estimator that it asks, which are fresh (but
// seeded): for decorators and for policies from elsewhere.
SimResult RunSimulation(const SimOptions& options, SimStream* stream,
                        const SimServiceTimes& service_times,
                        schedule::Policy* policy,
                        estimate::Estimator* estimator);

// Seeds `estimator` as RunSimulation() does.
void SeedEstimator(const SimOptions& options,
                   const SimServiceTimes& service_times,
                   estimate::Estimator* estimator);

}  // namespace freshline::bench
