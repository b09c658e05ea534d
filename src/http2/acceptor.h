// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/socket.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/time.h"
#include "http2/connections.h"
#include "http2/listener.h"
#include "http2/memory_return.h"

namespace freshline::http2 {

// Accepts connections and hands them over to whoever serves them. One thread,
// also for the sweep of the connections twice a second.
//
// Out of descriptors: one is held in reserve to accept and close what comes, so
// that clients are told at once and the next one is served as soon as there are
// descriptors again. Other failures pause the listening for kPause.
// Lifecycle: Open() binds; Start() accepts; Stop(), which destruction does too,
// closes the sockets.
// Thread-safety: port() from any thread, all else from the owner.
class Acceptor {
 public:
  static constexpr base::Duration kPause = std::chrono::milliseconds(50);

  // Takes an accepted connection; its descriptor is the taker's from now on.
  using Handover =
      absl::AnyInvocable<void(std::shared_ptr<Connection> connection)>;

  // Returns: FAILED_PRECONDITION for the first address that cannot be had,
  // named, with the reason.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Open(
      const std::vector<std::string>& addresses, const base::Clock& clock,
      Connections* connections);
  ~Acceptor();
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  void Start(Handover handover);
  // No connection is handed over any more.
  void Stop();

  // The port bound for addresses[i]; 0 for a Unix socket.
  int port(size_t i) const { return ports_[i]; }

 private:
  Acceptor(const base::Clock& clock, Connections* connections);

  void Loop();
  // Returns: false when there is nothing to accept for now because of an error.
  bool AcceptAll(int listener_fd);
  // Accepts and closes one with the descriptor in reserve. Returns: whether
  // there was one.
  bool TurnAway(int listener_fd);

  const base::Clock& clock_;
  Connections* const connections_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<int> ports_;
  Handover handover_;
  MemoryReturn memory_;
  int reserve_fd_ = -1;
  int wake_fd_ = -1;
  std::thread thread_;
};

}  // namespace freshline::http2
