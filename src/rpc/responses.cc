// SPDX-License-Identifier: Apache-2.0
#include "rpc/responses.h"

#include <span>
#include <string>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "http2/screen.h"
#include "rpc/call_head.h"
#include "rpc/grpc_status.h"

namespace freshline::rpc {
namespace {

using http2::Field;

// A status as fields; they point into it.
struct StatusFields {
  explicit StatusFields(const absl::Status& status,
                        std::optional<int64_t> retry_after_ms = std::nullopt)
      : code(absl::StrCat(static_cast<int>(status.code()))) {
    fields.push_back({"grpc-status", code});
    if (!status.message().empty()) {
      message = PercentEncode(ToGrpcStatus(status).message());
      fields.push_back({"grpc-message", message});
    }
    if (retry_after_ms) {
      wait = absl::StrCat(*retry_after_ms);
      fields.push_back({kRetryPushbackKey, wait});
    }
  }
  StatusFields(const StatusFields&) = delete;
  StatusFields& operator=(const StatusFields&) = delete;

  const std::string code;
  std::string message;
  std::string wait;
  absl::InlinedVector<Field, 6> fields;
};

constexpr Field kTrailersOnly[] = {{":status", "200"},
                                   {"content-type", "application/grpc"},
                                   {"grpc-accept-encoding", "identity"}};

}  // namespace

void RespondWithStatus(http2::Session* session, http2::StreamId stream,
                       const absl::Status& status,
                       std::optional<int64_t> retry_after_ms) {
  StatusFields s(status, retry_after_ms);
  s.fields.insert(s.fields.begin(), std::begin(kTrailersOnly),
                  std::end(kTrailersOnly));
  session->RespondOnly(stream, s.fields);
}

ConstantStatus::ConstantStatus(const absl::Status& status,
                               int64_t retry_after_ms)
    : code_(status.code()) {
  StatusFields s(status, retry_after_ms);
  s.fields.insert(s.fields.begin(), std::begin(kTrailersOnly),
                  std::end(kTrailersOnly));
  for (const Field& field : s.fields) {
    fields_.emplace_back(field.name, std::string(field.value));
  }
  block_ = http2::ConstantBlock(s.fields);
}

void ConstantStatus::Respond(http2::Session* session,
                             http2::StreamId stream) const {
  absl::InlinedVector<Field, 6> fields;
  for (const auto& [name, value] : fields_) fields.push_back({name, value});
  session->RespondOnly(stream, fields);
}

void FinishWithStatus(http2::Session* session, http2::Stream* stream,
                      const absl::Status& status) {
  if (status.ok()) {
    static constexpr Field kOk[] = {{"grpc-status", "0"}};
    session->Finish(stream, kOk);
    return;
  }
  const StatusFields s(status);
  session->Finish(stream, s.fields);
}

void RespondWithHttpStatus(http2::Session* session, http2::StreamId stream,
                           absl::string_view http_status) {
  const Field fields[] = {{":status", http_status}};
  session->RespondOnly(stream, fields);
}

}  // namespace freshline::rpc
