// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "bench/commands/commands.h"
#include "bench/commands/simulated_slice.h"
#include "bench/replay/workload.h"
#include "schedule/policies.h"

namespace freshline::bench {

struct StudyFlags {
  std::string study;  // of StudyNames()
  WorkloadOptions workload;
  std::string definitions;
  TimesOptions times;
  double guard_ms = 2;
  uint32_t threads = 2;
  std::string out;
  bool dry_run = false;  // say what would be run, and run nothing
};

// Runs a study of the catalogue's policies in the simulator, and writes
// study.json, report.json and report.html. Returns: the errors of loading,
// running and writing.
absl::Status Study(const Invocation& call, const StudyFlags& flags,
                   const schedule::PolicyCatalogue& catalogue);

}  // namespace freshline::bench
