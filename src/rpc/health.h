// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <set>

#include <grpcpp/grpcpp.h>

#include "base/mutex.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "rpc/connections.h"
#include "rpc/request_counts.h"

namespace freshline::rpc {

// The standard health checking service on the server's own queues: the
// library's default one would bring in threads of the callback API.
//
// Thread-safety: SetServing() from any thread; Post() before serving begins.
class HealthService {
 public:
  // `counts`, of the checks, outlives the service.
  explicit HealthService(CodeCounts* counts) : counts_(counts) {}

  void Register(grpc::ServerBuilder* builder) {
    builder->RegisterService(&service_);
  }
  // Accepts health calls on `queue`; `connections` outlives them.
  void Post(grpc::ServerCompletionQueue* queue, Connections* connections);

  // What "" and the daemon's services report. Watchers are told.
  void SetServing(bool serving);

  // Ends the streams of all watchers, and of those that come later.
  void EndWatches();

 private:
  class CheckCall;
  class WatchCall;
  grpc::health::v1::HealthCheckResponse::ServingStatus StatusOf(
      const std::string& service, bool* known) const;

  grpc::health::v1::Health::WithRawMethod_Check<
      grpc::health::v1::Health::WithAsyncMethod_Watch<
          grpc::health::v1::Health::Service>>
      service_;
  CodeCounts* const counts_;
  std::atomic<bool> serving_{false};
  base::Mutex mu_;
  std::set<WatchCall*> watchers_ ABSL_GUARDED_BY(mu_);
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace freshline::rpc
