// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace freshline::bench {

struct EchoOptions {
  std::string listen = "127.0.0.1:0";  // or "unix:/path"
  // What every GetFeatures and PushEvents is answered with, whatever the
  // request; at most 64 MiB. EchoAnswer() makes one of a given size.
  std::string answer;
  // Threads under SCHED_IDLE that scan a table of scan_bytes each round, as
  // the daemon's workers would: the floor stands beside the same load of the
  // memory and of the cores. 0 to 256; 0 to 4 GiB.
  int scan_threads = 0;
  size_t scan_bytes = 0;
  // Where to write the bound port and a line break. Empty: nowhere.
  std::string port_file;
};

// `bytes` bytes that decode as a GetFeaturesResponse without rows: a padded
// request id. Below 3 bytes: empty; one byte less where a length needs it.
std::string EchoAnswer(size_t bytes);

// The least that a gRPC server can do, made as the daemon's front end is: the
// asynchronous API, unary calls, one polling thread; requests are read and
// never decoded.
// What violates an SLO here, the machine and gRPC alone did. Its thread runs
// under SCHED_FIFO where that is granted, as the daemon's pollers do.
//
// Lifecycle: Start() serves at once; the destructor ends calls and threads.
class EchoServer {
 public:
  // Returns: INVALID_ARGUMENT naming the option; UNAVAILABLE where the address
  // cannot be bound.
  static absl::StatusOr<std::unique_ptr<EchoServer>> Start(
      const EchoOptions& options);
  ~EchoServer();
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

  int port() const;  // 0 for a Unix socket

 private:
  struct Rep;
  explicit EchoServer(std::unique_ptr<Rep> rep);
  const std::unique_ptr<Rep> rep_;
};

}  // namespace freshline::bench
