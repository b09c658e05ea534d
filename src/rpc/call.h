// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include <google/protobuf/arena.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <atomic>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "rpc/connections.h"
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
// Bounds: its metadata, and what its connection may leave unread of answers;
// beyond either it is answered RESOURCE_EXHAUSTED.
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
      connection_ = connections_->Find(context_.peer());
      const absl::Status s = CheckMetadata();
      s.ok() ? Handle() : Finish(s);
    } else {
      finished_ = true;
      ReleaseAnswer();
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

  // `counts`, of its method, and `connections` outlive the call.
  UnaryCall(CodeCounts* counts, Connections* connections,
            const MessageLimits& limits = {})
      : counts_(counts),
        limits_(limits),
        connections_(connections),
        request_arena_(ArenaOptions(request_block_, sizeof(request_block_))),
        response_arena_(ArenaOptions(response_block_, sizeof(response_block_))),
        request_(
            google::protobuf::Arena::CreateMessage<Request>(&request_arena_)),
        response_(
            google::protobuf::Arena::CreateMessage<Response>(&response_arena_)),
        responder_(&context_) {
    context_.AsyncNotifyWhenDone(&done_tag_);
  }
  virtual ~UnaryCall() {
    ReleaseAnswer();
    if (connection_ != nullptr) connection_->CallEnded();
  }

  Connections* connections() const { return connections_; }

  // Asks the service for the next call of this kind.
  virtual void PostNext() = 0;
  // Leads to exactly one Finish(), now or later.
  virtual void Handle() = 0;
  // The caller went away before Finish().
  virtual void OnCancelled() {}
  // Finish() begins.
  virtual void OnFinish() {}

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

  // RESOURCE_EXHAUSTED, before any work is done, where the connection has left
  // so many answers unread that the last one was refused.
  absl::Status CheckUnread() const {
    if (connection_ == nullptr || !connection_->RefuseUnread()) {
      return absl::OkStatus();
    }
    return TooMuchUnread("; nothing was applied: ");
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

  // Every call ends here, and is counted here by its code. response_ is gone
  // afterwards.
  void Finish(const absl::Status& status) {
    OnFinish();
    if (!status.ok()) {
      FinishWith(ToGrpcStatus(status));
      return;
    }
    grpc::ByteBuffer bytes;
    bool own = false;
    const grpc::Status serialized =
        grpc::SerializationTraits<Response>::Serialize(*response_, &bytes,
                                                       &own);
    // Whoever does not read keeps the bytes, but not the message as well.
    response_arena_.Reset();
    if (!serialized.ok()) {
      FinishWith(serialized);
    } else if (bytes.Length() > limits_.send_bytes_max) {
      FinishWith(ToGrpcStatus(absl::InvalidArgumentError(absl::StrCat(
          "the answer has ", bytes.Length(), " bytes, and at most ",
          limits_.send_bytes_max,
          " are sent: ask for less in one request, or raise "
          "rpc.send_bytes_max of the daemon's configuration (events "
          "that came with the request are applied)"))));
    } else if (const absl::Status held = HoldAnswer(bytes.Length());
               !held.ok()) {
      FinishWith(ToGrpcStatus(held));
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

  // The core ends the whole connection where metadata exceed its own limit,
  // which is therefore much larger.
  absl::Status CheckMetadata() const {
    constexpr size_t kEntryBytes = 32;  // RFC 9113, section 6.5.2
    size_t bytes = 0;
    for (const auto& [name, value] : context_.client_metadata()) {
      bytes += name.size() + value.size() + kEntryBytes;
    }
    if (bytes <= connections_->metadata_bytes_max()) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat(
        "metadata: ", bytes, " bytes; at most ",
        connections_->metadata_bytes_max(), " (rpc.metadata_bytes_max)"));
  }

  absl::Status HoldAnswer(size_t bytes) {
    if (connection_ == nullptr || connection_->TryHold(bytes)) {
      answer_bytes_ = connection_ == nullptr ? 0 : bytes;
      return absl::OkStatus();
    }
    return TooMuchUnread("; what came with this request is applied: ");
  }
  static absl::Status TooMuchUnread(absl::string_view then) {
    return absl::ResourceExhaustedError(
        absl::StrCat("this connection leaves too many bytes of answers unread "
                     "(rpc.unread_bytes_per_connection_max)",
                     then, "read them, and ask again"));
  }
  void ReleaseAnswer() {
    if (answer_bytes_ > 0) connection_->Release(answer_bytes_);
    answer_bytes_ = 0;
  }

  CodeCounts* const counts_;
  const MessageLimits limits_;
  Connections* const connections_;
  std::shared_ptr<Connection> connection_;  // null: not known
  size_t answer_bytes_ = 0;                 // that it holds of the connection's
  alignas(8) char request_block_[2048];
  alignas(8) char response_block_[6144];
  google::protobuf::Arena request_arena_;
  google::protobuf::Arena response_arena_;

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
