// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>

#include "base/histogram.h"
#include "base/mutex.h"
#include "base/time.h"

namespace freshline::rpc {

// The calls that one poller has read and not yet turned to, first come first
// served, and what is known of when they came.
//
// Calls wait in sockets and in gRPC's lists while their poller is busy, and
// nobody says for how long. So the poller reads everything there is before it
// serves, again after each slice of serving: whatever it reads then has come
// since it last found nothing left. That time, Dry(), is what every call is
// taken to have arrived at: the wait is never counted too short, and too long
// by a slice at most. After a wait with nothing to do, calls have come when the
// poller was woken, which is before it ran by the time that it stood in line
// for a core. Where it ran much later than it was to be woken at the latest,
// the process had stopped, and calls may have come since the wait began.
//
// Overload is told from a burst as Maurer's controlled delay does ("Fail at
// Scale", 2015): a queue that has not been empty for kStanding stands, and will
// go on standing; the time that the process had stopped is not counted. It is
// over when the queue was found empty and nothing was refused for as long. So
// that whoever is served while it lasts is in time, and those behind them too,
// calls may then wait for a quarter of their budget only; else for three
// quarters, since later than that nothing can be in time any more; but what
// came while the process had stopped is answered, late as it is.
//
// Under overload most calls are refused, and those cost least that are refused
// as they come: Hopeless() says which, by how long the line will take at the
// pace of the last milliseconds. The line is kept as short as calls were
// impatient of late, a little shorter: in one that the patient fill the others
// would all be refused, after they were decoded. Before a line is known to
// stand, only those are refused so whose time will be over altogether.
//
// Thread-safety: stats(), overloaded(), WaitMax(), NotePatience() and Refused()
// from any thread; all else from the poller. Bounds: none of its own; whoever
// pushes is counted elsewhere. Cost: some 50 ns a call.
class CallQueue {
 public:
  static constexpr base::Duration kStanding = std::chrono::milliseconds(100);
  static constexpr base::Duration kStallMin = std::chrono::milliseconds(20);
  // No turn of a poller that works takes so long.
  static constexpr base::Duration kTurnMax = std::chrono::milliseconds(100);
  static constexpr base::Duration kWindow = std::chrono::seconds(10);
  // Shares of the budget.
  static constexpr double kWaitMax = 0.75;
  static constexpr double kWaitMaxOverloaded = 0.25;
  // Of what a call may wait: how long the line may be under overload.
  static constexpr double kLineMax = 0.75;
  // The pace is taken of so long, and of so many calls.
  static constexpr base::Duration kPaceWindow = std::chrono::milliseconds(5);
  static constexpr int64_t kPaceCalls = 16;
  static constexpr size_t kLongLine = 32;

  class Call {
   public:
    // The poller turns to it.
    virtual void Begin() = 0;
    // When it reached the machine, at the earliest.
    base::MonoTime arrived() const { return arrived_; }

   protected:
    ~Call() = default;

   private:
    friend class CallQueue;
    base::MonoTime arrived_{};
  };

  struct Stats {
    uint64_t calls = 0;
    uint64_t waiting = 0;
    uint64_t stalls = 0;
    // From arrival to Pop(), of this window and the one before.
    base::Histogram wait_ns;
  };

  explicit CallQueue(base::MonoTime now);

  // Everything has been read; the poller sleeps until more comes, or `until`.
  void Waits(base::MonoTime now, base::MonoTime until);
  // It runs again, after standing in line for a core for `run_delay`.
  void Woke(base::MonoTime now, base::Duration run_delay);
  // There was nothing left to read.
  void Dry(base::MonoTime now);

  // `call` was read. It stays the caller's, and must live until Pop().
  void Push(Call* call, base::MonoTime now);
  // The oldest call, which leaves; null without one.
  Call* Pop(base::MonoTime now);
  bool empty() const { return calls_.empty(); }

  // Whether calls keep standing in line here.
  bool overloaded() const {
    return overloaded_.load(std::memory_order_relaxed);
  }
  // How long a call that arrived at `arrived` may have waited for its turn, of
  // the `budget` that it has.
  base::Duration WaitMax(base::MonoTime arrived, base::Duration budget) const;
  // Whether a call that comes now, of a method whose calls have `budget_max` at
  // most, would not have its turn in time, with `ahead` others before it that
  // were not pushed yet.
  bool Hopeless(base::Duration budget_max, size_t ahead) const;
  // Whether there is any line to speak of.
  bool long_line() const { return overloaded() || calls_.size() >= kLongLine; }
  // A call that had its turn has `budget`.
  void NotePatience(base::Duration budget);
  // A call was refused for having waited longer, or as it came.
  void Refused(base::MonoTime now);
  Stats stats() const;

 private:
  // The line has not been empty up to now, or is from now on.
  void KeepPace(base::MonoTime now);
  void StopPace(base::MonoTime now);
  // Finds what the process had stopped for since the last turn.
  void Turn(base::MonoTime now);
  void Stalled(base::MonoTime now, base::Duration by);

  std::deque<Call*> calls_;
  base::MonoTime dry_;
  base::MonoTime turn_;
  bool waits_ = false;
  base::MonoTime wait_until_{};
  base::MonoTime standing_since_ = base::kInfiniteFuture;  // not at all
  // Calls that had their turn while the line was not empty, and how long that
  // was, up to paced_since_ if it is not; and the time that each took, of late.
  base::MonoTime paced_since_ = base::kInfiniteFuture;
  base::Duration paced_time_{};
  int64_t paced_ = 0;
  base::Duration pace_{};
  // Relaxed: statistics, and a hint to threads beside the poller.
  std::atomic<bool> overloaded_{false};
  // The budget of calls of late; leans to the impatient.
  std::atomic<base::Duration> patience_{base::Duration::max()};
  std::atomic<base::MonoTime> pressed_{base::kInfinitePast};
  std::atomic<base::MonoTime> stall_end_{base::kInfinitePast};
  std::atomic<uint64_t> waiting_{0};
  std::atomic<uint64_t> stalls_{0};

  mutable base::Mutex mu_;
  uint64_t popped_ ABSL_GUARDED_BY(mu_) = 0;
  base::MonoTime window_end_ ABSL_GUARDED_BY(mu_);
  base::Histogram wait_ns_ ABSL_GUARDED_BY(mu_);
  base::Histogram last_wait_ns_ ABSL_GUARDED_BY(mu_);
};

}  // namespace freshline::rpc
