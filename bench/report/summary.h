// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "bench/report/run_report.h"
#include "bench/score/quality.h"

// Runs that differ by seed alone, taken together: what a report draws.

namespace freshline::bench {

// What tells runs apart, but for their seeds.
struct Condition {
  std::string kind;  // of RunReport, as the rest
  std::string workload;
  std::string metric;
  double gap_ms = 0;
  uint32_t batch_max = 1;
  bool approximate = false;
  double slo_ms = 0;
  std::string policy;
  double load = 0;
  auto operator<=>(const Condition&) const = default;
};

Condition ConditionOf(const RunReport& run);

// One policy under one condition. Estimates are over the seeds, but for
// gap_closed where users were drawn (GapClosed()).
struct Point {
  Condition at;
  uint64_t seeds = 0;
  uint64_t queries = 0;
  uint64_t violations = 0;
  double violations_upper95 = 1;
  uint64_t echo_requests = 0;
  uint64_t echo_violations = 0;
  Estimate gap_closed;
  Estimate hr20;
  std::optional<Estimate> value_of_bound;  // simulated runs only
  double hr20_never = 0, hr20_infinite = 0, hr20_cheap = 0;
  double fraction_fresh = 0;
  double pending_p50 = 0, pending_p95 = 0;  // events
  double staleness_ms_p50 = 0, staleness_ms_p95 = 0;
  double latency_ms_p50 = 0, latency_ms_p99 = 0;
  Estimate rows_per_query;  // featurizations
  double wasted_per_query = 0;
  double decision_us_p99 = 0;
  std::optional<double> jain;
  uint64_t featurizations = 0;
  double p99_coverage = 0;                   // by featurizations
  std::vector<double> p99_coverage_windows;  // of the first seed
  friend bool operator==(const Point&, const Point&) = default;
};

// How much more of the gap a policy closes than another at the same condition,
// paired query by query.
struct Difference {
  Condition at;  // of the policy
  std::string than;
  Estimate gap;
  friend bool operator==(const Difference&, const Difference&) = default;
};

enum class PolicyRole : uint8_t { kOurs, kBaseline, kShelf, kAblation };

struct PolicyFacts {
  PolicyRole role = PolicyRole::kShelf;
  std::string family;  // policies of one are drawn together
  std::string source;  // paper or project
  friend bool operator==(const PolicyFacts&, const PolicyFacts&) = default;
};

struct Summary {
  std::string name;  // of the study, or what was run
  ReportHeader header;
  std::vector<uint64_t> seeds;
  std::map<std::string, PolicyFacts> policies;
  std::vector<Point> points;            // by condition
  std::vector<Difference> differences;  // by condition
  std::vector<std::string> notes;       // what a reader has to know
  // Figures of the workers themselves, by name, kBatchSpeedup among them.
  std::map<std::string, double> figures;
};

// A mean with Student's 95 % interval; its own bounds for one value, and all
// 0 for none. REQUIRES: at most 1,000 values.
Estimate MeanOver(const std::vector<double>& values);

// The runs of one condition, which are of different seeds. The gap closed is
// the mean of the runs', as are its bounds (wider than those of all users
// together). REQUIRES: a run.
Point PointOf(const std::vector<const RunReport*>& runs);

// What can be said of runs without knowing their users: no differences.
// "slo_aware" is ours; the other policies of the daemon are baselines.
Summary Summarise(const ReportHeader& header,
                  const std::vector<RunReport>& runs);

// Summary::figures: how many times the rows of batches of 1 the workers can
// compute in the best batches that fit into 30 ms.
extern const char kBatchSpeedup[];

// "slo_aware", and what it has to beat.
extern const char kOurPolicy[];
PolicyRole RoleOf(const std::string& policy);

// study.json, and back. Equal summaries are equal bytes.
// Returns: UNAVAILABLE; NOT_FOUND, INVALID_ARGUMENT, naming the file.
absl::Status WriteSummary(const Summary& summary, const std::string& path);
absl::StatusOr<Summary> LoadSummary(const std::string& path);

}  // namespace freshline::bench
