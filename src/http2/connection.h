// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "http2/frame_guard.h"

namespace freshline::http2 {

// Why the daemon ended a connection.
enum class EndReason : uint8_t {
  kNone,
  kHeaderBlock,      // headers without end
  kIdleFrames,       // frames that carry nothing
  kUnfinishedCalls,  // calls opened faster than any are served
  kResets,           // calls opened and reset faster than that
  kUnreadAnswers,    // answers that are not taken
};
inline constexpr size_t kEndReasons = 6;

// "header_block", "idle_frames", "unfinished_calls", "resets",
// "unread_answers".
const char* EndReasonName(EndReason reason);

// What one connection, and all of them together, may cost.
struct ConnectionLimits {
  FrameGuard::Limits frames;
  // Calls that were opened and are not over for the daemon, whether or not the
  // client has reset them, of one connection; and of all, beyond which one that
  // has more than its share is ended.
  uint32_t calls_max = 4096;
  uint32_t all_calls_max = 12'500;
  // Calls that may be reset at once, and a second, while more than half as many
  // are not over: as many as were over before, between a least and a most. A
  // client whose calls time out resets them all, and rightly so: of that
  // connection few are worth anything then.
  double resets_least = 64;
  double resets_most = 512;
  double resets_per_second = 2000;
  // Bytes of answers that the socket has not taken, because the client does not
  // read or gives them no room in its windows. Beyond: RESOURCE_EXHAUSTED
  // instead of the answer.
  uint64_t answer_bytes_max = 16 << 20;
  uint64_t all_answer_bytes_max = 64 << 20;
  // Requests that have come in part, and answers that were not taken, of all
  // connections.
  uint64_t memory_bytes_max = 192 << 20;
  // A connection that takes none of its answers for so long is ended; sooner
  // where answers had to be refused meanwhile.
  base::Duration unread_max = std::chrono::seconds(20);
  base::Duration unread_full_max = std::chrono::seconds(2);
  // Of one call, as HTTP/2 counts it: 32 bytes an entry more than as sent.
  // Beyond: RESOURCE_EXHAUSTED, for that call only.
  uint32_t metadata_bytes_max = 8 << 10;
};

// What all connections hold together. Relaxed throughout: limits are soft by
// what is under way.
struct ConnectionTotals {
  std::atomic<uint64_t> open{0};
  std::atomic<uint64_t> calls{0};
  std::atomic<uint64_t> answer_bytes{0};
  std::atomic<uint64_t> answers_refused{0};
  std::atomic<uint64_t> request_bytes{0};
};

// The account of one connection: what it sent, what it has open, what it has
// not taken.
//
// Thread-safety: OnRead() and passed() from the reading thread, all else from
// any.
class Connection {
 public:
  // `peer` is who it is in logs, another one for each connection that is open;
  // `address` what is counted per address: empty for a Unix socket.
  Connection(int fd, std::string peer, std::string address,
             const ConnectionLimits& limits, const base::Clock& clock,
             ConnectionTotals* totals);
  // Takes what it still holds off the totals.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Counts what was read. Returns: false where the connection is to be ended,
  // ended() says why, and the session must not see the bytes; else it may have
  // passed() of them.
  bool OnRead(std::span<const uint8_t> bytes);
  std::span<const std::span<const uint8_t>> passed() const {
    return guard_.passed();
  }
  // Whether it has said that it speaks HTTP/2.
  bool begun() const { return guard_.begun(); }

  // Requests are shown to `screen` first, which outlives the reading.
  void ShowTo(Screen* screen) { guard_.ShowTo(screen); }

  // Calls that it opened are over: their memory is free again.
  void CallsEnded(uint64_t calls);
  void CallEnded() { CallsEnded(1); }

  // `bytes` of an answer are about to be sent. Returns: false, and
  // takes nothing, where the connection has too much unread already. One that
  // has nothing unread may always hold one answer.
  bool TryHold(uint64_t bytes);
  // Whether an answer had to be refused and none was taken since: what else is
  // asked for here is work for nobody. Counts a call that is refused for it.
  bool RefuseUnread();
  // The socket has taken them, or the call is over.
  void Release(uint64_t bytes);

  // `bytes` of a request are about to be kept. Returns: false, and takes
  // nothing, where all connections have too much in memory already.
  bool TryKeep(uint64_t bytes);
  void Drop(uint64_t bytes);

  // Whether it has taken none of the answers that were there for so long, as
  // the limits say.
  bool Stalled(base::MonoTime now) const;

  // Why it is, or is to be, ended; the first reason stays.
  EndReason ended() const { return ended_.load(std::memory_order_relaxed); }
  void MarkEnded(EndReason reason);

  int fd() const { return fd_; }
  const std::string& peer() const { return peer_; }
  const std::string& address() const { return address_; }
  uint64_t calls() const;

 private:
  // Returns: why the connection may not have them.
  EndReason Count(const FrameGuard::Calls& calls, base::MonoTime now);
  void Forgive(base::MonoTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void DropCalls(uint64_t calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int fd_;
  const std::string peer_;
  const std::string address_;
  const ConnectionLimits& limits_;
  const base::Clock& clock_;
  ConnectionTotals* const totals_;
  FrameGuard guard_;  // of the reading thread
  std::atomic<uint64_t> request_bytes_{0};
  std::atomic<EndReason> ended_{EndReason::kNone};

  mutable base::Mutex mu_;
  uint64_t calls_ ABSL_GUARDED_BY(mu_) = 0;
  base::MonoTime forgiven_ ABSL_GUARDED_BY(mu_){};
  double resets_max_ ABSL_GUARDED_BY(mu_);
  double resets_left_ ABSL_GUARDED_BY(mu_);
  base::MonoTime resets_since_ ABSL_GUARDED_BY(mu_);
  uint64_t answer_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  // When an answer was last taken, or when there was first one to take.
  base::MonoTime taken_ ABSL_GUARDED_BY(mu_){};
  bool refused_since_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace freshline::http2
