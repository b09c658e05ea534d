// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
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

// The same, made once to be sent many times.
class ConstantStatus {
 public:
  ConstantStatus(const absl::Status& status, int64_t retry_after_ms);
  // As RespondWithStatus() does.
  void Respond(http2::Session* session, http2::StreamId stream) const;
  absl::StatusCode code() const { return code_; }
  // All of it as a header block (http2::ConstantBlock).
  const std::string& block() const { return block_; }

 private:
  const absl::StatusCode code_;
  std::vector<std::pair<absl::string_view, std::string>> fields_;
  std::string block_;
};

// Ends a call that was sent headers.
void FinishWithStatus(http2::Session* session, http2::Stream* stream,
                      const absl::Status& status);

// Refuses what is no gRPC, so that a browser understands it, too.
void RespondWithHttpStatus(http2::Session* session, http2::StreamId stream,
                           absl::string_view http_status);

}  // namespace freshline::rpc
