// SPDX-License-Identifier: Apache-2.0
#include "http2/connections.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/support/fake_clock.h"

namespace freshline::http2 {
namespace {

using std::chrono::seconds;

sockaddr_storage V4(const char* address, uint16_t port) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  inet_pton(AF_INET, address, &in.sin_addr);
  sockaddr_storage out{};
  std::memcpy(&out, &in, sizeof(in));
  return out;
}

sockaddr_storage V6(const char* address, uint16_t port) {
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port);
  inet_pton(AF_INET6, address, &in.sin6_addr);
  sockaddr_storage out{};
  std::memcpy(&out, &in, sizeof(in));
  return out;
}

sockaddr_storage UnixPeer() {
  sockaddr_storage out{};
  out.ss_family = AF_UNIX;
  return out;
}

class ConnectionsTest : public ::testing::Test {
 protected:
  void TearDown() override {
    for (const int fd : fds_) close(fd);
  }
  void Make() { connections_ = std::make_unique<Connections>(limits_, clock_); }
  int NewFd() { return fds_.emplace_back(open("/dev/null", O_RDONLY)); }
  Refusal Admit(int fd, const sockaddr_storage& peer) {
    return connections_->Admit(fd, peer, &last_);
  }
  void Close(int fd, const Connection& connection) {
    connections_->Closing(connection);
    std::erase(fds_, fd);
    close(fd);
  }
  uint64_t RefusedFor(Refusal why) const {
    return connections_->stats().refused[static_cast<size_t>(why)];
  }

  test::FakeClock clock_;
  Connections::Limits limits_;
  std::unique_ptr<Connections> connections_;
  std::vector<int> fds_;
  std::shared_ptr<Connection> last_;  // that was admitted
};

TEST(PeerNameTest, IsWrittenAsGrpcDoes) {
  EXPECT_EQ(PeerName(V4("127.0.0.1", 80)), "ipv4:127.0.0.1:80");
  EXPECT_EQ(PeerName(V6("::1", 80)), "ipv6:%5B::1%5D:80");
  EXPECT_EQ(PeerName(V6("::ffff:10.0.0.1", 80)), "ipv4:10.0.0.1:80");
  EXPECT_EQ(PeerName(UnixPeer()), "");
  EXPECT_EQ(PeerAddress(V4("127.0.0.1", 80)), "127.0.0.1");
  EXPECT_EQ(PeerAddress(V6("::ffff:10.0.0.1", 80)), "10.0.0.1");
}

TEST_F(ConnectionsTest, CountsAConnectionUntilItIsClosed) {
  Make();
  const int fd = NewFd();
  ASSERT_EQ(Admit(fd, V4("1.2.3.4", 5)), Refusal::kNone);
  EXPECT_EQ(last_->peer(), "ipv4:1.2.3.4:5");
  EXPECT_EQ(connections_->stats().open, 1U);
  Close(fd, *last_);
  EXPECT_EQ(connections_->stats().open, 0U);
  EXPECT_EQ(connections_->stats().accepted, 1U);
  EXPECT_EQ(connections_->Sweep(), 1U);
  EXPECT_EQ(connections_->Sweep(), 0U);
}

TEST_F(ConnectionsTest, KeepsPeersOnUnixSocketsApart) {
  Make();
  ASSERT_EQ(Admit(NewFd(), UnixPeer()), Refusal::kNone);
  const auto first = last_;
  ASSERT_EQ(Admit(NewFd(), UnixPeer()), Refusal::kNone);
  EXPECT_NE(first->peer(), last_->peer());
  EXPECT_NE(first->fd(), last_->fd());
}

TEST_F(ConnectionsTest, RefusesBeyondTheNumberInAll) {
  limits_.open_max = 2;
  Make();
  const int first = NewFd();
  ASSERT_EQ(Admit(first, V4("1.2.3.4", 1)), Refusal::kNone);
  const auto connection = last_;
  ASSERT_EQ(Admit(NewFd(), UnixPeer()), Refusal::kNone);
  EXPECT_EQ(Admit(NewFd(), UnixPeer()), Refusal::kInAll);
  EXPECT_EQ(Admit(NewFd(), V4("1.2.3.5", 1)), Refusal::kInAll);
  EXPECT_EQ(RefusedFor(Refusal::kInAll), 2U);
  Close(first, *connection);
  EXPECT_EQ(Admit(NewFd(), V4("1.2.3.5", 1)), Refusal::kNone);
}

