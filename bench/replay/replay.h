// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "bench/replay/daemon_under_test.h"
#include "bench/replay/workload.h"
#include "bench/report/run_report.h"

namespace freshline::bench {

struct ReplayOptions {
  // The daemon to start; with `target`, one that runs already (its policy,
  // workers and guard are then its own).
  DaemonOptions daemon;
  std::string target;
  std::string self;  // this program, to start the echo from
  double slo_ms = 30;
  double gap_ms = 0;  // from a click's push to its query; 0: it is carried
  double superpose = 1;
  double load = 0;  // what superpose comes to, for the report; 0: unknown
  // Alternate blocks of this with the echo; 0: no echo.
  double echo_block_s = 5;
  uint64_t seed = 1;
  // The client is one of normal class that sends neither budget nor overhead,
  // as most do, and not one that cooperates. Its SLO is the service's own.
  bool ordinary_client = false;
  // Callers report whether their next click was in the list they got, as far
  // as both are within one turn of the daemon.
  bool report_outcomes = false;
  // Told what happens, a line at a time.
  std::function<void(const std::string&)> progress;
};

// Replays one slice against one daemon, open loop, and scores what was served.
// Returns: INVALID_ARGUMENT for an ordinary client whose SLO is not that of the
// definitions; the errors of starting and warming up; a run that was sent is
// always reported, however it went.
absl::StatusOr<RunReport> RunReplay(Workload* workload,
                                    const ReplayOptions& options);

// Rows per second that all workers compute together, with the users of the
// slice, one row a batch, and no query to disturb them: what load 1 means.
absl::StatusOr<double> MeasureCapacity(Workload* workload,
                                       DaemonOptions daemon);

}  // namespace freshline::bench
