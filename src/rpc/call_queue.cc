// SPDX-License-Identifier: Apache-2.0
#include "rpc/call_queue.h"

#include <algorithm>
#include <utility>

namespace freshline::rpc {

using base::Duration;
using base::MonoTime;

CallQueue::CallQueue(MonoTime now)
    : dry_(now), turn_(now), window_end_(now + kWindow) {}

void CallQueue::Waits(MonoTime now, MonoTime until) {
  Dry(now);
  waits_ = true;
  wait_until_ = until;
}

void CallQueue::Woke(MonoTime now, Duration run_delay) {
  waits_ = false;
  turn_ = now;
  if (now - run_delay >= wait_until_ + kStallMin) {
    // What came meanwhile may have come at any time of it.
    Stalled(now, now - wait_until_);
    return;
  }
  dry_ = std::max(dry_, now - run_delay);
}

void CallQueue::Dry(MonoTime now) {
  Turn(now);
  dry_ = now;
  if (!calls_.empty()) return;
  standing_since_ = base::kInfiniteFuture;
  StopPace(now);
  const MonoTime pressed = pressed_.load(std::memory_order_relaxed);
  if (overloaded() && now >= pressed + kStanding) {
    overloaded_.store(false, std::memory_order_relaxed);
  }
}

Duration CallQueue::WaitMax(MonoTime arrived, Duration budget) const {
  double share = kWaitMaxOverloaded;
  if (!overloaded()) {
    if (arrived <= stall_end_.load(std::memory_order_relaxed)) {
      return Duration::max();
    }
    share = kWaitMax;
  }
  return Duration(
      static_cast<int64_t>(share * static_cast<double>(budget.count())));
}

bool CallQueue::Hopeless(Duration budget_max, size_t ahead) const {
  const Duration wait = pace_ * static_cast<int64_t>(calls_.size() + ahead);
  const Duration budget =
      std::min(patience_.load(std::memory_order_relaxed), budget_max);
  if (!overloaded()) {
    return wait > budget && WaitMax(dry_, budget) != Duration::max();
  }
  return static_cast<double>(wait.count()) >
         kLineMax * static_cast<double>(WaitMax(dry_, budget).count());
}

void CallQueue::NotePatience(Duration budget) {
  constexpr int kDown = 10;
  constexpr int kUp = 100;
  const Duration old = patience_.load(std::memory_order_relaxed);
  const Duration now =
      old == Duration::max()
          ? budget
          : old + (budget - old) / (budget < old ? kDown : kUp);
  patience_.store(now, std::memory_order_relaxed);
}

void CallQueue::Refused(MonoTime now) {
  pressed_.store(now, std::memory_order_relaxed);
}

void CallQueue::Push(Call* call, MonoTime now) {
  call->arrived_ = dry_;
  if (standing_since_ == base::kInfiniteFuture) standing_since_ = now;
  if (paced_since_ == base::kInfiniteFuture) paced_since_ = now;
  calls_.push_back(call);
  waiting_.store(calls_.size(), std::memory_order_relaxed);
}

CallQueue::Call* CallQueue::Pop(MonoTime now) {
  Turn(now);
  if (calls_.empty()) {
    StopPace(now);
    return nullptr;
  }
  KeepPace(now);
  ++paced_;
  Call* const call = calls_.front();
  calls_.pop_front();
  waiting_.store(calls_.size(), std::memory_order_relaxed);
  if (now - standing_since_ >= kStanding) {
    pressed_.store(now, std::memory_order_relaxed);
    overloaded_.store(true, std::memory_order_relaxed);
  }
  base::MutexLock lock(&mu_);
  if (now >= window_end_) {
    // What is two windows old goes.
    std::swap(wait_ns_, last_wait_ns_);
    wait_ns_.Reset();
    window_end_ = now + kWindow;
  }
  ++popped_;
  wait_ns_.Record((now - call->arrived_).count());
  return call;
}

void CallQueue::KeepPace(MonoTime now) {
  if (paced_since_ == base::kInfiniteFuture) return;
  paced_time_ += now - paced_since_;
  paced_since_ = now;
  if (paced_time_ < kPaceWindow || paced_ < kPaceCalls) return;
  const Duration pace = paced_time_ / paced_;
  paced_time_ = {};
  paced_ = 0;
  if (pace_ == Duration::zero()) pace_ = pace;
  // A window in which the thread had to wait for a core, or in which many were
  // refused in their turn, says little of the next one.
  pace_ += (std::min(pace, 2 * pace_) - pace_) / (pace > pace_ ? 4 : 8);
}

void CallQueue::StopPace(MonoTime now) {
  KeepPace(now);
  paced_since_ = base::kInfiniteFuture;
}

void CallQueue::Turn(MonoTime now) {
  if (now - turn_ >= kTurnMax) Stalled(now, now - turn_);
  turn_ = now;
}

void CallQueue::Stalled(MonoTime now, Duration by) {
  stall_end_.store(now, std::memory_order_relaxed);
  stalls_.fetch_add(1, std::memory_order_relaxed);
  paced_since_ = base::kInfiniteFuture;
  if (standing_since_ != base::kInfiniteFuture) standing_since_ += by;
}

CallQueue::Stats CallQueue::stats() const {
  Stats stats;
  stats.waiting = waiting_.load(std::memory_order_relaxed);
  stats.stalls = stalls_.load(std::memory_order_relaxed);
  base::MutexLock lock(&mu_);
  stats.calls = popped_;
  stats.wait_ns.Merge(wait_ns_);
  stats.wait_ns.Merge(last_wait_ns_);
  return stats;
}

}  // namespace freshline::rpc
