// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>

#include <google/protobuf/arena.h>

#include "absl/status/status.h"
#include "rpc/grpc_status.h"

namespace freshline::rpc {

// What a completion queue hands back: whom to tell, and which of its events.
class CallEvents {
 public:
  enum class Event : uint8_t { kMain, kDone };
  struct Tag {
    CallEvents* call;
    Event event;
  };
  virtual void On(Event event, bool ok) = 0;

 protected:
  ~CallEvents() = default;
};

// One unary call: posted, matched, handled, finished, destroyed by itself.
//
// Thread-safety: On() and Handle() run on the poller of the call's queue;
// Finish() may be called from any thread, once. The object lives until both
// its answer is out and the call is over on the wire.
template <typename Request, typename Response>
class UnaryCall : public CallEvents {
 public:
  void On(Event event, bool ok) final {
    if (event == Event::kDone) {
      done_ = true;
      if (!finished_ && context_.IsCancelled()) OnCancelled();
    } else if (!matched_) {
      if (!ok) {  // the server is going down; no done event will follow
        delete this;
        return;
      }
      matched_ = true;
      PostNext();
      Handle();
    } else {
      finished_ = true;
    }
    if (finished_ && done_) delete this;
  }

 protected:
  UnaryCall()
      : arena_(ArenaOptions(first_block_, sizeof(first_block_))),
        request_(google::protobuf::Arena::CreateMessage<Request>(&arena_)),
        response_(google::protobuf::Arena::CreateMessage<Response>(&arena_)),
        responder_(&context_) {
    context_.AsyncNotifyWhenDone(&done_tag_);
  }
  virtual ~UnaryCall() = default;

  // Asks the service for the next call of this kind.
  virtual void PostNext() = 0;
  // Leads to exactly one Finish(), now or later.
  virtual void Handle() = 0;
  // The caller went away before Finish().
  virtual void OnCancelled() {}

  void Finish(const absl::Status& status) {
    if (status.ok()) {
      responder_.Finish(*response_, grpc::Status::OK, &main_tag_);
    } else {
      responder_.FinishWithError(ToGrpcStatus(status), &main_tag_);
    }
  }

  grpc::ServerContext context_;

 private:
  static google::protobuf::ArenaOptions ArenaOptions(char* block, size_t size) {
    google::protobuf::ArenaOptions options;
    options.initial_block = block;
    options.initial_block_size = size;
    return options;
  }

  alignas(8) char first_block_[8192];
  google::protobuf::Arena arena_;

 protected:
  Request* const request_;
  Response* const response_;
  grpc::ServerAsyncResponseWriter<Response> responder_;
  Tag main_tag_{this, Event::kMain};

 private:
  Tag done_tag_{this, Event::kDone};
  bool matched_ = false;
  bool finished_ = false;
  bool done_ = false;
};

}  // namespace freshline::rpc
