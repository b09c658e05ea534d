// SPDX-License-Identifier: Apache-2.0
#include "bench/load/self_check.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace freshline::bench {
namespace {

// Of the queries, beyond the calm blocks' share.
constexpr double kCrowdedAllowance = 0.005;
constexpr double kLagFloorMs = 1;

double P99Ms(const base::Histogram& nanoseconds) {
  return static_cast<double>(nanoseconds.Quantile(0.99)) / 1e6;
}

std::string Counts(const ViolationSummary& v) {
  return absl::StrFormat("%d of %d late (%.3f %%)", v.violations, v.queries,
                         100 * v.rate);
}

Verdict FreezeMovesTail(const SelfCheckRuns& runs) {
  const double calm = P99Ms(runs.calm.latency_ns);
  const double frozen = P99Ms(runs.frozen.latency_ns);
  const double least = calm + base::ToMillis(runs.freeze) / 2;
  return {runs.frozen.violations.queries > 0 && frozen >= least,
          "a frozen daemon moves p99",
          absl::StrFormat("%.1f ms, calm %.1f ms, at least %.1f ms wanted",
                          frozen, calm, least)};
}

Verdict NothingIsOmitted(const SelfCheckRuns& runs) {
  const double rate =
      runs.frozen_span > base::Duration()
          ? static_cast<double>(runs.frozen.violations.queries) * 1e3 /
                base::ToMillis(runs.frozen_span)
          : 0;
  const double expected =
      rate * runs.freezes *
      std::max(0.0, base::ToMillis(runs.freeze - runs.slo) / 1e3);
  return {
      expected > 0 && static_cast<double>(runs.frozen.violations.violations) >=
                          expected / 2,
      "what was due while it was frozen counts as late",
      absl::StrFormat("%s in %d episodes; about %.0f were due in %d freezes",
                      Counts(runs.frozen.violations),
                      runs.frozen.violations.episodes, expected, runs.freezes)};
}

Verdict ClientGoesOn(const SelfCheckRuns& runs) {
  const double calm = P99Ms(runs.calm.dispatch_lag_ns);
  const double frozen = P99Ms(runs.frozen.dispatch_lag_ns);
  const double most = std::max(kLagFloorMs, 2 * calm);
  return {runs.frozen.violations.queries > 0 && frozen <= most,
          "the client sends on time meanwhile",
          absl::StrFormat("dispatch lag p99 %.3f ms, calm %.3f ms, at most "
                          "%.3f ms wanted",
                          frozen, calm, most)};
}

Verdict GuardHolds(const SelfCheckRuns& runs) {
  const ViolationSummary& crowded = runs.crowded.violations;
  const double most = runs.calm.violations.rate + kCrowdedAllowance;
  return {crowded.queries > 0 && crowded.rate <= most,
          "a spinning thread on every core does not break the guard",
          absl::StrFormat("%s, calm %s, at most %.3f %% wanted; p99 %.1f ms",
                          Counts(crowded), Counts(runs.calm.violations),
                          100 * most, P99Ms(runs.crowded.latency_ns))};
}

}  // namespace

std::vector<Verdict> JudgeSelfCheck(const SelfCheckRuns& runs) {
  return {FreezeMovesTail(runs), NothingIsOmitted(runs), ClientGoesOn(runs),
          GuardHolds(runs)};
}

}  // namespace freshline::bench
