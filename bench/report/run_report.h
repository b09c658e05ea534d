// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace freshline::bench {

// What one run measured, by the names of report.json (schema 1). Names are
// fixed once used: add, never rename.
struct RunReport {
  std::string kind = "live";  // or "simulated"
  std::string policy;

  struct Trace {
    std::string path;
    std::string sha256;
    uint64_t queries = 0;
    uint64_t users = 0;
    uint64_t items = 0;  // of the table that is scanned
    double superpose = 1;
    uint64_t padded_items = 0;
  } trace;

  // The variant of the trace that was sent; "": the trace as it is.
  std::string workload;
  // What a refresh was worth: the staleness metric. "": the definitions' own.
  std::string metric;
  // Whether cheaper levels than the full feature were on offer.
  bool approximate = false;

  double slo_ms = 0;
  double gap_ms = 0;
  double load = 0;  // 1: the workers' capacity
  uint64_t seed = 0;
  double duration_s = 0;
  bool client_limited = false;
  double dispatch_lag_us_p99 = 0;
  // "ordinary": the client sent neither budget nor overhead. "": it sent both.
  std::string client;
  std::string client_class;  // of the client's threads, as the kernel said
  double guard_us = 0;
  uint32_t workers = 0;
  uint32_t batch_max = 1;

  uint64_t queries = 0;
  uint64_t violations = 0;
  double violations_upper95 = 1;  // of the rate
  uint64_t violation_episodes = 0;
  uint64_t errors = 0;
  uint64_t stalls = 0;  // of the machine, over 5 ms
  double stall_ms_max = 0;
  struct Echo {
    uint64_t requests = 0;
    uint64_t violations = 0;
    double upper95 = 1;
  } echo;

  struct Quantiles {
    double p50 = 0, p90 = 0, p95 = 0, p99 = 0, p999 = 0, max = 0;
  };
  Quantiles latency_us;
  Quantiles pending;
  Quantiles staleness_ms;  // response - as-of time

  struct Quality {
    double hr20 = 0, mrr20 = 0, ndcg20 = 0;
    double hr20_infinite = 0, hr20_never = 0, hr20_covisitation = 0,
           hr20_cheap = 0, hr20_popularity = 0, hr20_own_items = 0,
           hr20_minus_one = 0;
    double gap_closed = 0;
    double gap_closed_low = 0, gap_closed_high = 0;  // 95 %
    uint64_t scored = 0;
    // Of the value of fresh answers, the share that the run has captured and
    // an upper bound on what any policy could have. Simulated runs only.
    std::optional<double> value_captured, value_bound;
  } quality;

  std::map<std::string, uint64_t> obtained;
  double fraction_fresh = 0;
  uint64_t featurizations = 0;
  uint64_t wasted = 0;
  double decision_ns_p50 = 0;
  double decision_ns_p99 = 0;
  double p99_coverage = 0;
  // The same in successive windows of runs, oldest first.
  std::vector<double> p99_coverage_windows;
  // Jain's index (Jain et al. 1984) of the flows' service over their weights.
  std::optional<double> jain;

  // The queries of one of several tenants, where there are such.
  struct Class {
    std::string name;  // the feature service
    uint64_t queries = 0;
    uint64_t violations = 0;
    double violations_upper95 = 1;
    double fraction_fresh = 0;
    double worker_s = 0;  // that its rows took
    Quality quality;
  };
  std::vector<Class> classes;
};

// What made the runs of one report.
struct ReportHeader {
  std::string command;  // as it was typed
  std::string commit;
  std::string build;
  std::map<std::string, std::string> machine;
};

// This machine: processor, cores, memory, kernel.
std::map<std::string, std::string> DescribeMachine();

// Writes `directory`/report.json, making the directory.
// Returns: UNAVAILABLE naming the file.
absl::Status WriteReport(const ReportHeader& header,
                         const std::vector<RunReport>& runs,
                         const std::string& directory);

// Reads it back.
// Returns: NOT_FOUND; INVALID_ARGUMENT naming the file and what is wrong.
absl::StatusOr<std::vector<RunReport>> LoadReport(const std::string& directory);

struct LoadedReport {
  ReportHeader header;
  std::vector<RunReport> runs;
};
// Reads a report wherever it lies. Returns: as LoadReport().
absl::StatusOr<LoadedReport> LoadReportFile(const std::string& path);

// One run as JSON of a line, and back.
// Returns: INVALID_ARGUMENT naming `name` and what is wrong.
std::string FormatRun(const RunReport& run);
absl::StatusOr<RunReport> ParseRun(absl::string_view text,
                                   absl::string_view name);

// The runs as a table for people, one line each.
std::string ReportTable(const std::vector<RunReport>& runs);

// HR@20 of the models that every run is compared with, one line for each
// slice: floors, the best model that needs no scheduling, and the rows of
// which the gap is made.
std::string ReferenceTable(const std::vector<RunReport>& runs);

}  // namespace freshline::bench
