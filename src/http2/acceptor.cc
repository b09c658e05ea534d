// SPDX-License-Identifier: Apache-2.0
#include "http2/acceptor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "base/check.h"
#include "base/status_macros.h"
#include "base/thread.h"

namespace freshline::http2 {
namespace {

constexpr base::Duration kSweepEvery = std::chrono::milliseconds(500);
// What is accepted before other listeners have their turn.
constexpr int kAcceptedInARow = 64;
// Unacknowledged data end a connection after so long.
constexpr unsigned kUserTimeoutMs = 20'000;

bool OutOfDescriptors(int error) { return error == EMFILE || error == ENFILE; }

void Prepare(int fd, const sockaddr_storage& peer) {
  if (peer.ss_family != AF_INET && peer.ss_family != AF_INET6) return;
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUserTimeoutMs,
             sizeof(kUserTimeoutMs));
}

}  // namespace

Acceptor::Acceptor(const base::Clock& clock, Connections* connections)
    : clock_(clock),
      connections_(connections),
      reserve_fd_(open("/dev/null", O_RDONLY | O_CLOEXEC)),
      wake_fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  FRESHLINE_CHECK(wake_fd_ >= 0);
}

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Open(
    const std::vector<std::string>& addresses, const base::Clock& clock,
    Connections* connections) {
  std::unique_ptr<Acceptor> acceptor(new Acceptor(clock, connections));
  for (const std::string& address : addresses) {
    FRESHLINE_ASSIGN_OR_RETURN(std::unique_ptr<Listener> listener,
                               Listener::Open(address));
    acceptor->ports_.push_back(listener->port());
    acceptor->listeners_.push_back(std::move(listener));
  }
  return acceptor;
}

Acceptor::~Acceptor() {
  Stop();
  close(wake_fd_);
  if (reserve_fd_ >= 0) close(reserve_fd_);
}

void Acceptor::Start(Handover handover) {
  handover_ = std::move(handover);
  thread_ = std::thread([this] { Loop(); });
}

void Acceptor::Stop() {
  if (thread_.joinable()) {
    eventfd_write(wake_fd_, 1);
    thread_.join();
  }
  listeners_.clear();
}

void Acceptor::Loop() {
  base::PrepareThread("acceptor", /*punctual=*/false);
  base::SetOwnSchedClass(base::SchedClass::kNormal);
  std::vector<pollfd> waits{{wake_fd_, POLLIN, 0}};
  for (const auto& listener : listeners_) {
    for (const int fd : listener->fds()) waits.push_back({fd, POLLIN, 0});
  }
  base::MonoTime next_sweep = clock_.Now() + kSweepEvery;
  bool paused = false;
  for (;;) {
    const base::Duration until_sweep =
        std::clamp(next_sweep - clock_.Now(), base::Duration::zero(),
                   paused ? kPause : kSweepEvery);
    const auto wait_ms =
        std::chrono::ceil<std::chrono::milliseconds>(until_sweep).count();
    // While paused, only the end of it is waited for.
    poll(waits.data(), paused ? 1 : waits.size(), static_cast<int>(wait_ms));
    if ((waits[0].revents & POLLIN) != 0) return;
    if (!std::exchange(paused, false)) {
      for (size_t i = 1; i < waits.size(); ++i) {
        if (waits[i].revents != 0 && !AcceptAll(waits[i].fd)) paused = true;
      }
    }
    if (clock_.Now() < next_sweep) continue;
    next_sweep = clock_.Now() + kSweepEvery;
    memory_.AfterSweep(connections_->Sweep() > 0, clock_.Now());
  }
}

bool Acceptor::AcceptAll(int listener_fd) {
  for (int i = 0; i < kAcceptedInARow; ++i) {
    sockaddr_storage peer{};
    socklen_t length = sizeof(peer);
    const int fd = accept4(listener_fd, reinterpret_cast<sockaddr*>(&peer),
                           &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
      // The client is gone already: its errors are not the listener's.
      if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
      if (OutOfDescriptors(errno) && TurnAway(listener_fd)) continue;
      return false;
    }
    std::shared_ptr<Connection> connection;
    if (connections_->Admit(fd, peer, &connection) != Refusal::kNone) {
      close(fd);
      continue;
    }
    Prepare(fd, peer);
    handover_(std::move(connection));
  }
  return true;
}

bool Acceptor::TurnAway(int listener_fd) {
  if (reserve_fd_ >= 0) close(reserve_fd_);
  const int fd = accept4(listener_fd, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) {
    connections_->Refused(Refusal::kDescriptors);
    close(fd);
  }
  // Somebody else may have been quicker.
  reserve_fd_ = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return fd >= 0;
}

}  // namespace freshline::http2
