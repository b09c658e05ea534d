// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace freshline::daemon {

// Where to listen: a TCP port or a Unix socket.
struct ListenAddress {
  std::string host;       // a name, or an IPv4 or IPv6 address, no brackets
  uint16_t port = 0;      // 0: take a free one
  std::string unix_path;  // absolute; not empty: a Unix socket, no host

  bool is_unix() const { return !unix_path.empty(); }
  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

// Reads "host:port", "[::1]:port" or "unix:/path".
// Returns: INVALID_ARGUMENT naming the text and what is wrong with it.
absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view text);

// The text that ParseListenAddress() reads back, and that gRPC listens on.
std::string FormatListenAddress(const ListenAddress& address);

// Whether only this machine can reach it: a Unix socket, "localhost",
// 127.0.0.0/8, ::1. Any other name is taken to be reachable from outside; it
// is not looked up.
bool IsLoopback(const ListenAddress& address);

}  // namespace freshline::daemon
