// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "google/protobuf/message_lite.h"
#include "rpc/call.h"

namespace freshline::rpc {

// A call that may be answered with many messages.
//
// Thread-safety: on the thread of its loop.
// Bounds: answers that are not read count as those of all calls do, and end the
// stream where they are too many.
class StreamCall : public Call {
 protected:
  using Call::Call;

  // Sends one more message. Returns: whether it could; if not, the stream has
  // ended.
  bool Write(const google::protobuf::MessageLite& message);
  // The last word. No effect on a stream that has ended.
  void End(const absl::Status& status);
  bool ended() const { return ended_; }

 private:
  void RunOnLoop() override {}

  bool responded_ = false;
  bool ended_ = false;
};

}  // namespace freshline::rpc
