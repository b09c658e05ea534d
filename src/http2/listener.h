// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace freshline::http2 {

// Sockets that listen on one address, as configured: one for each address that
// the host name stands for, or one Unix socket. Nobody else listens there: a
// port is never shared, and the path of a Unix socket is taken under a lock
// file beside it ("PATH.lock"), so that of two daemons only one gets it. What a
// daemon that is gone left behind is replaced; what is served, or is no socket,
// is not touched.
//
// Thread-safety: none.
class Listener {
 public:
  // `address` is "host:port", "[IPv6]:port" or "unix:/path".
  // Returns: FAILED_PRECONDITION that names the address and why not.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(
      absl::string_view address);
  // Closes the sockets. Removes the path of a Unix socket where it still is
  // this one.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Nonblocking.
  const std::vector<int>& fds() const { return fds_; }
  // As bound; 0 for a Unix socket.
  int port() const { return port_; }

 private:
  Listener() = default;
  absl::Status OpenTcp(const std::string& host, const std::string& port);
  absl::Status OpenUnix(const std::string& path);
  absl::Status Lock(const std::string& path);
  absl::Status ClearPath(const std::string& path);

  std::vector<int> fds_;
  int port_ = 0;
  std::string path_;  // of the Unix socket, once it is ours
  struct stat bound_ {};
  int lock_fd_ = -1;
  std::string lock_path_;
};

}  // namespace freshline::http2
