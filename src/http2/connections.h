// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include <sys/socket.h>

#include "absl/container/flat_hash_map.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "http2/connection.h"

namespace freshline::http2 {

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
};

// Descriptors from here on are never given to connections.
inline constexpr int kDescriptorsMax = 1 << 16;

// All connections of the server: which may come in, and what they hold.
//
// Lifecycle: outlives the loops, the connections and every call.
// Thread-safety: every method from any thread.
class Connections {
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
    int descriptor_max = kDescriptorsMax;
    ConnectionLimits connection;
  };

  Connections(const Limits& limits, const base::Clock& clock);
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // Opens the account of an accepted connection, which `admitted` becomes
  // unless it is refused; the descriptor stays the caller's, who says Closing()
  // before it closes it.
  Refusal Admit(int fd, const sockaddr_storage& peer,
                std::shared_ptr<Connection>* admitted);
  // The descriptor is about to be closed. The account lives on while calls hold
  // it.
  void Closing(const Connection& connection);
  // Counts a connection that was refused before there was anything to admit.
  void Refused(Refusal why);

  // Ends the connections that have stalled, and logs, in one line, those that
  // were ended since the last sweep. A visit of all: twice a second, say.
  // Returns: how many were closed since, whoever did.
  uint64_t Sweep();

  ConnectionStats stats() const;
  uint64_t open() const { return totals_.open.load(std::memory_order_relaxed); }
  uint64_t answer_bytes() const {
    return totals_.answer_bytes.load(std::memory_order_relaxed);
  }
  uint32_t metadata_bytes_max() const {
    return limits_.connection.metadata_bytes_max;
  }

 private:
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

  mutable base::Mutex mu_;
  absl::flat_hash_map<int, std::shared_ptr<Connection>> by_fd_
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

// A TCP peer as gRPC writes it: "ipv4:127.0.0.1:80", "ipv6:%5B::1%5D:80"; an
// IPv4 address within IPv6 is IPv4. Empty for any other family.
std::string PeerName(const sockaddr_storage& peer);
// The same without the port.
std::string PeerAddress(const sockaddr_storage& peer);

}  // namespace freshline::http2
