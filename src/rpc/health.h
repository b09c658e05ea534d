// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <set>
#include <string>

#include "base/mutex.h"
#include "grpc/health/v1/health.pb.h"
#include "rpc/methods.h"
#include "rpc/request_counts.h"

namespace freshline::rpc {

// The standard health checking service.
//
// Lifecycle: outlives its calls.
// Thread-safety: every method from any thread but AddTo(), which comes before
// serving begins.
class HealthService {
 public:
  // `counts`, of the checks, outlives the service.
  explicit HealthService(CodeCounts* counts) : counts_(counts) {}

  void AddTo(MethodTable* methods);

  // What "" and the daemon's services report. Watchers are told.
  void SetServing(bool serving);

  // Ends the streams of all watchers, and of those that come later.
  void EndWatches();

 private:
  using ServingStatus = grpc::health::v1::HealthCheckResponse::ServingStatus;
  class CheckCall;
  class WatchCall;
  ServingStatus StatusOf(const std::string& service, bool* known) const;
  void TellAll();

  CodeCounts* const counts_;
  CodeCounts watch_counts_;
  std::atomic<bool> serving_{false};
  std::atomic<bool> ending_{false};
  base::Mutex mu_;
  std::set<WatchCall*> watchers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace freshline::rpc
