// SPDX-License-Identifier: Apache-2.0
#include "rpc/health.h"

#include <atomic>
#include <string>
#include <utility>

#include "base/status_macros.h"
#include "rpc/call.h"
#include "rpc/stream_call.h"

namespace freshline::rpc {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

class HealthService::CheckCall final
    : public UnaryCall<HealthCheckRequest, HealthCheckResponse> {
 public:
  CheckCall(HealthService* health, const CallOrigin& origin)
      : UnaryCall(origin, health->counts_, MessageLimits()), health_(health) {}

 private:
  void Handle() override { Finish(Check()); }

  absl::Status Check() {
    FRESHLINE_RETURN_IF_ERROR(Parse());
    bool known = false;
    response_->set_status(health_->StatusOf(request_->service(), &known));
    if (known) return absl::OkStatus();
    return absl::NotFoundError("there is no service of that name");
  }

  HealthService* const health_;
};

// One watcher: at most one answer is under way; a change meanwhile leads to one
// more with the newest status.
class HealthService::WatchCall final : public StreamCall {
 public:
  WatchCall(HealthService* health, const CallOrigin& origin)
      : StreamCall(origin, &health->watch_counts_, MessageLimits()),
        health_(health) {}

  // Something has changed. Any thread; health_->mu_ is held, so that the
  // watcher does not go meanwhile.
  void Tell() {
    if (told_.exchange(true)) return;
    Ref();
    loop().Post(this);
  }

 private:
  void OnMessage(std::string bytes) override {
    if (registered_ || !request_.ParseFromString(bytes)) {
      End(absl::InvalidArgumentError("one HealthCheckRequest is expected"));
      return;
    }
    registered_ = true;
    base::MutexLock lock(&health_->mu_);
    health_->watchers_.insert(this);
  }
  void OnHalfClose() override {
    if (!registered_) End(absl::InternalError("there is no request"));
    Update();
  }
  void OnSent() override {
    writing_ = false;
    Update();
  }
  void OnGone() override {
    if (!registered_) return;
    base::MutexLock lock(&health_->mu_);
    health_->watchers_.erase(this);
  }
  void RunOnLoop() override {
    told_.store(false);
    if (registered_) Update();
    Unref();
  }

  void Update() {
    if (writing_ || ended()) return;
    bool known = false;
    const ServingStatus status = health_->StatusOf(request_.service(), &known);
    if (!written_ || status != last_) {
      HealthCheckResponse response;
      response.set_status(status);
      last_ = status;
      written_ = writing_ = true;
      Write(response);
    }
    if (health_->ending_) {
      End(absl::UnavailableError("the server is stopping"));
    }
  }

  HealthService* const health_;
  HealthCheckRequest request_;
  ServingStatus last_ = HealthCheckResponse::UNKNOWN;
  bool registered_ = false;
  bool written_ = false;
  bool writing_ = false;
  std::atomic<bool> told_{false};
};

void HealthService::AddTo(MethodTable* methods) {
  const auto check = [this](Poller*, const CallOrigin& origin) -> Call* {
    return new CheckCall(this, origin);
  };
  const auto watch = [this](Poller*, const CallOrigin& origin) -> Call* {
    return new WatchCall(this, origin);
  };
  methods->emplace("/grpc.health.v1.Health/Check", MethodEntry{check, counts_});
  methods->emplace("/grpc.health.v1.Health/Watch",
                   MethodEntry{watch, &watch_counts_});
}

void HealthService::SetServing(bool serving) {
  serving_ = serving;
  TellAll();
}

void HealthService::EndWatches() {
  ending_ = true;
  TellAll();
}

void HealthService::TellAll() {
  base::MutexLock lock(&mu_);
  for (WatchCall* watcher : watchers_) watcher->Tell();
}

HealthService::ServingStatus HealthService::StatusOf(const std::string& service,
                                                     bool* known) const {
  *known = service.empty() || service == "freshline.v1.FeatureStore" ||
           service == "freshline.v1.Operations";
  if (!*known) return HealthCheckResponse::SERVICE_UNKNOWN;
  return serving_ ? HealthCheckResponse::SERVING
                  : HealthCheckResponse::NOT_SERVING;
}

}  // namespace freshline::rpc
