// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"
#include "daemon/config/config.h"

namespace freshline::daemon {

// Whether every file that the daemon is told to write can be, and every Unix
// socket: its directory is there, and nothing else stands in its place. A
// socket that is served is not looked for.
// Returns: INVALID_ARGUMENT for the first that cannot, at its place in the
// configuration.
absl::Status CheckOutputFiles(const DaemonConfig& config);

// Whether every file of definitions is there and can be read.
// Returns: INVALID_ARGUMENT for the first that cannot, at its place in the
// configuration.
absl::Status CheckDefinitionFiles(const DaemonConfig& config);

// Writes `port` where the configuration wants it, if anywhere. Whoever polls
// for the file never reads half of it.
absl::Status WritePortFile(const DaemonConfig& config, int port);

}  // namespace freshline::daemon
