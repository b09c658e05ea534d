// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "rpc/call_context.h"
#include "rpc/methods.h"

namespace freshline::rpc {

// Adds the methods of the daemon's own services, FeatureStore and Operations.
// `server` outlives their calls.
void AddHandlers(CallContext* server, MethodTable* methods);

}  // namespace freshline::rpc
