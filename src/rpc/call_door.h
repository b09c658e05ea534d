// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "http2/connection.h"
#include "http2/loop.h"
#include "rpc/call_head.h"
#include "rpc/methods.h"

namespace freshline::rpc {

// Where the calls of one connection come in: reads their headers, and makes a
// call of each request that is worth one. What is refused here costs no call;
// nor, once the client's headers are known, anything else of note (Screen).
//
// Thread-safety: none; on the thread of the poller.
class CallDoor final : public http2::Link::Handler {
 public:
  // All outlive the door.
  CallDoor(Poller* poller, const MethodTable* methods,
           std::shared_ptr<http2::Connection> connection,
           uint32_t metadata_bytes_max)
      : poller_(poller),
        methods_(methods),
        connection_(std::move(connection)),
        metadata_bytes_max_(metadata_bytes_max) {}

  void OnLink(http2::Link* link) override { link_ = link; }
  void OnBegin() override { head_.Reset(); }
  void OnHeader(absl::string_view name, absl::string_view value) override {
    head_.Add(name, value);
  }
  http2::Stream* OnRequest(http2::StreamId id) override;
  bool Refuses() override;
  const std::string* Refuse(const void* kind, size_t ahead) override;

 private:
  // Why the request that begins is not to be a call.
  absl::Status Check() const;

  Poller* const poller_;
  const MethodTable* const methods_;
  const std::shared_ptr<http2::Connection> connection_;
  const uint32_t metadata_bytes_max_;
  http2::Link* link_ = nullptr;
  CallHead head_;
};

}  // namespace freshline::rpc
