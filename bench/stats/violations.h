// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "base/time.h"

namespace freshline::bench {

// I_x(a, b), the regularised incomplete beta function, by the continued
// fraction of DLMF 8.17.22 (modified Lentz). Relative error ~1e-13.
// REQUIRES: a > 0, b > 0, 0 <= x <= 1.
double RegularizedIncompleteBeta(double a, double b, double x);

// The one-sided Clopper-Pearson upper bound of a proportion of which
// `successes` of `trials` were seen: the p at which so few or fewer have the
// probability 1 - confidence. 1 without trials.
// REQUIRES: successes <= trials, 0 < confidence < 1.
double ClopperPearsonUpper(uint64_t successes, uint64_t trials,
                           double confidence = 0.95);

// Violations of a service-level objective among queries.
struct ViolationSummary {
  uint64_t queries = 0;
  uint64_t violations = 0;
  double rate = 0;     // violations / queries; 0 without queries
  double upper95 = 1;  // bound above on the true rate, one-sided 95 %
  // Runs of violations whose intended send times lie less than `gap` apart:
  // one stall of the machine is one episode.
  uint64_t episodes = 0;

  // Sums two runs' counts; episodes add, because runs do not overlap.
  ViolationSummary Pooled(const ViolationSummary& other) const;
};

// `violation_times`: intended send times of the violated queries, in any order.
ViolationSummary SummarizeViolations(
    uint64_t queries, std::vector<base::MonoTime> violation_times,
    base::Duration gap = std::chrono::milliseconds(100));

}  // namespace freshline::bench
