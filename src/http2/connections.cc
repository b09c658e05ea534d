// SPDX-License-Identifier: Apache-2.0
#include "http2/connections.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <spdlog/spdlog.h>

#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace freshline::http2 {
namespace {

struct NumericPeer {
  bool v6 = false;
  std::string address;
  uint16_t port = 0;
};

NumericPeer Numeric(const sockaddr_storage& peer) {
  NumericPeer out;
  char text[INET6_ADDRSTRLEN] = "";
  if (peer.ss_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &peer, sizeof(in));
    inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
    out.port = ntohs(in.sin_port);
  } else if (peer.ss_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, &peer, sizeof(in));
    out.port = ntohs(in.sin6_port);
    out.v6 = !IN6_IS_ADDR_V4MAPPED(&in.sin6_addr);
    if (out.v6) {
      inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof(text));
    } else {
      inet_ntop(AF_INET, &in.sin6_addr.s6_addr[12], text, sizeof(text));
    }
  }
  out.address = text;
  return out;
}

bool Inexcusable(EndReason reason) {
  return reason == EndReason::kHeaderBlock || reason == EndReason::kIdleFrames;
}

}  // namespace

std::string PeerName(const sockaddr_storage& peer) {
  const NumericPeer p = Numeric(peer);
  if (p.address.empty()) return "";
  if (p.v6) return absl::StrCat("ipv6:%5B", p.address, "%5D:", p.port);
  return absl::StrCat("ipv4:", p.address, ":", p.port);
}

std::string PeerAddress(const sockaddr_storage& peer) {
  return Numeric(peer).address;
}

int DescriptorsMax(int own) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kDescriptorsMax;
  const auto all =
      static_cast<int>(std::min<rlim_t>(limit.rlim_cur, kDescriptorsMax));
  return std::max(all - own, 0);
}

const char* RefusalName(Refusal refusal) {
  switch (refusal) {
    case Refusal::kInAll:
      return "connections_max";
    case Refusal::kPerAddress:
      return "connections_per_address_max";
    case Refusal::kPenalty:
      return "penalty";
    case Refusal::kDescriptors:
      return "descriptors";
    case Refusal::kNone:
      break;
  }
  return "none";
}

Connections::Connections(const Limits& limits, const base::Clock& clock)
    : limits_(limits), clock_(clock) {}

void Connections::Refill(Origin* origin, base::MonoTime now) const {
  const double earned = std::chrono::duration<double>(now - origin->since) /
                        std::chrono::duration<double>(limits_.penalty_each);
  origin->ends_left = std::min(limits_.ends_max, origin->ends_left + earned);
  origin->since = now;
}

Refusal Connections::Check(int fd, const std::string& address,
                           base::MonoTime now) {
  if (fd >= limits_.descriptor_max) return Refusal::kDescriptors;
  if (by_fd_.size() >= limits_.open_max) return Refusal::kInAll;
  if (address.empty()) return Refusal::kNone;
  Origin& origin =
      origins_.try_emplace(address, Origin{0, limits_.ends_max, now})
          .first->second;
  Refill(&origin, now);
  if (origin.open >= limits_.per_address_max) return Refusal::kPerAddress;
  if (limits_.ends_max > 0 && origin.ends_left < 1) return Refusal::kPenalty;
  ++origin.open;
  return Refusal::kNone;
}

Refusal Connections::Admit(int fd, const sockaddr_storage& peer,
                           std::shared_ptr<Connection>* admitted) {
  std::string address = PeerAddress(peer);
  std::string name = PeerName(peer);
  const base::MonoTime now = clock_.Now();
  base::MutexLock lock(&mu_);
  const Refusal why = Check(fd, address, now);
  if (why != Refusal::kNone) {
    ++counts_.refused[static_cast<size_t>(why)];
    counts_.last_refused = now;
    return why;
  }
  if (address.empty()) name = absl::StrCat("unix:", ++unix_number_);
  *admitted =
      std::make_shared<Connection>(fd, std::move(name), std::move(address),
                                   limits_.connection, clock_, &totals_);
  by_fd_[fd] = *admitted;
  totals_.open.fetch_add(1, std::memory_order_relaxed);
  ++counts_.accepted;
  return Refusal::kNone;
}

void Connections::Refused(Refusal why) {
  base::MutexLock lock(&mu_);
  ++counts_.refused[static_cast<size_t>(why)];
  counts_.last_refused = clock_.Now();
}

void Connections::Closing(const Connection& connection) {
  std::shared_ptr<Connection> last;  // may go with it, unlocked
  const EndReason reason = connection.ended();
  base::MutexLock lock(&mu_);
  const auto found = by_fd_.find(connection.fd());
  if (found == by_fd_.end() || found->second.get() != &connection) return;
  last = std::move(found->second);
  by_fd_.erase(found);
  totals_.open.fetch_sub(1, std::memory_order_relaxed);
  ++closed_since_sweep_;
  const auto origin = origins_.find(last->address());
  if (origin != origins_.end()) --origin->second.open;
  if (reason == EndReason::kNone) return;
  if (origin != origins_.end() && Inexcusable(reason)) {
    Refill(&origin->second, clock_.Now());
    origin->second.ends_left = std::max(0.0, origin->second.ends_left - 1);
  }
  ++counts_.ended[static_cast<size_t>(reason)];
  ++ended_since_sweep_;
  last_ended_ = absl::StrCat(last->peer(), ": ", EndReasonName(reason));
}

void Connections::ForgetOrigins(base::MonoTime now) {
  for (auto i = origins_.begin(); i != origins_.end();) {
    const auto here = i++;
    Refill(&here->second, now);
    if (here->second.open == 0 && here->second.ends_left >= limits_.ends_max) {
      origins_.erase(here);
    }
  }
}

uint64_t Connections::Sweep() {
  const base::MonoTime now = clock_.Now();
  uint64_t closed = 0;
  uint64_t ended = 0;
  std::string last;
  {
    base::MutexLock lock(&mu_);
    for (const auto& [fd, connection] : by_fd_) {
      if (!connection->Stalled(now)) continue;
      connection->MarkEnded(EndReason::kUnreadAnswers);
      // Still open: Closing(), which takes the lock, comes before the close.
      shutdown(fd, SHUT_RDWR);
    }
    ForgetOrigins(now);
    closed = std::exchange(closed_since_sweep_, 0);
    ended = std::exchange(ended_since_sweep_, 0);
    last = last_ended_;
  }
  if (ended > 0) {
    spdlog::warn("ended {} connections for what they cost, at last {}", ended,
                 last);
  }
  return closed;
}

ConnectionStats Connections::stats() const {
  base::MutexLock lock(&mu_);
  ConnectionStats stats = counts_;
  stats.open = by_fd_.size();
  stats.calls = totals_.calls.load(std::memory_order_relaxed);
  stats.answer_bytes = totals_.answer_bytes.load(std::memory_order_relaxed);
  stats.answers_refused =
      totals_.answers_refused.load(std::memory_order_relaxed);
  return stats;
}

}  // namespace freshline::http2
