// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/thread.h"
#include "freshline/v1/operations.pb.h"
#include "http2/connections.h"
#include "ingest/ingest.h"
#include "outcome/outcome_book.h"
#include "registry/revision.h"
#include "rpc/request_counts.h"
#include "serve/feature_server.h"

namespace freshline::rpc {

struct ServerOptions {
  std::vector<std::string> listen;  // "host:port" or "unix:/path"
  uint32_t pollers = 1;
  base::SchedClass poller_class = base::SchedClass::kNormal;
  uint32_t receive_bytes_max = 4 << 20;
  uint32_t send_bytes_max = 4 << 20;
  uint32_t streams_per_connection_max = 1024;
  uint32_t requests_in_flight_max = 10'000;
  uint32_t events_per_request_max = 10'000;
  // Larger requests are decoded on the intake, in bytes as sent.
  uint32_t poller_request_bytes_max = 8 << 10;
  uint32_t intake_bytes_max = 64 << 20;
  uint32_t memory_quota_bytes = 192 << 20;
  // What calls may be open follows streams_per_connection_max and
  // requests_in_flight_max, what headers metadata_bytes_max.
  http2::Connections::Limits connections;
  base::Duration handshake_max = std::chrono::seconds(10);
  base::Duration connection_idle_max = std::chrono::minutes(10);
  base::Duration connection_age_max = std::chrono::minutes(30);  // 0: none
  // What a request refused with RESOURCE_EXHAUSTED is told to wait before it
  // is sent again: whole milliseconds, 1 at least.
  base::Duration retry_after = std::chrono::milliseconds(100);
  bool reflection = true;
};

// A thread of the server, with the class that the kernel granted.
struct ServingThread {
  std::string name;
  base::SchedClass sched_class = base::SchedClass::kNormal;
  base::SchedClass wanted = base::SchedClass::kNormal;
};

// What a server says of itself. A view: valid while the server is.
struct ServerReport {
  std::span<const ServingThread> threads;
  bool draining = false;
  const RequestCounts* counts = nullptr;
};

// The gRPC front end: gRPC's protocol over our own HTTP/2 (http2/session.h). A
// connection is served by one of the poller threads for its life. A poller
// decodes, applies inline work and enqueues; answers are encoded by whoever
// completes them, and sent by the poller. Large requests are left to the
// intake, one thread of normal class: a poller would be kept by them from all
// others, the more so under SCHED_FIFO.
//
// Order: requests that are in flight at once may be served in any order, with
// one exception: events with a producer are applied in the order in which their
// requests were complete, among those of one connection.
// Lifecycle: Start() serves; Drain(), then destroy. All of the rooms outlive
// the server.
// Limits: every one of ServerOptions, plus keepalive; compressed messages are
// refused, and an address in use is an error, never shared. What each
// connection costs is counted and bounded (http2/connections.h). What is
// refused with RESOURCE_EXHAUSTED carries retry_after as trailing metadata,
// under kRetryPushbackKey (rpc/grpc_status.h).
class Server {
 public:
  struct Rooms {
    const base::Clock* clock;
    serve::FeatureServer* features;
    ingest::EventIngest* ingest;
    outcome::OutcomeBook* outcomes;
    // Answers GetStatus. Called on a poller.
    std::function<void(const ServerReport&, v1::GetStatusResponse*)> status;
    // The definitions in effect. Called on a poller.
    std::function<std::shared_ptr<const registry::Revision>()> revision;
  };

  // Returns: FAILED_PRECONDITION for the first address that cannot be listened
  // on, named, with the reason.
  static absl::StatusOr<std::unique_ptr<Server>> Start(ServerOptions options,
                                                       Rooms rooms);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  ServerReport report() const;

  // The port bound by listen[i]; 0 for a Unix socket.
  int port(size_t i) const;

  // Reports NOT_SERVING and refuses new queries with UNAVAILABLE; those that
  // wait are answered as always.
  void BeginDrain();
  // When the last call of the feature store came; now, while the intake is at
  // work.
  base::MonoTime last_activity() const;
  // Ends the connections: takes no more, asks clients to open no more calls,
  // waits at most `timeout` for calls under way to be answered, and a moment
  // for their answers to be read; what the intake holds is served. All else
  // ends at once: streams, and whoever merely hangs. A call that comes too late
  // is never served, which clients are told (the last stream of GOAWAY), and
  // retry elsewhere.
  void Shutdown(base::Duration timeout);

 private:
  struct Rep;
  explicit Server(std::unique_ptr<Rep> rep);
  std::unique_ptr<Rep> rep_;
};

}  // namespace freshline::rpc
