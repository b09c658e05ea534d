// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/time.h"
#include "freshline/v1/operations.pb.h"
#include "http2/connections.h"

namespace freshline::rpc {

// Writes what became of the connections, and what is wrong with them at `now`.
void FillConnections(const http2::ConnectionStats& stats, base::MonoTime now,
                     v1::GetStatusResponse* out);

}  // namespace freshline::rpc
