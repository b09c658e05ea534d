// SPDX-License-Identifier: Apache-2.0
#include "rpc/call.h"

#include <algorithm>

#include "rpc/responses.h"

namespace freshline::rpc {

Call::Call(const CallOrigin& origin, CodeCounts* counts,
           const MessageLimits& limits)
    : loop_(origin.loop),
      link_(origin.link),
      connection_(origin.link->connection()),
      deadline_(origin.deadline),
      counts_(counts),
      limits_(limits),
      reader_(limits.receive_bytes_max) {}

Call::~Call() {
  Forget();
  connection_->CallEnded();
}

void Call::Forget() {
  if (kept_ > 0) connection_->Drop(kept_);
  kept_ = 0;
}

bool Call::Keep() {
  const uint64_t bytes = reader_.kept_bytes();
  if (bytes <= kept_) return true;
  if (connection_->TryKeep(bytes - kept_)) {
    kept_ = bytes;
    return true;
  }
  CountAndRefuse(absl::ResourceExhaustedError(
      "requests and answers that are under way fill the memory that they may "
      "have (rpc.memory_quota_bytes); try again later"));
  return false;
}

void Call::OnData(std::span<const uint8_t> bytes) {
  while (!deaf_ && !bytes.empty()) {
    switch (reader_.Read(&bytes)) {
      case MessageReader::Event::kNeedMore:
        Keep();
        break;
      case MessageReader::Event::kMessage:
        if (Keep()) OnMessage(std::move(reader_.message()));
        break;
      case MessageReader::Event::kTooLarge:
        CountAndRefuse(absl::InvalidArgumentError(absl::StrCat(
            "the request has ", reader_.announced(), " bytes, and at most ",
            limits_.receive_bytes_max,
            " are taken: send it in parts, or raise rpc.receive_bytes_max of "
            "the daemon's configuration")));
        break;
      case MessageReader::Event::kCompressed:
        CountAndRefuse(absl::UnimplementedError(
            "compressed messages are not taken; send them as they are"));
        break;
    }
  }
}

void Call::OnEnd() {
  if (deaf_) return;
  if (reader_.at_end()) {
    OnHalfClose();
    return;
  }
  CountAndRefuse(absl::InternalError("the call ended within a message"));
}

void Call::OnClose(uint64_t unsent) {
  deaf_ = true;
  if (unsent > 0) connection_->Release(unsent);
  OnGone();
  Unref();
}

void Call::Refuse(const absl::Status& status) {
  deaf_ = true;
  RespondWithStatus(&link_->session(), id(), status, retry_after_ms_);
  loop_->Touch(link_);
}

void Call::CountAndRefuse(const absl::Status& status) {
  counts_->Count(status.code());
  Refuse(status);
}

void Call::RespondHeaders() {
  link_->session().Respond(this, kResponseHeaders);
  loop_->Touch(link_);
}

void Call::SendMessage(std::string framed) {
  link_->session().Send(this, std::move(framed));
  loop_->Touch(link_);
}

void Call::SendStatus(const absl::Status& status) {
  FinishWithStatus(&link_->session(), this, status);
  loop_->Touch(link_);
}

absl::Status Call::TooMuchUnread(absl::string_view then) {
  return absl::ResourceExhaustedError(
      absl::StrCat("this connection leaves too many bytes of answers unread "
                   "(rpc.unread_bytes_per_connection_max)",
                   then, "read them, and ask again"));
}

}  // namespace freshline::rpc
