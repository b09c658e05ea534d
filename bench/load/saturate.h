// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/time.h"
#include "bench/load/process_runner.h"
#include "client/raw_client.h"

namespace freshline::bench {

struct SaturateOptions {
  int in_flight = 32;  // 1 to 10,000
  base::Duration warm_up = std::chrono::milliseconds(200);
  base::Duration duration = std::chrono::seconds(1);
  int repeats = 7;  // 1 to 1,000, odd ones have a true median
};

// A server to saturate.
struct SaturateSide {
  client::RawClient* client = nullptr;
  // A GetFeaturesRequest, sent again and again.
  absl::string_view request;
  const ProcessRunner* process = nullptr;  // null: CPU is not measured
};

// One closed-loop run.
struct ClosedLoopResult {
  uint64_t calls = 0;   // that ended within the measured time
  uint64_t errors = 0;  // of those
  double qps = 0;
  double server_cpu_us = 0;  // per call; 0 where not measured
  double latency_us_p50 = 0;
  double latency_us_p99 = 0;
  size_t answer_bytes = 0;  // of the last answer
};

// Keeps in_flight calls under way for the warm-up and the measured time.
// Closed loop: good for what a server can do at most and what a call costs it,
// never for latency under a given load.
// Returns: INVALID_ARGUMENT naming the option; UNAVAILABLE where the process
// ended.
absl::StatusOr<ClosedLoopResult> RunClosedLoop(const SaturateSide& side,
                                               const SaturateOptions& options);

struct SaturateResult {
  ClosedLoopResult server;  // medians, by field
  ClosedLoopResult echo;
  // Medians of the ratios of neighbouring runs, server / echo: what drifts in
  // the machine is in both.
  double qps_ratio = 0;
  double cpu_ratio = 0;
  // Least and greatest of those ratios.
  double qps_ratio_min = 0, qps_ratio_max = 0;
  double cpu_ratio_min = 0, cpu_ratio_max = 0;
  std::vector<ClosedLoopResult> server_runs;
  std::vector<ClosedLoopResult> echo_runs;
};

// Runs server and echo in turn, `repeats` times; who begins alternates.
// Returns: as RunClosedLoop(); INTERNAL where a run had no call or any error.
absl::StatusOr<SaturateResult> Saturate(const SaturateSide& server,
                                        const SaturateSide& echo,
                                        const SaturateOptions& options);

// One answer to the side's request, as it came.
// Returns: the call's status; DEADLINE_EXCEEDED after 10 s.
absl::StatusOr<std::string> FetchAnswer(const SaturateSide& side);

// The middle one of the values, the lower of two. REQUIRES: not empty.
double Median(std::vector<double> values);

}  // namespace freshline::bench
