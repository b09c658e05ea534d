// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "schedule/policies.h"

namespace freshline::daemon {

// The whole of a daemon's program: flags, configuration, signals. Serves until
// SIGTERM or SIGINT and returns the exit code. Its policies are those of the
// catalogue.
int RunProgram(int argc, char** argv,
               const schedule::PolicyCatalogue& catalogue);

}  // namespace freshline::daemon
