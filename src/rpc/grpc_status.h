// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "absl/status/status.h"

namespace freshline::rpc {

// The one translation from the daemon's errors to the wire, before a message is
// percent-encoded. Codes are the same numbers; messages are one line of UTF-8
// (base::Printable()), cut to what takes 4 KiB on the wire: they travel as
// metadata, and beyond what a peer takes of it the code would be lost, too.
absl::Status ToGrpcStatus(const absl::Status& status);

// Trailing metadata of a refusal: the milliseconds after which to send the
// request again, in decimal. gRPC's own name for it ("server pushback" in its
// proposal A6, client retries): clients with a retry policy obey it unasked.
inline constexpr char kRetryPushbackKey[] = "grpc-retry-pushback-ms";

}  // namespace freshline::rpc
