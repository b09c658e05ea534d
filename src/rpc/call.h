// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <google/protobuf/arena.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/message_lite.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/time.h"
#include "http2/connection.h"
#include "http2/loop.h"
#include "http2/session.h"
#include "rpc/message_reader.h"
#include "rpc/request_counts.h"
#include "rpc/text_check.h"

namespace freshline::rpc {

// Sizes of one message as sent, in bytes. What is larger is refused with
// INVALID_ARGUMENT and not, as gRPC would, with RESOURCE_EXHAUSTED: sending it
// again does not help.
struct MessageLimits {
  uint32_t receive_bytes_max = 4 << 20;
  uint32_t send_bytes_max = 4 << 20;
};

// Where a call comes from.
struct CallOrigin {
  http2::Loop* loop = nullptr;
  http2::Link* link = nullptr;  // while the call's stream is open
  base::MonoTime deadline = base::kInfiniteFuture;
};

// One call: a stream, its messages, and how it ends. It lives until the stream
// is over and nobody holds it.
//
// Thread-safety: on the thread of its loop, unless a method says otherwise.
// Bounds: what has come of a request counts against the memory of all
// connections, what goes out against its connection's unread answers; beyond
// either the call ends with RESOURCE_EXHAUSTED.
class Call : public http2::Stream, protected http2::Loop::Task {
 public:
  virtual ~Call();

  // Keeps the call alive on a thread other than its loop's.
  class Hold {
   public:
    explicit Hold(Call* call) : call_(call) { call_->Ref(); }
    Hold(Hold&& other) noexcept : call_(std::exchange(other.call_, nullptr)) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold() {
      if (call_ != nullptr) call_->Unref();
    }

   private:
    Call* call_;
  };

 protected:
  // `counts` outlives the call.
  Call(const CallOrigin& origin, CodeCounts* counts,
       const MessageLimits& limits);

  // A message has come, whole.
  virtual void OnMessage(std::string bytes) = 0;
  // No more messages come.
  virtual void OnHalfClose() = 0;
  // The stream is over.
  virtual void OnGone() {}

  // Ends a call that has sent nothing.
  void Refuse(const absl::Status& status);
  // The same, and counts it.
  void CountAndRefuse(const absl::Status& status);
  // The headers, and what follows them.
  void RespondHeaders();
  void SendMessage(std::string framed);
  void SendStatus(const absl::Status& status);
  bool open() const { return id() != 0; }
  // Whether nothing of the request matters any more.
  void Deafen() { deaf_ = true; }

  // Any thread.
  void Ref() { refs_.fetch_add(1, std::memory_order_relaxed); }
  void Unref() {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  http2::Connection& connection() const { return *connection_; }
  base::MonoTime deadline() const { return deadline_; }
  const MessageLimits& limits() const { return limits_; }
  CodeCounts& counts() const { return *counts_; }
  http2::Loop& loop() const { return *loop_; }
  // What a refusal for the bytes left unread says.
  static absl::Status TooMuchUnread(absl::string_view then);
  // Milliseconds that a refusal asks the client to wait; before it is sent.
  void AskToWait(int64_t ms) { retry_after_ms_ = ms; }

 private:
  void OnData(std::span<const uint8_t> bytes) final;
  void OnEnd() final;
  void OnClose(uint64_t unsent) final;
  // Whether what was read may be kept; if not, the call has been refused.
  bool Keep();
  void Forget();

  http2::Loop* const loop_;
  http2::Link* const link_;
  const std::shared_ptr<http2::Connection> connection_;
  const base::MonoTime deadline_;
  CodeCounts* const counts_;
  const MessageLimits limits_;
  MessageReader reader_;
  uint64_t kept_ = 0;  // bytes of the connection's memory
  bool deaf_ = false;
  std::optional<int64_t> retry_after_ms_;
  // The stream's, and one for each Hold.
  std::atomic<int> refs_{1};
};

// One unary call: read, handled, finished. The request comes as bytes, so that
// the handler chooses the thread that parses them.
//
// Thread-safety: Handle() runs on the thread of the loop; Finish() may be
// called from any thread, once.
template <typename Request, typename Response>
class UnaryCall : public Call {
 protected:
  UnaryCall(const CallOrigin& origin, CodeCounts* counts,
            const MessageLimits& limits)
      : Call(origin, counts, limits),
        request_arena_(ArenaOptions(request_block_, sizeof(request_block_))),
        response_arena_(ArenaOptions(response_block_, sizeof(response_block_))),
        request_(
            google::protobuf::Arena::CreateMessage<Request>(&request_arena_)),
        response_(google::protobuf::Arena::CreateMessage<Response>(
            &response_arena_)) {}

