// SPDX-License-Identifier: Apache-2.0
#include "rpc/health.h"

#include <grpcpp/alarm.h>

#include <string>

#include "base/status_macros.h"
#include "rpc/call.h"

namespace freshline::rpc {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

class HealthService::CheckCall final
    : public UnaryCall<HealthCheckRequest, HealthCheckResponse> {
 public:
  CheckCall(HealthService* health, grpc::ServerCompletionQueue* queue,
            Connections* connections)
      : UnaryCall(health->counts_, connections),
        health_(health),
        queue_(queue) {
    health_->service_.RequestCheck(&context_, &request_bytes_, &responder_,
                                   queue_, queue_, &main_tag_);
  }

 private:
  void PostNext() override { new CheckCall(health_, queue_, connections()); }
  void Handle() override { Finish(Check()); }

  absl::Status Check() {
    FRESHLINE_RETURN_IF_ERROR(Parse());
    bool known = false;
    response_->set_status(health_->StatusOf(request_->service(), &known));
    if (known) return absl::OkStatus();
    return absl::NotFoundError("there is no service of that name");
  }

  HealthService* const health_;
  grpc::ServerCompletionQueue* const queue_;
};

// One watcher: at most one write is under way; a change meanwhile leads to one
// more write with the newest status.
class HealthService::WatchCall final : public CallEvents {
 public:
  WatchCall(HealthService* health, grpc::ServerCompletionQueue* queue)
      : health_(health), queue_(queue), writer_(&context_) {
    context_.AsyncNotifyWhenDone(&done_tag_);
    health_->service_.RequestWatch(&context_, &request_, &writer_, queue_,
                                   queue_, &main_tag_);
  }

  void On(Event event, bool ok) override {
    if (event == Event::kDone) {
      done_ = true;
      Unregister();
    } else if (!matched_) {
      if (!ok) {
        delete this;
        return;
      }
      matched_ = true;
      new WatchCall(health_, queue_);
      base::MutexLock lock(&health_->mu_);
      health_->watchers_.insert(this);
      WriteLocked();
      if (health_->ending_) EndLocked();
    } else {
      base::MutexLock lock(&health_->mu_);
      writing_ = false;
      if (ok && !done_) WriteLocked();
      if (ok && !done_ && health_->ending_) EndLocked();
    }
    if (done_ && !writing_) delete this;
  }

  // Writes the status unless it is the one last written.
  // REQUIRES: health_->mu_ is held.
  void WriteLocked() {
    bool known = false;
    const auto status = health_->StatusOf(request_.service(), &known);
    if (ended_ || writing_ || (written_ && status == last_)) return;
    HealthCheckResponse response;
    response.set_status(status);
    last_ = status;
    written_ = true;
    writing_ = true;
    writer_.Write(response, &main_tag_);
  }

  // Ends the stream, unless a write is under way, whose end leads here again.
  // REQUIRES: health_->mu_ is held.
  void EndLocked() {
    if (ended_ || writing_) return;
    ended_ = true;
    writing_ = true;
    writer_.Finish(
        grpc::Status(grpc::StatusCode::UNAVAILABLE, "the server is stopping"),
        &main_tag_);
  }

 private:
  void Unregister() {
    base::MutexLock lock(&health_->mu_);
    health_->watchers_.erase(this);
  }

  HealthService* const health_;
  grpc::ServerCompletionQueue* const queue_;
  grpc::ServerContext context_;
  HealthCheckRequest request_;
  grpc::ServerAsyncWriter<HealthCheckResponse> writer_;
  Tag main_tag_{this, Event::kMain};
  Tag done_tag_{this, Event::kDone};
  HealthCheckResponse::ServingStatus last_ = HealthCheckResponse::UNKNOWN;
  bool matched_ = false;
  bool written_ = false;
  bool writing_ = false;
  bool ended_ = false;
  bool done_ = false;
};

void HealthService::Post(grpc::ServerCompletionQueue* queue,
                         Connections* connections) {
  new CheckCall(this, queue, connections);
  new WatchCall(this, queue);
}

void HealthService::SetServing(bool serving) {
  serving_ = serving;
  base::MutexLock lock(&mu_);
  for (WatchCall* watcher : watchers_) watcher->WriteLocked();
}

void HealthService::EndWatches() {
  base::MutexLock lock(&mu_);
  ending_ = true;
  for (WatchCall* watcher : watchers_) watcher->EndLocked();
}

HealthCheckResponse::ServingStatus HealthService::StatusOf(
    const std::string& service, bool* known) const {
  *known = service.empty() || service == "freshline.v1.FeatureStore" ||
           service == "freshline.v1.Operations";
  if (!*known) return HealthCheckResponse::SERVICE_UNKNOWN;
  return serving_ ? HealthCheckResponse::SERVING
                  : HealthCheckResponse::NOT_SERVING;
}

}  // namespace freshline::rpc
