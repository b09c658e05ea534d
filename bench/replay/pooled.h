// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/report/run_report.h"
#include "bench/stats/violations.h"

namespace freshline::bench {

// The violations of one policy at one SLO, over all loads and seeds.
struct PooledViolations {
  std::string policy;
  double slo_ms = 0;
  ViolationSummary served;
  ViolationSummary echo;  // no queries: no echo was run
  uint64_t stalls = 0;    // of the machine, over 5 ms
  double guard_us_max = 0;

  // What the policy may have beyond the echo: .02 points up to 10 ms, .01
  // above.
  double allowance() const { return slo_ms <= 10 ? 0.0002 : 0.0001; }
  bool met() const { return served.rate <= echo.rate + allowance(); }
};

// Pools live runs, in the order in which policies and SLOs first appear.
std::vector<PooledViolations> PoolViolations(
    const std::vector<RunReport>& runs);

// One line each: rates with their one-sided 95 % upper bounds, episodes,
// stalls, and whether the target is met where there is an echo to compare with.
std::string PooledTable(const std::vector<PooledViolations>& pools);

}  // namespace freshline::bench
