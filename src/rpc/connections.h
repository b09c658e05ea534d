// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include <sys/socket.h>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "rpc/connection.h"

namespace freshline::rpc {

// Why a connection was closed as it came.
enum class Refusal : uint8_t {
  kNone,
  kInAll,        // as many are open as may be
  kPerAddress,   // of one address
  kPenalty,      // others of the address were ended for what they cost
  kDescriptors,  // the process has no more
};
inline constexpr size_t kRefusals = 5;

// "connections_max", "connections_per_address_max", "penalty", "descriptors".
const char* RefusalName(Refusal refusal);

struct ConnectionStats {
  uint64_t open = 0;
  uint64_t accepted = 0;
  std::array<uint64_t, kRefusals> refused{};
  std::array<uint64_t, kEndReasons> ended{};
  uint64_t calls = 0;         // opened and not over
  uint64_t answer_bytes = 0;  // not taken
  uint64_t answers_refused = 0;
  base::MonoTime last_refused{};
  // Connections that brought a call and were never seen to bring a byte: the
  // taps do not work, and what they bound is unbounded.
  uint64_t unseen = 0;
};

// All connections of the server: which may come in, and what they hold.
//
// Lifecycle: outlives the gRPC server and every call.
// Thread-safety: every method from any thread.
class Connections final : private Connection::Owner {
 public:
  struct Limits {
    uint32_t open_max = 10'000;
    uint32_t per_address_max = 4096;  // of TCP
    // An address may have so many connections ended for what no honest client
    // sends before its next ones are refused, and one more in each time of
    // penalty_each, so that none is refused for longer than that after the last
    // was ended. Calls that pile up bring no penalty: they do so for honest
    // clients, too, when the daemon itself stood still.
    double ends_max = 3;
    base::Duration penalty_each = std::chrono::seconds(2);
    // Descriptors from here on are kept for the daemon itself.
    int descriptor_max = kTappedDescriptorsMax;
    ConnectionLimits connection;
  };

  Connections(const Limits& limits, const base::Clock& clock);
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // Opens the account of an accepted connection and taps its descriptor, which
  // stays the caller's. `peer` is its address as accept() filled it in.
  Refusal Admit(int fd, const sockaddr_storage& peer);
  // Counts a connection that was refused before there was anything to admit.
  void Refused(Refusal why);

  // The connection that gRPC calls `peer`; nullptr when there is none (any
  // more). About 100 ns.
  std::shared_ptr<Connection> Find(absl::string_view peer);

  // Ends the connections that have stalled, and logs, in one line, those that
  // were ended since the last sweep. A visit of all: twice a second, say.
  // Returns: how many were closed since, whoever did.
  uint64_t Sweep();

  // Ends all connections, whatever they are at. What they were sent already
  // still goes out.
  void EndAll();

  ConnectionStats stats() const;
  uint64_t open() const { return totals_.open.load(std::memory_order_relaxed); }
  uint64_t answer_bytes() const {
    return totals_.answer_bytes.load(std::memory_order_relaxed);
  }
  uint32_t metadata_bytes_max() const {
    return limits_.connection.metadata_bytes_max;
  }

 private:
  void OnClosed(Connection* connection) override;

  // What is known of an address.
  struct Origin {
    uint32_t open = 0;
    double ends_left = 0;
    base::MonoTime since{};  // that ends_left holds
  };
  Refusal Check(int fd, const std::string& address, base::MonoTime now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Refill(Origin* origin, base::MonoTime now) const;
  // Forgets addresses that have nothing open and nothing to regret.
  void ForgetOrigins(base::MonoTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Limits limits_;
  const base::Clock& clock_;
  ConnectionTotals totals_;
  std::atomic<uint64_t> unseen_{0};

  mutable base::Mutex mu_;
  absl::flat_hash_map<int, std::shared_ptr<Connection>> by_fd_
      ABSL_GUARDED_BY(mu_);
  // Where one peer has the same port at two of our addresses, the newer one.
  absl::flat_hash_map<std::string, std::shared_ptr<Connection>> by_peer_
      ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, Origin> origins_ ABSL_GUARDED_BY(mu_);
  ConnectionStats counts_ ABSL_GUARDED_BY(mu_);
  uint64_t unix_number_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t closed_since_sweep_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t ended_since_sweep_ ABSL_GUARDED_BY(mu_) = 0;
  std::string last_ended_ ABSL_GUARDED_BY(mu_);
};

// The first descriptor that a connection may not have, where the process is to
// keep `own` for all else.
int DescriptorsMax(int own);

// What gRPC calls a TCP peer: "ipv4:127.0.0.1:80", "ipv6:%5B::1%5D:80"; an
// IPv4 address within IPv6 is IPv4. Empty for any other family.
std::string PeerName(const sockaddr_storage& peer);
// The same without the port.
std::string PeerAddress(const sockaddr_storage& peer);

}  // namespace freshline::rpc