  // Leads to exactly one Finish(), now or later.
  virtual void Handle() = 0;
  // The caller went away before Finish().
  virtual void OnCancelled() {}
  // Finish() begins.
  virtual void OnFinish() {}

  size_t request_bytes() const { return request_bytes_.size(); }

  // RESOURCE_EXHAUSTED, before any work is done, where the connection has left
  // so many answers unread that the last one was refused.
  absl::Status CheckUnread() const {
    if (!connection().RefuseUnread()) return absl::OkStatus();
    return TooMuchUnread("; nothing was applied: ");
  }

  // Makes request_ of the bytes, which go. Returns: INVALID_ARGUMENT when they
  // are no such message, or hold text that is no UTF-8 (named).
  absl::Status Parse() {
    static const TextCheck text_check(Request::descriptor());
    const std::string bytes = std::move(request_bytes_);
    google::protobuf::io::ArrayInputStream reader(
        bytes.data(), static_cast<int>(bytes.size()));
    const TextCheck::Finding found = text_check.Check(&reader);
    if (!found.error.empty()) return absl::InvalidArgumentError(found.error);
    if (found.well_formed && request_->ParseFromString(bytes)) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrCat("the ", bytes.size(), " bytes sent are no ",
                     Request::descriptor()->full_name(),
                     "; build the client from the schema of this daemon"));
  }

  // Every call that is handled ends here, and is counted by its code.
  // response_ is gone afterwards.
  void Finish(const absl::Status& status) {
    OnFinish();
    outcome_ = status;
    if (outcome_.ok()) outcome_ = Encode();
    counts().Count(outcome_.code());
    if (loop().own_thread()) {
      RunOnLoop();
    } else {
      loop().Post(this);
    }
  }

 private:
  void OnMessage(std::string bytes) final {
    if (has_message_) {
      CountAndRefuse(
          absl::InternalError("more than one message for a unary call"));
      return;
    }
    has_message_ = true;
    request_bytes_ = std::move(bytes);
  }

  void OnHalfClose() final {
    Deafen();
    if (!has_message_) {
      CountAndRefuse(absl::InternalError("the call ended without its message"));
      return;
    }
    handled_ = true;
    Ref();  // until it is finished
    Handle();
  }

  void OnGone() final {
    if (handled_ && !finished_) OnCancelled();
  }

  // The answer leaves.
  void RunOnLoop() final {
    finished_ = true;
    if (!open()) {
      if (outcome_.ok()) connection().Release(answer_.size());
    } else if (outcome_.ok()) {
      RespondHeaders();
      SendMessage(std::move(answer_));
      SendStatus(outcome_);
    } else {
      Refuse(outcome_);
    }
    Unref();
  }

  // Makes answer_ of response_.
  absl::Status Encode() {
    const size_t bytes = response_->ByteSizeLong();
    if (bytes > limits().send_bytes_max) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the answer has ", bytes, " bytes, and at most ",
          limits().send_bytes_max,
          " are sent: ask for less in one request, or raise "
          "rpc.send_bytes_max of the daemon's configuration (events "
          "that came with the request are applied)"));
    }
    const auto prefix = MessagePrefix(static_cast<uint32_t>(bytes));
    if (!connection().TryHold(prefix.size() + bytes)) {
      return TooMuchUnread("; what came with this request is applied: ");
    }
    answer_.resize(prefix.size() + bytes);
    std::copy(prefix.begin(), prefix.end(), answer_.begin());
    response_->SerializeWithCachedSizesToArray(
        reinterpret_cast<uint8_t*>(answer_.data() + prefix.size()));
    // Whoever does not read keeps the bytes, but not the message as well.
    response_arena_.Reset();
    return absl::OkStatus();
  }

  static google::protobuf::ArenaOptions ArenaOptions(char* block, size_t size) {
    google::protobuf::ArenaOptions options;
    options.initial_block = block;
    options.initial_block_size = size;
    return options;
  }

  std::string request_bytes_;
  std::string answer_;
  absl::Status outcome_;
  bool has_message_ = false;
  bool handled_ = false;
  bool finished_ = false;
  alignas(8) char request_block_[2048];
  alignas(8) char response_block_[6144];
  google::protobuf::Arena request_arena_;
  google::protobuf::Arena response_arena_;

 protected:
  Request* const request_;
  Response* const response_;
};

}  // namespace freshline::rpc
