// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/time.h"
#include "http2/connection.h"
#include "http2/screen.h"
#include "http2/session.h"

namespace freshline::http2 {

class Connections;

// How long a connection may take for what, and when it ends.
struct LinkTimes {
  // Until it has said that it speaks HTTP/2.
  base::Duration handshake_max = std::chrono::seconds(10);
  // Without requests.
  base::Duration idle_max = std::chrono::minutes(10);
  // Of its life, give or take a tenth; 0: for ever. Requests that are under way
  // then have the grace.
  base::Duration age_max = std::chrono::minutes(30);
  base::Duration age_grace = std::chrono::minutes(1);
  // A client that says nothing is asked whether it is still there.
  base::Duration ping_after = std::chrono::minutes(1);
  base::Duration ping_answer_max = std::chrono::seconds(20);
  // A client may ask so often while it is sent nothing, and be too early so
  // many times.
  base::Duration pinged_least = std::chrono::seconds(30);
  uint32_t pinged_early_max = 2;
  // How long what was sent may wait for the client to read.
  base::Duration blocked_max = std::chrono::seconds(20);
  // How long the client has to stop opening streams once it was asked to.
  base::Duration notice = std::chrono::seconds(1);
};

// One client: its socket, its session, its account and its timers.
//
// A link that waits for its client to read does not read from it: whatever
// answers itself, pings, settings and resets, is bounded thereby.
// Lifecycle: made when the connection was accepted; kept by its loop, which
// destroys it some time after dead().
// Thread-safety: none; every method on the thread of its loop.
// Bounds: kOutputBytes of output, and the refusals that one read leads to,
// beside the bodies that wait in the session.
class Link {
 public:
  static constexpr size_t kOutputBytes = 64 << 10;

  enum class Phase : uint8_t {
    kServing,
    kNotice,  // the client was asked to open no more streams
    kLast,    // and what it opens is not served
    kEnd,
  };

  // Is told of the client's requests.
  class Handler : public Session::Handler, public Screen::Judge {
   public:
    // Before all else.
    virtual void OnLink(Link* link) = 0;
  };

  // The connection's descriptor, which is nonblocking, is closed with the link.
  // `connections` outlives it.
  Link(std::shared_ptr<Connection> connection, Connections* connections,
       const Session::Limits& limits, const LinkTimes& times,
       std::unique_ptr<Handler> handler, base::MonoTime now);
  // Tells the streams that are open.
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Reads all there is, through `buffer`, but not for ever. Returns: false when
  // there may be more.
  bool Read(std::span<uint8_t> buffer, base::MonoTime now);
  // Sends all that there is and the socket takes.
  void Flush(base::MonoTime now);
  // What is due by now; to be asked now and then.
  void Tick(base::MonoTime now);
  // Goes forward to `phase`, never back.
  void Advance(Phase phase, base::MonoTime now);

  Session& session() { return session_; }
  // Where requests are refused that the session need not see.
  Screen& screen() { return screen_; }
  const std::shared_ptr<Connection>& connection() const { return connection_; }
  int fd() const { return connection_->fd(); }
  // Whether the socket takes no more for now.
  bool blocked() const { return blocked_; }
  // To be destroyed.
  bool dead() const { return dead_; }

  // The loop's own notes: whether a timer left something to send, where it
  // keeps the link, whether it is to be flushed, and what it waits for.
  bool dirty = true;
  size_t index = 0;
  bool touched = false;
  bool blocked_seen = false;

 private:
  void OnRead(std::span<const uint8_t> bytes, base::MonoTime now);
  void CountPings(uint64_t pings, base::MonoTime now);
  void Sent(size_t bytes);

  const std::shared_ptr<Connection> connection_;
  Connections* const connections_;
  const LinkTimes& times_;
  const std::unique_ptr<Handler> handler_;
  Session session_;
  Screen screen_;
  std::string refusals_;  // to go out before what the session has
  std::string out_;
  size_t out_at_ = 0;         // what is before it has been sent
  uint64_t body_in_out_ = 0;  // bytes of bodies that are in out_
  base::MonoTime blocked_since_{};
  bool blocked_ = false;
  bool dead_ = false;
  bool ending_ = false;  // dead once all is sent
  Phase phase_ = Phase::kServing;
  base::MonoTime phase_since_{};

  const base::MonoTime opened_;
  const base::MonoTime old_;  // when it has its age
  base::MonoTime read_;       // when it last said something
  base::MonoTime used_;       // when it last had a request
  uint64_t requests_seen_ = 0;
  base::MonoTime asked_ = base::kInfinitePast;  // the ping not yet answered
  uint64_t acks_seen_ = 0;
  base::MonoTime pinged_ = base::kInfinitePast;
  uint64_t answers_seen_ = 0;
  uint32_t pinged_early_ = 0;
};

}  // namespace freshline::http2
