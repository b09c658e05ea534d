// SPDX-License-Identifier: Apache-2.0
#include "rpc/socket_tap.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace freshline::rpc {
namespace {

class RecordingTap final : public SocketTap {
 public:
  bool OnRead(const msghdr& message, size_t bytes) override {
    read += std::string(static_cast<const char*>(message.msg_iov[0].iov_base),
                        bytes);
    return allow;
  }
  void OnClose() override { ++closed; }
  const sockaddr_un* stand_in_name() const override {
    return name.sun_family == 0 ? nullptr : &name;
  }

  std::string read;
  bool allow = true;
  int closed = 0;
  sockaddr_un name{};
};

class SocketTapTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data()), 0);
  }
  void TearDown() override {
    if (ends_[0] >= 0) close(ends_[0]);
    close(ends_[1]);
  }
  void Send(const std::string& bytes) {
    ASSERT_EQ(write(ends_[1], bytes.data(), bytes.size()),
              static_cast<ssize_t>(bytes.size()));
  }
  ssize_t Receive(int flags = 0) {
    iovec part{buffer_.data(), buffer_.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    return recvmsg(ends_[0], &message, flags);
  }

  std::array<int, 2> ends_{};
  std::array<char, 64> buffer_{};
  RecordingTap tap_;
};

TEST_F(SocketTapTest, SeesWhatIsReadAndLeavesItAsItIs) {
  TapSocket(ends_[0], &tap_);
  Send("hello");
  EXPECT_EQ(Receive(), 5);
  EXPECT_EQ(std::string(buffer_.data(), 5), "hello");
  EXPECT_EQ(tap_.read, "hello");
}

TEST_F(SocketTapTest, APeekIsNoRead) {
  TapSocket(ends_[0], &tap_);
  Send("hello");
  EXPECT_EQ(Receive(MSG_PEEK), 5);
  EXPECT_EQ(tap_.read, "");
}

TEST_F(SocketTapTest, ItsNoIsAResetForTheReader) {
  TapSocket(ends_[0], &tap_);
  tap_.allow = false;
  Send("hello");
  EXPECT_EQ(Receive(), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(SocketTapTest, IsToldOfTheCloseAndOfNothingAfterwards) {
  TapSocket(ends_[0], &tap_);
  EXPECT_EQ(close(ends_[0]), 0);
  EXPECT_EQ(tap_.closed, 1);
  // The number is free for anything else now.
  const int again = dup(ends_[1]);
  EXPECT_EQ(again, ends_[0]);
  ends_[0] = -1;
  close(again);
  EXPECT_EQ(tap_.closed, 1);
}

TEST_F(SocketTapTest, AnUntappedSocketTellsNobody) {
  TapSocket(ends_[0], &tap_);
  UntapSocket(ends_[0]);
  Send("hello");
  EXPECT_EQ(Receive(), 5);
  EXPECT_EQ(tap_.read, "");
  EXPECT_EQ(close(std::exchange(ends_[0], -1)), 0);
  EXPECT_EQ(tap_.closed, 0);
}

TEST_F(SocketTapTest, ItsPeerGoesByTheNameInItsStead) {
  tap_.name.sun_family = AF_UNIX;
  std::strcpy(tap_.name.sun_path + 1, "seven");
  TapSocket(ends_[0], &tap_);
  sockaddr_un peer{};
  socklen_t length = sizeof(peer);
  ASSERT_EQ(getpeername(ends_[0], reinterpret_cast<sockaddr*>(&peer), &length),
            0);
  EXPECT_EQ(std::string(peer.sun_path + 1,
                        length - offsetof(sockaddr_un, sun_path) - 1),
            "seven");
  EXPECT_EQ(peer.sun_path[0], '\0');
  UntapSocket(ends_[0]);
  length = sizeof(peer);
  ASSERT_EQ(getpeername(ends_[0], reinterpret_cast<sockaddr*>(&peer), &length),
            0);
  EXPECT_EQ(length, sizeof(sa_family_t)) << "it has no name";
}

}  // namespace
}  // namespace freshline::rpc
