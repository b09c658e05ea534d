// SPDX-License-Identifier: Apache-2.0
#include "bench/replay/pooled.h"

#include <algorithm>
#include <cstdio>

namespace freshline::bench {
namespace {

void Count(uint64_t queries, uint64_t violations, ViolationSummary* into) {
  into->queries += queries;
  into->violations += violations;
  if (into->queries == 0) return;
  into->rate = static_cast<double>(into->violations) /
               static_cast<double>(into->queries);
  into->upper95 = ClopperPearsonUpper(into->violations, into->queries);
}

}  // namespace

std::vector<PooledViolations> PoolViolations(
    const std::vector<RunReport>& runs) {
  std::vector<PooledViolations> pools;
  for (const RunReport& run : runs) {
    if (run.kind != "live") continue;
    auto pool = std::find_if(
        pools.begin(), pools.end(), [&](const PooledViolations& p) {
          return p.policy == run.policy && p.slo_ms == run.slo_ms;
        });
    if (pool == pools.end()) {
      pools.push_back({run.policy, run.slo_ms, {}, {}, 0, 0});
      pool = pools.end() - 1;
    }
    Count(run.queries, run.violations, &pool->served);
    Count(run.echo.requests, run.echo.violations, &pool->echo);
    pool->served.episodes += run.violation_episodes;
    pool->stalls += run.stalls;
    pool->guard_us_max = std::max(pool->guard_us_max, run.guard_us);
  }
  return pools;
}

std::string PooledTable(const std::vector<PooledViolations>& pools) {
  char line[320];
  std::snprintf(line, sizeof(line),
                "%-19s %4s %8s %6s %8s %8s %5s %7s %8s %8s %6s %6s  %s\n",
                "pooled over loads", "SLO", "queries", "viol.", "%", "<= 95 %",
                "epis.", "echo v.", "echo %", "<= 95 %", "stalls", "guard",
                "target");
  std::string table = line;
  for (const PooledViolations& p : pools) {
    const bool echo = p.echo.queries > 0;
    char target[64] = "no echo";
    if (echo) {
      std::snprintf(target, sizeof(target), "echo + %.2f points: %s",
                    100 * p.allowance(), p.met() ? "met" : "MISSED");
    }
    // Without an echo there is no rate to show, least of all 0.
    char floor[64] = "      -        -        -";
    if (echo) {
      std::snprintf(floor, sizeof(floor), "%7llu %8.4f %8.4f",
                    static_cast<unsigned long long>(p.echo.violations),
                    100 * p.echo.rate, 100 * p.echo.upper95);
    }
    std::snprintf(line, sizeof(line),
                  "%-19s %4.0f %8llu %6llu %8.4f %8.4f %5llu %s %6llu %5.0f%%  "
                  "%s\n",
                  p.policy.c_str(), p.slo_ms,
                  static_cast<unsigned long long>(p.served.queries),
                  static_cast<unsigned long long>(p.served.violations),
                  100 * p.served.rate, 100 * p.served.upper95,
                  static_cast<unsigned long long>(p.served.episodes), floor,
                  static_cast<unsigned long long>(p.stalls),
                  p.guard_us_max / (p.slo_ms * 10), target);
    table += line;
  }
  return table;
}

}  // namespace freshline::bench
