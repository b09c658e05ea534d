// SPDX-License-Identifier: Apache-2.0
#include "rpc/stream_call.h"

#include <utility>

namespace freshline::rpc {

bool StreamCall::Write(const google::protobuf::MessageLite& message) {
  if (ended_ || !open()) return false;
  const size_t bytes = message.ByteSizeLong();
  const auto prefix = MessagePrefix(static_cast<uint32_t>(bytes));
  if (bytes > limits().send_bytes_max ||
      !connection().TryHold(prefix.size() + bytes)) {
    End(TooMuchUnread("; "));
    return false;
  }
  std::string framed(prefix.begin(), prefix.end());
  framed.reserve(prefix.size() + bytes);
  message.AppendToString(&framed);
  if (!std::exchange(responded_, true)) RespondHeaders();
  SendMessage(std::move(framed));
  return true;
}

void StreamCall::End(const absl::Status& status) {
  if (std::exchange(ended_, true) || !open()) return;
  Deafen();
  if (!responded_) {
    CountAndRefuse(status);
    return;
  }
  counts().Count(status.code());
  SendStatus(status);
}

}  // namespace freshline::rpc
