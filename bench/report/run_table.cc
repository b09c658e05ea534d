// SPDX-License-Identifier: Apache-2.0
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_format.h"
#include "bench/report/run_report.h"

namespace freshline::bench {
namespace {

double Percent(uint64_t part, uint64_t whole) {
  return whole == 0
             ? 0
             : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

// Without an echo there is no rate to show, least of all 0.
std::string EchoText(const RunReport::Echo& echo) {
  if (echo.requests == 0) return "-";
  return absl::StrFormat("%.4f", Percent(echo.violations, echo.requests));
}

}  // namespace

std::string ReportTable(const std::vector<RunReport>& runs) {
  std::string table = absl::StrFormat(
      "%-18s %4s %5s %7s %6s %7s %15s %6s %7s %9s %9s %8s %8s %6s %13s\n",
      "policy", "SLO", "load", "queries", "HR@20", "gap", "95 %", "fresh",
      "runs/q", "p50 ms", "p99 ms", "viol. %", "echo %", "guard",
      "age p50/p95 s");
  for (const RunReport& r : runs) {
    const RunReport::Quality& q = r.quality;
    absl::StrAppendFormat(
        &table,
        "%-18s %4.0f %5.2f %7d %6.3f %6.1f%% [%5.1f, %5.1f]%% %5.1f%% %7.2f "
        "%9.2f %9.2f %8.4f %8s %5.0f%% %6.2f %6.2f%s%s\n",
        r.policy, r.slo_ms, r.load, r.queries, q.hr20, 100 * q.gap_closed,
        100 * q.gap_closed_low, 100 * q.gap_closed_high, 100 * r.fraction_fresh,
        r.queries == 0 ? 0
                       : static_cast<double>(r.featurizations) /
                             static_cast<double>(r.queries),
        r.latency_us.p50 / 1000, r.latency_us.p99 / 1000,
        Percent(r.violations, r.queries), EchoText(r.echo),
        r.slo_ms > 0 ? r.guard_us / (r.slo_ms * 10) : 0,
        r.staleness_ms.p50 / 1000, r.staleness_ms.p95 / 1000,
        r.client.empty() ? "" : absl::StrCat("  ", r.client, " client"),
        r.client_limited ? "  client_limited" : "");
    for (const RunReport::Class& c : r.classes) {
      absl::StrAppendFormat(
          &table,
          "  %-27s %7d %6.3f %6.1f%% [%5.1f, %5.1f]%% %5.1f%%  %s%d late\n",
          c.name, c.queries, c.quality.hr20, 100 * c.quality.gap_closed,
          100 * c.quality.gap_closed_low, 100 * c.quality.gap_closed_high,
          100 * c.fraction_fresh,
          c.worker_s > 0 ? absl::StrFormat("%.1f s of workers, ", c.worker_s)
                         : "",
          c.violations);
    }
    if (r.jain) {
      absl::StrAppendFormat(
          &table,
          "  Jain's index of their workers, over their fair shares: %.4f\n",
          *r.jain);
    }
  }
  return table;
}

std::string ReferenceTable(const std::vector<RunReport>& runs) {
  std::string table =
      absl::StrFormat("%-18s %5s %7s %10s %9s %8s %7s %7s %9s %9s\n",
                      "HR@20 of", "load", "queries", "popularity", "own items",
                      "co-vis.", "cheap", "never", "less last", "infinite");
  std::set<std::tuple<double, uint64_t, uint64_t>> seen;
  for (const RunReport& r : runs) {
    if (!seen.insert({r.load, r.seed, r.queries}).second) continue;
    const RunReport::Quality& q = r.quality;
    absl::StrAppendFormat(
        &table, "%-18s %5.2f %7d %10.3f %9.3f %8.3f %7.3f %7.3f %9.3f %9.3f\n",
        absl::StrFormat("the slice, seed %d", r.seed), r.load, r.queries,
        q.hr20_popularity, q.hr20_own_items, q.hr20_covisitation, q.hr20_cheap,
        q.hr20_never, q.hr20_minus_one, q.hr20_infinite);
  }
  return table;
}

}  // namespace freshline::bench
