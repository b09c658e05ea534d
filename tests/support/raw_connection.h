// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>

#include "tests/support/http2_frames.h"

namespace freshline::test {

// A client that says what it likes.
class RawConnection {
 public:
  explicit RawConnection(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(
        connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
        0);
  }
  RawConnection(RawConnection&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), stream_(other.stream_) {}
  RawConnection& operator=(RawConnection&&) = delete;
  ~RawConnection() {
    if (fd_ >= 0) close(fd_);
  }

  // Returns: false once the server has hung up.
  bool Send(const std::string& bytes) const {
    return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  void Begin(uint32_t window = 65'535) const {
    EXPECT_TRUE(Send(kHttp2Preface + ClientSettings(window)));
  }
  // What all streams together may send to it, beyond the 65,535 at first.
  void Widen(uint32_t bytes) const {
    EXPECT_TRUE(
        Send(Frame(FrameType::kWindowUpdate, 0, 0, BigEndian(bytes, 4))));
  }
  // A request of `path`, empty unless told.
  void Ask(const std::string& path, const std::string& message = "") {
    EXPECT_TRUE(Send(
        Frame(FrameType::kHeaders, kEndHeaders, stream_, CallHeaders(path)) +
        Frame(FrameType::kData, kEndStream, stream_, GrpcMessage(message))));
    stream_ += 2;
  }
  // Waits for the first bytes of the server.
  void AwaitServer() const {
    char byte = 0;
    EXPECT_EQ(recv(fd_, &byte, 1, MSG_PEEK), 1);
  }
  // Reads until the server hangs up.
  void AwaitEnd() const {
    char buffer[4096];
    while (recv(fd_, buffer, sizeof(buffer), 0) > 0) {
    }
  }

 private:
  int fd_;
  uint32_t stream_ = 1;
};

}  // namespace freshline::test
