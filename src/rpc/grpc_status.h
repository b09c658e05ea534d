// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace freshline::rpc {

// The one translation from the daemon's errors to the wire. Codes are the same
// numbers; messages are cut to 4 KiB, because they travel as metadata.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace freshline::rpc
