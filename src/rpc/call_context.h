// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/time.h"
#include "http2/connections.h"
#include "rpc/health.h"
#include "rpc/intake.h"
#include "rpc/methods.h"
#include "rpc/poller.h"
#include "rpc/request_counts.h"
#include "rpc/server.h"

namespace freshline::rpc {

// What every call needs; outlives all calls.
struct CallContext {
  ServerOptions options;
  Server::Rooms rooms;
  RequestCounts counts;
  HealthService health{&counts.Of(Method::kCheckHealth)};
  MethodTable methods;
  std::unique_ptr<http2::Connections> connections;
  std::vector<ServingThread> threads;
  std::atomic<uint32_t> threads_ready{0};
  std::atomic<bool> draining{false};
  std::atomic<uint32_t> in_flight{0};
  std::atomic<uint32_t> unanswered{0};  // of them
  // When the last call of the feature store came. Relaxed: nothing hangs on
  // it but how long a drain waits.
  std::atomic<base::MonoTime> last_call{};
  // Relaxed: statistics.
  std::atomic<uint64_t> refused_overdue{0};
  std::atomic<uint64_t> refused_full{0};
  // They go first, with whatever calls are left.
  std::unique_ptr<Intake> intake;
  std::vector<std::unique_ptr<Poller>> pollers;

  // What a refusal asks to wait.
  int64_t retry_after_ms() const {
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(
        options.retry_after);
    return std::max<int64_t>(wait.count(), 1);
  }

  MessageLimits limits() const {
    return {options.receive_bytes_max, options.send_bytes_max};
  }

  ServerReport Report() const {
    return {.threads = threads, .draining = draining, .counts = &counts};
  }

  // Whether a new request is taken: UNAVAILABLE, RESOURCE_EXHAUSTED if not.
  absl::Status Admit() {
    if (draining.load(std::memory_order_relaxed)) {
      counts.Refused(CallRefusal::kDraining);
      // `freshline push` knows it by this text.
      return absl::UnavailableError("the server is draining");
    }
    if (in_flight.load(std::memory_order_relaxed) >
        options.requests_in_flight_max) {
      counts.Refused(CallRefusal::kInFlight);
      refused_full.fetch_add(1, std::memory_order_relaxed);
      return absl::ResourceExhaustedError(
          absl::StrCat("more than ", options.requests_in_flight_max,
                       " requests are in flight; try again later"));
    }
    return absl::OkStatus();
  }
};

}  // namespace freshline::rpc
