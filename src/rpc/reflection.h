// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "rpc/methods.h"

namespace freshline::rpc {

// Adds gRPC's server reflection, v1 and v1alpha: from it, tools like grpcurl
// learn what messages the services that are in `methods` by now take. The files
// are those that this program was linked with.
void AddReflection(MethodTable* methods);

}  // namespace freshline::rpc
