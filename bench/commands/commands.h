// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "absl/status/status.h"

// The subcommands of freshline-bench. Each adds itself with its flags, and sets
// *run to what shall happen when it is chosen.

namespace freshline::bench {

using Run = std::function<absl::Status()>;

// What every subcommand may want to know of the call.
struct Invocation {
  std::string command;  // as it was typed
  std::string program;  // path of freshline-bench itself
  // Beside it, or on the PATH.
  std::string daemon;
};

void AddGenerate(CLI::App* app, const Invocation& call, Run* run);
void AddTrain(CLI::App* app, const Invocation& call, Run* run);
void AddReplay(CLI::App* app, const Invocation& call, Run* run);
void AddCompare(CLI::App* app, const Invocation& call, Run* run);
void AddCheck(CLI::App* app, const Invocation& call, Run* run);
void AddRecover(CLI::App* app, const Invocation& call, Run* run);
void AddSimulate(CLI::App* app, const Invocation& call, Run* run);
void AddSaturate(CLI::App* app, const Invocation& call, Run* run);
void AddReport(CLI::App* app, const Invocation& call, Run* run);
void AddLearnCurve(CLI::App* app, const Invocation& call, Run* run);
void AddAgree(CLI::App* app, const Invocation& call, Run* run);
void AddVerifyLog(CLI::App* app, const Invocation& call, Run* run);
void AddWhatIf(CLI::App* app, const Invocation& call, Run* run);
void AddEcho(CLI::App* app, const Invocation& call, Run* run);

// A line of progress on standard error, with the time since the start.
void Say(const std::string& line);

}  // namespace freshline::bench
