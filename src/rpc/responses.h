// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "http2/session.h"

namespace freshline::rpc {

// The headers of every answer that has a message. What we send and take is not
// compressed, and clients are told so.
inline constexpr std::array<http2::Field, 3> kResponseHeaders = {
    http2::Field{":status", "200"},
    http2::Field{"content-type", "application/grpc"},
    http2::Field{"grpc-accept-encoding", "identity"}};

// Ends a call that was sent nothing: its status, in the words of gRPC, and when
// to come again.
void RespondWithStatus(http2::Session* session, http2::StreamId stream,
                       const absl::Status& status,
                       std::optional<int64_t> retry_after_ms = std::nullopt);

// The same as RespondWithStatus() sends, to be sent many times.
std::string StatusBlock(const absl::Status& status, int64_t retry_after_ms);

// Ends a call that was sent headers.
void FinishWithStatus(http2::Session* session, http2::Stream* stream,
                      const absl::Status& status);

// Refuses what is no gRPC, so that a browser understands it, too.
void RespondWithHttpStatus(http2::Session* session, http2::StreamId stream,
                           absl::string_view http_status);

}  // namespace freshline::rpc
