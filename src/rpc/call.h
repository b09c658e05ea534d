// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include <google/protobuf/arena.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <atomic>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "rpc/grpc_status.h"
#include "rpc/request_counts.h"
#include "rpc/text_check.h"

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

// Sizes of one message as sent, in bytes. What is larger is refused with
// INVALID_ARGUMENT and not, as gRPC would, with RESOURCE_EXHAUSTED: sending it
// again does not help.
struct MessageLimits {
  uint32_t receive_bytes_max = 4 << 20;
  uint32_t send_bytes_max = 4 << 20;
};

// One unary call: posted, matched, handled, finished, destroyed by itself. The
// request comes as bytes, so that the handler chooses the thread that parses
// them: gRPC itself would do it on the poller.
//
// Thread-safety: On() and Handle() run on the poller of the call's queue;
// Finish() may be called from any thread, once. The object lives until its
// answer is out, the call is over on the wire and every Hold is gone.
template <typename Request, typename Response>
class UnaryCall : public CallEvents {
 public:
  void On(Event event, bool ok) final {
    if (event == Event::kDone) {
      done_ = true;
      if (!finished_ && context_.IsCancelled()) OnCancelled();
    } else if (!matched_) {
      if (!ok) {  // the server is going down; no done event will follow
        Unref();
        return;
      }
      matched_ = true;
      PostNext();
      Handle();
    } else {
      finished_ = true;
    }
    if (finished_ && done_) Unref();
  }

 protected:
  // Keeps the call alive on a thread other than its poller.
  class Hold {
   public:
    explicit Hold(UnaryCall* call) : call_(call) {
      call_->refs_.fetch_add(1, std::memory_order_relaxed);
    }
    Hold(Hold&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold() {
      if (call_ != nullptr) call_->Unref();
    }

   private:
    UnaryCall* call_;
  };

  // `counts`, of its method, outlives the call.
  explicit UnaryCall(CodeCounts* counts, const MessageLimits& limits = {})
      : counts_(counts),
        limits_(limits),
        arena_(ArenaOptions(first_block_, sizeof(first_block_))),
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

  // Returns: INVALID_ARGUMENT where the request is too large.
  absl::Status CheckSize() const {
    const size_t bytes = request_bytes_.Length();
    if (bytes <= limits_.receive_bytes_max) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "the request has ", bytes, " bytes, and at most ",
        limits_.receive_bytes_max,
        " are taken: send it in parts, or raise rpc.receive_bytes_max of the "
        "daemon's configuration"));
  }

  // Makes request_ of the bytes, which go. Returns: INVALID_ARGUMENT when they
  // are too many, no such message, or hold text that is no UTF-8 (named).
  absl::Status Parse() {
    static const TextCheck text_check(Request::descriptor());
    FRESHLINE_RETURN_IF_ERROR(CheckSize());
    const size_t bytes = request_bytes_.Length();
    bool well_formed = true;
    if (request_bytes_.Valid()) {
      grpc::ProtoBufferReader reader(&request_bytes_);
      const TextCheck::Finding found = text_check.Check(&reader);
      if (!found.error.empty()) return absl::InvalidArgumentError(found.error);
      well_formed = found.well_formed;
    }
    if (well_formed && grpc::SerializationTraits<Request>::Deserialize(
                           &request_bytes_, request_)
                           .ok()) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrCat("the ", bytes, " bytes sent are no ",
                     Request::descriptor()->full_name(),
                     "; build the client from the schema of this daemon"));
  }

  // Every call ends here, and is counted here by its code.
  void Finish(const absl::Status& status) {
    if (!status.ok()) {
      FinishWith(ToGrpcStatus(status));
      return;
    }
    grpc::ByteBuffer bytes;
    bool own = false;
    const grpc::Status serialized =
        grpc::SerializationTraits<Response>::Serialize(*response_, &bytes,
                                                       &own);
    if (!serialized.ok()) {
      FinishWith(serialized);
    } else if (bytes.Length() > limits_.send_bytes_max) {
      FinishWith(ToGrpcStatus(absl::InvalidArgumentError(absl::StrCat(
          "the answer has ", bytes.Length(), " bytes, and at most ",
          limits_.send_bytes_max,
          " are sent: ask for less in one request, or raise "
          "rpc.send_bytes_max of the daemon's configuration (events "
          "that came with the request are applied)"))));
    } else {
      counts_->Count(absl::StatusCode::kOk);
      responder_.Finish(bytes, grpc::Status::OK, &main_tag_);
    }
  }

  grpc::ServerContext context_;
  grpc::ByteBuffer request_bytes_;

 private:
  void FinishWith(const grpc::Status& status) {
    counts_->Count(static_cast<absl::StatusCode>(status.error_code()));
    responder_.FinishWithError(status, &main_tag_);
  }

  void Unref() {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  static google::protobuf::ArenaOptions ArenaOptions(char* block, size_t size) {
    google::protobuf::ArenaOptions options;
    options.initial_block = block;
    options.initial_block_size = size;
    return options;
  }

  CodeCounts* const counts_;
  const MessageLimits limits_;
  alignas(8) char first_block_[8192];
  google::protobuf::Arena arena_;

 protected:
  Request* const request_;
  Response* const response_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> responder_;
  Tag main_tag_{this, Event::kMain};

 private:
  Tag done_tag_{this, Event::kDone};
  bool matched_ = false;
  bool finished_ = false;
  bool done_ = false;
  // The wire's, and one for each Hold.
  std::atomic<int> refs_{1};
};

}  // namespace freshline::rpc
