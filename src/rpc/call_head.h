// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "base/time.h"

namespace freshline::rpc {

// What the headers of a gRPC call say, as far as it matters here. One is kept
// for each connection and used for one call after the other.
//
// Thread-safety: none.
// Cost: no allocation but for the longest path so far.
class CallHead {
 public:
  // Forgets the call before.
  void Reset();
  void Add(absl::string_view name, absl::string_view value);

  // "/package.Service/Method".
  const std::string& path() const { return path_; }
  bool is_post() const { return is_post_; }
  // Whether the content-type is gRPC's, with messages in protobuf.
  bool is_grpc() const { return is_grpc_; }
  // From when the client sent it; kInfinite where it sets no limit.
  base::Duration timeout() const { return timeout_; }
  // What messages may be compressed by; empty where nothing was said.
  const std::string& encoding() const { return encoding_; }
  // Metadata of the application, as HTTP/2 counts them: 32 bytes an entry more
  // than their text. What belongs to the protocol does not count.
  uint64_t metadata_bytes() const { return metadata_bytes_; }

  // How many headers there are, and which of them is the timeout; -1 for none.
  int fields() const { return fields_; }
  int timeout_field() const { return timeout_field_; }

  static constexpr base::Duration kInfinite = base::Duration::max();

 private:
  std::string path_;
  bool is_post_ = false;
  bool is_grpc_ = false;
  base::Duration timeout_ = kInfinite;
  std::string encoding_;
  uint64_t metadata_bytes_ = 0;
  int fields_ = 0;
  int timeout_field_ = -1;
};

// The value of grpc-timeout: at most eight digits and a unit. Returns:
// kInfinite for what is no such thing, and for what is longer than a century.
base::Duration ParseTimeout(absl::string_view text);

// A status message as a header may carry it: space to '~' but '%' as they are,
// all else as %XX.
std::string PercentEncode(absl::string_view text);

}  // namespace freshline::rpc
