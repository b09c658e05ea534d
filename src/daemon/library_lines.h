// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "log/async_log.h"

namespace freshline::daemon {

// Sends what gRPC, libprotobuf and Abseil would write to standard error, from
// whatever thread they are in, and the lines about survived bugs, to `log`,
// which lives until the process ends. Last words before an abort are written
// at once, within 100 ms.
void RouteLibraryLines(log::AsyncLog* log);

}  // namespace freshline::daemon
