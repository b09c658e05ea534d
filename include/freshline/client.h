// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "freshline/answer.h"
#include "freshline/events.h"
#include "freshline/request.h"

namespace freshline {

namespace client {
class OverheadMeter;
class RawClient;
}  // namespace client
namespace v1 {
class GetSchemaResponse;
class GetStatusResponse;
}  // namespace v1

struct ClientOptions {
  // "host:port" or "unix:/path". Plaintext.
  std::string target = "127.0.0.1:7460";

  // Connections; calls take them in turn. 1 to 256. One connection is served
  // by one of the daemon's 128 concurrent streams per call.
  int channels = 1;

  // Threads that run the callbacks. 1 to 64. One is right unless callbacks
  // are slow.
  int completion_threads = 1;

  // Calls under way at once; beyond, a call ends with RESOURCE_EXHAUSTED at
  // once. 1 to 10,000,000.
  size_t outstanding_max = 100'000;

  // A query with a budget is given up (DEADLINE_EXCEEDED) when this much more
  // than its budget has passed: for the way there and back. 0 to 1 hour.
  std::chrono::microseconds deadline_slack = std::chrono::milliseconds(1000);

  // Every other call is given up after this. 1 us to 1 hour.
  std::chrono::microseconds timeout = std::chrono::seconds(5);

  // Largest message accepted. 1 KiB to 1 GiB.
  int receive_bytes_max = 64 << 20;

  // Pings on an idle connection, which find a dead peer. At least 30 s, the
  // shortest that the daemon allows.
  std::chrono::seconds keepalive_time = std::chrono::seconds(60);
  std::chrono::seconds keepalive_timeout = std::chrono::seconds(20);
};

// State of a running daemon. proto() has all counters
// (freshline/v1/operations.pb.h).
class DaemonStatus {
 public:
  explicit DaemonStatus(std::unique_ptr<v1::GetStatusResponse> response);
  ~DaemonStatus();
  DaemonStatus(DaemonStatus&&) noexcept;
  DaemonStatus& operator=(DaemonStatus&&) noexcept;

  absl::string_view version() const;
  uint64_t revision() const;
  bool serving() const;
  std::chrono::microseconds uptime() const;
  uint64_t queries_answered() const;
  uint64_t queries_late() const;

  const v1::GetStatusResponse& proto() const { return *response_; }

 private:
  std::unique_ptr<v1::GetStatusResponse> response_;
};

// What may be sent to a running daemon: sources, entities and their types
// (freshline/v1/operations.pb.h).
class DaemonSchema {
 public:
  explicit DaemonSchema(std::unique_ptr<v1::GetSchemaResponse> response);
  ~DaemonSchema();
  DaemonSchema(DaemonSchema&&) noexcept;
  DaemonSchema& operator=(DaemonSchema&&) noexcept;

  const v1::GetSchemaResponse& proto() const { return *response_; }

 private:
  std::unique_ptr<v1::GetSchemaResponse> response_;
};

enum class Health { kUnknown = 0, kServing = 1, kNotServing = 2 };

// A connection to freshlined.
//
// Lifecycle: Create() connects lazily, at the first call; connections that
// break are made again by themselves. The destructor cancels what is under way,
// waits until every callback has run, and must not be called from a callback.
//
// Thread-safety: every method from any thread.
//
// Errors: a status of the daemon arrives with its code and message; binary
// error details, where sent, are its payload "grpc-status-details-bin", and
// what it says of when to come again is its payload "grpc-retry-pushback-ms".
// From the connection itself: UNAVAILABLE (not reached, or broken), which names
// the target; DEADLINE_EXCEEDED; RESOURCE_EXHAUSTED (outstanding_max);
// CANCELLED (the client is being destroyed). Nothing is retried: a query's time
// is short, and events are safe to send again only with a producer.
//
// Callbacks run exactly once, on a completion thread, or on the calling thread
// before the call returns where it was refused. They must not block for long:
// the thread serves other calls too. A callback may start further calls.
class Client {
 public:
  using FeatureCallback =
      absl::AnyInvocable<void(absl::StatusOr<FeatureAnswer>) &&>;
  using PushCallback = absl::AnyInvocable<void(absl::StatusOr<PushAnswer>) &&>;
  using OutcomeCallback =
      absl::AnyInvocable<void(absl::StatusOr<OutcomeAnswer>) &&>;
  using StatusCallback =
      absl::AnyInvocable<void(absl::StatusOr<DaemonStatus>) &&>;
  using SchemaCallback =
      absl::AnyInvocable<void(absl::StatusOr<DaemonSchema>) &&>;
  using HealthCallback = absl::AnyInvocable<void(absl::StatusOr<Health>) &&>;

  // Returns: INVALID_ARGUMENT naming the option, its value and its range.
  static absl::StatusOr<std::unique_ptr<Client>> Create(
      const ClientOptions& options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void GetFeatures(const FeatureRequest& request, FeatureCallback done);
  void PushEvents(absl::Span<const EventRows> batches, PushCallback done);
  void ReportOutcome(const OutcomeReport& report, OutcomeCallback done);
  void GetStatus(StatusCallback done);
  void GetSchema(SchemaCallback done);
  // The health of `service`; "" is the daemon as a whole.
  void CheckHealth(absl::string_view service, HealthCallback done);

  // The same, waiting. From a callback: FAILED_PRECONDITION, because the
  // thread would wait for itself.
  absl::StatusOr<FeatureAnswer> GetFeatures(const FeatureRequest& request);
  absl::StatusOr<PushAnswer> PushEvents(absl::Span<const EventRows> batches);
  absl::StatusOr<PushAnswer> PushEvents(const EventRows& events);
  absl::StatusOr<OutcomeAnswer> ReportOutcome(const OutcomeReport& report);
  absl::StatusOr<DaemonStatus> GetStatus();
  absl::StatusOr<DaemonSchema> GetSchema();
  absl::StatusOr<Health> CheckHealth(absl::string_view service = "");

 private:
  Client(const ClientOptions& options, std::unique_ptr<client::RawClient> raw);

  const ClientOptions options_;
  // What the way to the daemon and back costs: each query tells the daemon
  // what those before it saw, so that its SLO holds here.
  const std::unique_ptr<client::OverheadMeter> overhead_;
  const std::unique_ptr<client::RawClient> raw_;
};

}  // namespace freshline
