// SPDX-License-Identifier: Apache-2.0
#include "http2/acceptor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <unistd.h>

#include <latch>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "tests/support/status_matchers.h"

namespace freshline::http2 {
namespace {

using absl::StatusCode;
using test::IsOk;
using test::StatusIs;
using ::testing::HasSubstr;

// Keeps what it is handed.
class Receiver {
 public:
  ~Receiver() {
    for (const int fd : fds_) close(fd);
  }
  Acceptor::Handover Handover() {
    return [this](const std::shared_ptr<Connection>& connection) {
      base::MutexLock lock(&mu_);
      fds_.push_back(connection->fd());
      come_.NotifyAll();
    };
  }
  // Waits for connection `n`, counted from 1. Returns: its descriptor.
  int Await(size_t n) {
    base::MutexLock lock(&mu_);
    while (fds_.size() < n) come_.Wait(&mu_);
    return fds_[n - 1];
  }

 private:
  base::Mutex mu_;
  base::CondVar come_;
  std::vector<int> fds_ ABSL_GUARDED_BY(mu_);
};

class AcceptorTest : public ::testing::Test {
 protected:
  void TearDown() override {
    for (const int fd : clients_) close(fd);
  }
  void Start(const std::vector<std::string>& addresses) {
    auto acceptor =
        Acceptor::Open(addresses, base::Clock::Real(), &connections_);
    ASSERT_THAT(acceptor, IsOk());
    acceptor_ = *std::move(acceptor);
    acceptor_->Start(receiver_.Handover());
  }
  // Returns: a client of 127.0.0.1, connected.
  int Connect(int port) {
    const int fd = clients_.emplace_back(socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_GE(fd, 0);
    Connect(fd, port);
    return fd;
  }
  static void Connect(int fd, int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(
        connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  // Blocks until the peer of `fd` has closed it.
  static bool AwaitEnd(int fd) {
    char byte = 0;
    return read(fd, &byte, 1) <= 0;
  }

  Connections connections_{Connections::Limits{}, base::Clock::Real()};
  Receiver receiver_;
  std::vector<int> clients_;
  std::unique_ptr<Acceptor> acceptor_;
};

TEST_F(AcceptorTest, HandsOverWhatComesToAnyAddress) {
  Start({"127.0.0.1:0", "127.0.0.1:0"});
  EXPECT_NE(acceptor_->port(0), acceptor_->port(1));
  Connect(acceptor_->port(0));
  receiver_.Await(1);
  Connect(acceptor_->port(1));
  const int fd = receiver_.Await(2);
  EXPECT_NE(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  int no_delay = 0;
  socklen_t length = sizeof(no_delay);
  getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &length);
  EXPECT_EQ(no_delay, 1);
  EXPECT_EQ(connections_.stats().open, 2U);
}

TEST_F(AcceptorTest, NamesTheAddressThatItCannotHave) {
  EXPECT_THAT(
      Acceptor::Open({"127.0.0.1:0", "192.0.2.1:80"}, base::Clock::Real(),
                     &connections_)
          .status(),
      StatusIs(StatusCode::kFailedPrecondition, HasSubstr("192.0.2.1:80")));
}

TEST_F(AcceptorTest, FreesItsPortWhenItStops) {
  Start({"127.0.0.1:0"});
  const int port = acceptor_->port(0);
  acceptor_->Stop();
  EXPECT_EQ(acceptor_->port(0), port);
  EXPECT_THAT(Acceptor::Open({std::string(absl::StrCat("127.0.0.1:", port))},
                             base::Clock::Real(), &connections_),
              IsOk());
}

// The process may open no descriptor while it is there.
class NoDescriptors {
 public:
  NoDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const int next = dup(0);
    close(next);
    rlimit none = before_;
    none.rlim_cur = static_cast<rlim_t>(next);
    setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(AcceptorTest, OutOfDescriptorsItTurnsAwayAndGoesOnAfterwards) {
  Start({"127.0.0.1:0"});
  const int port = acceptor_->port(0);
  constexpr int kTurnedAway = 5;
  for (int i = 0; i < kTurnedAway; ++i) {
    clients_.push_back(socket(AF_INET, SOCK_STREAM, 0));
  }
  {
    const NoDescriptors none;
    for (const int fd : clients_) {
      Connect(fd, port);
      EXPECT_TRUE(AwaitEnd(fd));
    }
  }
  EXPECT_EQ(
      connections_.stats().refused[static_cast<size_t>(Refusal::kDescriptors)],
      kTurnedAway);
  Connect(port);
  receiver_.Await(1);
  EXPECT_EQ(connections_.stats().open, 1U);
}

TEST_F(AcceptorTest, ClosesWhatIsRefused) {
  Connections::Limits limits;
  limits.open_max = 1;
  Connections one(limits, base::Clock::Real());
  auto acceptor = Acceptor::Open({"127.0.0.1:0"}, base::Clock::Real(), &one);
  ASSERT_THAT(acceptor, IsOk());
  (*acceptor)->Start(receiver_.Handover());
  Connect((*acceptor)->port(0));
  receiver_.Await(1);
  EXPECT_TRUE(AwaitEnd(Connect((*acceptor)->port(0))));
  (*acceptor)->Stop();
}

}  // namespace
}  // namespace freshline::http2
