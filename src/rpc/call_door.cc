// SPDX-License-Identifier: Apache-2.0
#include "rpc/call_door.h"

#include "absl/strings/str_cat.h"
#include "base/foreign_text.h"
#include "rpc/poller.h"
#include "rpc/responses.h"

namespace freshline::rpc {

http2::Stream* CallDoor::OnRequest(http2::StreamId id) {
  http2::Session* const session = &link_->session();
  if (!head_.is_post() || !head_.is_grpc()) {
    RespondWithHttpStatus(session, id, head_.is_post() ? "415" : "405");
    connection_->CallEnded();
    return nullptr;
  }
  const auto found = methods_->find(head_.path());
  if (found == methods_->end()) {
    RespondWithStatus(session, id,
                      absl::UnimplementedError(
                          absl::StrCat("there is no method ", head_.path())));
    connection_->CallEnded();
    return nullptr;
  }
  const MethodEntry& method = found->second;
  if (const absl::Status s = Check(); !s.ok()) {
    method.counts->Count(s.code());
    RespondWithStatus(session, id, s);
    connection_->CallEnded();
    return nullptr;
  }
  link_->screen().Learn(id, &method, head_.fields(), head_.timeout_field());
  if (method.hopeless && method.hopeless(poller_, 0)) {
    method.counts->Count(method.refusal->code());
    method.refusal->Respond(session, id);
    connection_->CallEnded();
    return nullptr;
  }
  CallOrigin origin{&poller_->loop(), link_};
  if (head_.timeout() != CallHead::kInfinite) {
    origin.deadline = poller_->clock().Now() + head_.timeout();
  }
  return method.make(poller_, origin);
}

bool CallDoor::Refuses() { return poller_->calls().long_line(); }

const std::string* CallDoor::Refuse(const void* kind, size_t ahead) {
  const auto* const method = static_cast<const MethodEntry*>(kind);
  if (!method->hopeless || !method->hopeless(poller_, ahead)) return nullptr;
  method->counts->Count(method->refusal->code());
  return &method->refusal->block();
}

absl::Status CallDoor::Check() const {
  if (head_.metadata_bytes() > metadata_bytes_max_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("metadata: ", head_.metadata_bytes(), " bytes; at most ",
                     metadata_bytes_max_, " (rpc.metadata_bytes_max)"));
  }
  if (!head_.encoding().empty() && head_.encoding() != "identity") {
    return absl::UnimplementedError(
        absl::StrCat("grpc-encoding: messages compressed by ",
                     base::Quoted(head_.encoding()),
                     " are not taken; send them as they are (identity)"));
  }
  return absl::OkStatus();
}

}  // namespace freshline::rpc
