// SPDX-License-Identifier: Apache-2.0
#include "bench/report/summary.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "absl/strings/match.h"
#include "base/check.h"
#include "bench/stats/violations.h"

namespace freshline::bench {
namespace {

// Student's t, two-sided 95 %, by degrees of freedom less 1; then the normal's.
constexpr std::array kStudent95 = {12.706, 4.303, 3.182, 2.776, 2.571,
                                   2.447,  2.365, 2.306, 2.262, 2.228};
constexpr double kNormal95 = 1.96;

template <typename Of>
std::vector<double> Each(const std::vector<const RunReport*>& runs, Of of) {
  std::vector<double> values;
  for (const RunReport* run : runs) values.push_back(of(*run));
  return values;
}

template <typename Of>
double Mean(const std::vector<const RunReport*>& runs, Of of) {
  double sum = 0;
  for (const RunReport* run : runs) sum += of(*run);
  return sum / static_cast<double>(runs.size());
}

double PerQuery(uint64_t count, uint64_t queries) {
  return queries == 0
             ? 0
             : static_cast<double>(count) / static_cast<double>(queries);
}

void FillCounts(const std::vector<const RunReport*>& runs, Point* p) {
  double covered = 0;
  for (const RunReport* r : runs) {
    p->queries += r->queries;
    p->violations += r->violations;
    p->echo_requests += r->echo.requests;
    p->echo_violations += r->echo.violations;
    p->featurizations += r->featurizations;
    covered += r->p99_coverage * static_cast<double>(r->featurizations);
  }
  p->violations_upper95 = ClopperPearsonUpper(p->violations, p->queries);
  if (p->featurizations > 0) {
    p->p99_coverage = covered / static_cast<double>(p->featurizations);
  }
  p->p99_coverage_windows = runs[0]->p99_coverage_windows;
}

// Where every run has them.
void FillOptional(const std::vector<const RunReport*>& runs, Point* p) {
  std::vector<double> of_bound;
  std::vector<double> jain;
  for (const RunReport* r : runs) {
    const RunReport::Quality& q = r->quality;
    if (q.value_captured && q.value_bound && *q.value_bound > 0) {
      of_bound.push_back(*q.value_captured / *q.value_bound);
    }
    if (r->jain) jain.push_back(*r->jain);
  }
  if (of_bound.size() == runs.size()) p->value_of_bound = MeanOver(of_bound);
  if (jain.size() == runs.size()) p->jain = MeanOver(jain).value;
}

}  // namespace

const char kOurPolicy[] = "slo_aware";
const char kBatchSpeedup[] = "batch_speedup_30ms";

Condition ConditionOf(const RunReport& run) {
  return {run.kind,        run.workload, run.metric, run.gap_ms, run.batch_max,
          run.approximate, run.slo_ms,   run.policy, run.load};
}

Estimate MeanOver(const std::vector<double>& values) {
  FRESHLINE_CHECK(values.size() <= 1000);
  if (values.empty()) return {};
  const auto n = static_cast<double>(values.size());
  double mean = 0;
  for (const double v : values) mean += v / n;
  if (values.size() == 1) return {mean, mean, mean};
  double squares = 0;
  for (const double v : values) squares += (v - mean) * (v - mean);
  const size_t freedom = values.size() - 1;
  const double t =
      freedom <= kStudent95.size() ? kStudent95[freedom - 1] : kNormal95;
  const double half = t * std::sqrt(squares / static_cast<double>(freedom) / n);
  return {mean, mean - half, mean + half};
}

Point PointOf(const std::vector<const RunReport*>& runs) {
  FRESHLINE_CHECK(!runs.empty());
  Point p;
  p.at = ConditionOf(*runs[0]);
  p.seeds = runs.size();
  FillCounts(runs, &p);
  FillOptional(runs, &p);
  using R = const RunReport&;
  p.gap_closed = {Mean(runs, [](R r) { return r.quality.gap_closed; }),
                  Mean(runs, [](R r) { return r.quality.gap_closed_low; }),
                  Mean(runs, [](R r) { return r.quality.gap_closed_high; })};
  p.hr20 = MeanOver(Each(runs, [](R r) { return r.quality.hr20; }));
  p.hr20_never = Mean(runs, [](R r) { return r.quality.hr20_never; });
  p.hr20_infinite = Mean(runs, [](R r) { return r.quality.hr20_infinite; });
  p.hr20_cheap = Mean(runs, [](R r) { return r.quality.hr20_cheap; });
  p.fraction_fresh = Mean(runs, [](R r) { return r.fraction_fresh; });
  p.pending_p50 = Mean(runs, [](R r) { return r.pending.p50; });
  p.pending_p95 = Mean(runs, [](R r) { return r.pending.p95; });
  p.staleness_ms_p50 = Mean(runs, [](R r) { return r.staleness_ms.p50; });
  p.staleness_ms_p95 = Mean(runs, [](R r) { return r.staleness_ms.p95; });
  p.latency_ms_p50 = Mean(runs, [](R r) { return r.latency_us.p50 / 1e3; });
  p.latency_ms_p99 = Mean(runs, [](R r) { return r.latency_us.p99 / 1e3; });
  p.rows_per_query = MeanOver(
      Each(runs, [](R r) { return PerQuery(r.featurizations, r.queries); }));
  p.wasted_per_query =
      Mean(runs, [](R r) { return PerQuery(r.wasted, r.queries); });
  p.decision_us_p99 = Mean(runs, [](R r) { return r.decision_ns_p99 / 1e3; });
  return p;
}

PolicyRole RoleOf(const std::string& policy) {
  if (policy == kOurPolicy) return PolicyRole::kOurs;
  for (const char* baseline :
       {"edf", "fifo", "stale_then_refresh", "eager_fifo"}) {
    if (policy == baseline) return PolicyRole::kBaseline;
  }
  // "slo_aware_without_guard", say.
  return absl::StartsWith(policy, kOurPolicy) ? PolicyRole::kAblation
                                              : PolicyRole::kShelf;
}

Summary Summarise(const ReportHeader& header,
                  const std::vector<RunReport>& runs) {
  Summary summary;
  summary.header = header;
  std::map<Condition, std::vector<const RunReport*>> grouped;
  std::set<uint64_t> seeds;
  bool limited = false;
  for (const RunReport& run : runs) {
    grouped[ConditionOf(run)].push_back(&run);
    seeds.insert(run.seed);
    limited = limited || run.client_limited;
    summary.policies[run.policy].role = RoleOf(run.policy);
  }
  summary.seeds.assign(seeds.begin(), seeds.end());
  for (const auto& [at, group] : grouped) {
    summary.points.push_back(PointOf(group));
  }
  if (limited) {
    summary.notes.push_back(
        "In some runs the client itself was late to send (client_limited): "
        "their latencies are the client's as well.");
  }
  return summary;
}

}  // namespace freshline::bench