TEST_F(ConnectionsTest, RefusesBeyondTheNumberOfAnAddress) {
  limits_.per_address_max = 1;
  Make();
  const int first = NewFd();
  ASSERT_EQ(Admit(first, V4("1.2.3.4", 1)), Refusal::kNone);
  const auto connection = last_;
  EXPECT_EQ(Admit(NewFd(), V4("1.2.3.4", 2)), Refusal::kPerAddress);
  EXPECT_EQ(Admit(NewFd(), V6("::ffff:1.2.3.4", 3)), Refusal::kPerAddress);
  EXPECT_EQ(Admit(NewFd(), V4("1.2.3.5", 2)), Refusal::kNone);
  EXPECT_EQ(Admit(NewFd(), UnixPeer()), Refusal::kNone);
  EXPECT_EQ(Admit(NewFd(), UnixPeer()), Refusal::kNone);
  Close(first, *connection);
  EXPECT_EQ(Admit(NewFd(), V4("1.2.3.4", 2)), Refusal::kNone);
}

TEST_F(ConnectionsTest, KeepsDescriptorsForAllElse) {
  const int fd = NewFd();
  limits_.descriptor_max = fd;
  Make();
  EXPECT_EQ(Admit(fd, UnixPeer()), Refusal::kDescriptors);
  EXPECT_EQ(RefusedFor(Refusal::kDescriptors), 1U);
  connections_->Refused(Refusal::kDescriptors);
  EXPECT_EQ(RefusedFor(Refusal::kDescriptors), 2U);
}

TEST_F(ConnectionsTest, AnAddressWhoseConnectionsWereEndedWaitsAWhile) {
  Make();
  uint16_t port = 1;
  const auto end_one = [&](EndReason reason = EndReason::kIdleFrames) {
    const int fd = NewFd();
    ASSERT_EQ(Admit(fd, V4("1.2.3.4", port)), Refusal::kNone);
    last_->MarkEnded(reason);
    Close(fd, *last_);
    ++port;
  };
  // May have been the daemon's own fault.
  for (int i = 0; i < 20; ++i) end_one(EndReason::kResets);
  for (int i = 0; i < 3; ++i) end_one();
  EXPECT_EQ(Admit(NewFd(), V4("1.2.3.4", 99)), Refusal::kPenalty);
  EXPECT_EQ(Admit(NewFd(), V4("1.2.3.5", 99)), Refusal::kNone);
  connections_->Sweep();  // what is to be regretted is not forgotten
  clock_.Advance(seconds(1));
  EXPECT_EQ(Admit(NewFd(), V4("1.2.3.4", 99)), Refusal::kPenalty);
  clock_.Advance(seconds(1));
  end_one();
  EXPECT_EQ(Admit(NewFd(), V4("1.2.3.4", 99)), Refusal::kPenalty);
  const auto stats = connections_->stats();
  EXPECT_EQ(stats.ended[static_cast<size_t>(EndReason::kIdleFrames)], 4U);
  EXPECT_EQ(stats.ended[static_cast<size_t>(EndReason::kResets)], 20U);
}

TEST_F(ConnectionsTest, EndsThoseThatTakeNothing) {
  Make();
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  fds_.insert(fds_.end(), {ends[0], ends[1]});
  ASSERT_EQ(Admit(ends[0], V4("1.2.3.4", 5)), Refusal::kNone);
  const auto connection = last_;
  ASSERT_TRUE(connection->TryHold(1));
  connections_->Sweep();
  EXPECT_EQ(connection->ended(), EndReason::kNone);
  clock_.Advance(seconds(21));
  connections_->Sweep();
  EXPECT_EQ(connection->ended(), EndReason::kUnreadAnswers);
  char byte = 0;
  EXPECT_EQ(read(ends[1], &byte, 1), 0) << "the peer sees the end";
}

TEST(DescriptorsMaxTest, IsBelowTheLimitOfTheProcess) {
  EXPECT_EQ(DescriptorsMax(10) + 10, DescriptorsMax(0));
  EXPECT_LE(DescriptorsMax(0), kDescriptorsMax);
  EXPECT_GT(DescriptorsMax(0), 0);
}

}  // namespace
}  // namespace freshline::http2
