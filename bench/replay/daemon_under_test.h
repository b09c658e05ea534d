// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/load/process_runner.h"
#include "bench/trace/click.h"
#include "bench/trace/slice.h"
#include "freshline/client.h"
#include "freshline/v1/operations.pb.h"

namespace freshline::bench {

struct DaemonOptions {
  std::string binary;       // freshlined
  std::string definitions;  // rees46.textproto
  std::string tables;       // directory of items.fltab
  std::string directory;    // for its configuration, log and port file
  std::string policy = "slo_aware";
  uint32_t workers = 2;
  uint32_t batch_max = 1;
  uint32_t guard_floor_us = 1500;
  bool approximate = false;  // stale rows are approximated while answering
  std::string decision_log;  // file to record to; empty: none
};

// A freshlined of our own, on a free port of loopback, that ends with this.
class DaemonUnderTest {
 public:
  // Returns: what ProcessRunner says, with the end of the daemon's log.
  static absl::StatusOr<std::unique_ptr<DaemonUnderTest>> Start(
      const DaemonOptions& options);

  const std::string& target() const { return target_; }
  ProcessRunner& process() { return *process_; }

  // Asks over a connection of its own, which ends with the call.
  absl::StatusOr<v1::GetStatusResponse> Status() const;

 private:
  DaemonUnderTest() = default;
  std::string target_;
  std::unique_ptr<ProcessRunner> process_;
};

struct WarmUpReport {
  uint64_t events = 0;
  uint64_t users = 0;
  uint64_t rows_computed = 0;
  double seconds = 0;
};

// Pushes the clicks before a slice and lets every row of their users be
// computed once, so that a run starts from a served shop and not from nothing.
// Returns: UNAVAILABLE or DEADLINE_EXCEEDED where rows stay stale.
absl::StatusOr<WarmUpReport> WarmUp(const std::string& target,
                                    const std::vector<Click>& clicks,
                                    const StringPool& pool, int64_t origin_us);

}  // namespace freshline::bench
