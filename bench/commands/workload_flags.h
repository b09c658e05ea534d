// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/time_text.h"
#include "bench/commands/commands.h"
#include "bench/replay/daemon_under_test.h"
#include "bench/replay/workload.h"
#include "bench/report/run_report.h"

namespace freshline::bench {

// What every command that runs over clicks shares: --trace, --tables and
// --window, with `options` as defaults.
void AddReadFlags(CLI::App* sub, double* share_max, base::TimeUnit* unit);
void AddTraceFlags(CLI::App* sub, WorkloadOptions* options);
// --daemon and --definitions of a daemon of its own, which is the one beside
// this program unless told otherwise.
void AddDaemonFlags(CLI::App* sub, const Invocation& call,
                    DaemonOptions* options);
// --slice and --workload.
void AddSliceFlag(CLI::App* sub, WorkloadOptions* options);

// Loads it, and says what a reader of the figures has to know: rows that were
// skipped, a table that has seen the window, the rate. `book` as for
// Workload::Load().
absl::StatusOr<std::unique_ptr<Workload>> LoadWorkload(
    const WorkloadOptions& options, std::shared_ptr<ListBook> book = nullptr);

// The call, the build and the machine.
ReportHeader HeaderOf(const Invocation& call);

// Writes `directory`/report.json with them, and report.html for people.
absl::Status WriteRuns(const Invocation& call,
                       const std::vector<RunReport>& runs,
                       const std::string& directory);

// Everything that a report tells people, as tables: its runs, what they are
// compared with, and the violations of live runs, pooled.
std::string ReportText(const std::vector<RunReport>& runs);

}  // namespace freshline::bench
