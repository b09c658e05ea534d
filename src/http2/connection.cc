// SPDX-License-Identifier: Apache-2.0
#include "http2/connection.h"

#include <algorithm>
#include <utility>

namespace freshline::http2 {
namespace {

// Calls that end before anybody is told of them, and what long headers count
// for, are never seen to end: the whole limit is forgiven in so long.
constexpr double kForgiveSeconds = 100;
// What a connection may always have open while all together have too many.
constexpr uint64_t kFairCallsMin = 16;

}  // namespace

const char* EndReasonName(EndReason reason) {
  switch (reason) {
    case EndReason::kHeaderBlock:
      return "header_block";
    case EndReason::kIdleFrames:
      return "idle_frames";
    case EndReason::kUnfinishedCalls:
      return "unfinished_calls";
    case EndReason::kResets:
      return "resets";
    case EndReason::kUnreadAnswers:
      return "unread_answers";
    case EndReason::kNone:
      break;
  }
  return "none";
}

Connection::Connection(int fd, std::string peer, std::string address,
                       const ConnectionLimits& limits, const base::Clock& clock,
                       ConnectionTotals* totals)
    : fd_(fd),
      peer_(std::move(peer)),
      address_(std::move(address)),
      limits_(limits),
      clock_(clock),
      totals_(totals),
      guard_(limits.frames),
      forgiven_(clock.Now()),
      resets_max_(limits.resets_least),
      resets_left_(limits.resets_least),
      resets_since_(forgiven_) {}

Connection::~Connection() {
  base::MutexLock lock(&mu_);
  totals_->calls.fetch_sub(calls_, std::memory_order_relaxed);
  totals_->answer_bytes.fetch_sub(answer_bytes_, std::memory_order_relaxed);
  totals_->request_bytes.fetch_sub(request_bytes_, std::memory_order_relaxed);
}

bool Connection::OnRead(std::span<const uint8_t> bytes) {
  const base::MonoTime now = clock_.Now();
  FrameGuard::Calls calls;
  const FrameGuard::Fault fault = guard_.Read(bytes, now, &calls);
  if (fault == FrameGuard::Fault::kHeaderBlock) {
    MarkEnded(EndReason::kHeaderBlock);
  } else if (fault == FrameGuard::Fault::kIdleFrames) {
    MarkEnded(EndReason::kIdleFrames);
  } else if (calls.opened > 0 || calls.reset > 0) {
    MarkEnded(Count(calls, now));
  }
  return ended() == EndReason::kNone;
}

EndReason Connection::Count(const FrameGuard::Calls& calls,
                            base::MonoTime now) {
  base::MutexLock lock(&mu_);
  Forgive(now);
  calls_ += calls.opened;
  const uint64_t all =
      totals_->calls.fetch_add(calls.opened, std::memory_order_relaxed) +
      calls.opened;
  if (calls_ > limits_.calls_max) return EndReason::kUnfinishedCalls;
  if (all > limits_.all_calls_max) {
    const uint64_t open =
        std::max<uint64_t>(1, totals_->open.load(std::memory_order_relaxed));
    if (calls_ > std::max(kFairCallsMin, limits_.all_calls_max / open)) {
      return EndReason::kUnfinishedCalls;
    }
  }
  const double seconds =
      std::chrono::duration<double>(now - resets_since_).count();
  resets_since_ = now;
  resets_left_ = std::min(resets_max_,
                          resets_left_ + seconds * limits_.resets_per_second) -
                 static_cast<double>(calls.reset);
  if (resets_left_ >= 0) return EndReason::kNone;
  resets_left_ = 0;
  return static_cast<double>(calls_) > resets_max_ / 2 ? EndReason::kResets
                                                       : EndReason::kNone;
}

void Connection::Forgive(base::MonoTime now) {
  const double per_second = limits_.calls_max / kForgiveSeconds;
  const double seconds = std::chrono::duration<double>(now - forgiven_).count();
  const auto calls = static_cast<uint64_t>(seconds * per_second);
  if (calls == 0) return;
  forgiven_ = now;
  DropCalls(calls);
}

void Connection::DropCalls(uint64_t calls) {
  const uint64_t n = std::min(calls, calls_);
  calls_ -= n;
  totals_->calls.fetch_sub(n, std::memory_order_relaxed);
}

void Connection::CallsEnded(uint64_t calls) {
  base::MutexLock lock(&mu_);
  DropCalls(calls);
  resets_max_ =
      std::min(limits_.resets_most, resets_max_ + static_cast<double>(calls));
}

uint64_t Connection::calls() const {
  base::MutexLock lock(&mu_);
  return calls_;
}

bool Connection::TryHold(uint64_t bytes) {
  base::MutexLock lock(&mu_);
  if (answer_bytes_ > 0) {
    const uint64_t all = totals_->answer_bytes.load(std::memory_order_relaxed);
    const uint64_t open =
        std::max<uint64_t>(1, totals_->open.load(std::memory_order_relaxed));
    const uint64_t share = limits_.all_answer_bytes_max / open;
    const uint64_t own = answer_bytes_ + bytes;
    const uint64_t memory =
        all + totals_->request_bytes.load(std::memory_order_relaxed);
    if (own > limits_.answer_bytes_max ||
        memory + bytes > limits_.memory_bytes_max ||
        (all + bytes > limits_.all_answer_bytes_max && own > share)) {
      totals_->answers_refused.fetch_add(1, std::memory_order_relaxed);
      refused_since_ = true;
      return false;
    }
  } else {
    taken_ = clock_.Now();
  }
  answer_bytes_ += bytes;
  totals_->answer_bytes.fetch_add(bytes, std::memory_order_relaxed);
  return true;
}

bool Connection::RefuseUnread() {
  base::MutexLock lock(&mu_);
  if (refused_since_) {
    totals_->answers_refused.fetch_add(1, std::memory_order_relaxed);
  }
  return refused_since_;
}

void Connection::Release(uint64_t bytes) {
  base::MutexLock lock(&mu_);
  answer_bytes_ -= bytes;
  totals_->answer_bytes.fetch_sub(bytes, std::memory_order_relaxed);
  taken_ = clock_.Now();
  refused_since_ = false;
}

bool Connection::TryKeep(uint64_t bytes) {
  const uint64_t others =
      totals_->request_bytes.fetch_add(bytes, std::memory_order_relaxed) +
      totals_->answer_bytes.load(std::memory_order_relaxed);
  if (others + bytes <= limits_.memory_bytes_max) {
    request_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    return true;
  }
  totals_->request_bytes.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

void Connection::Drop(uint64_t bytes) {
  request_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
  totals_->request_bytes.fetch_sub(bytes, std::memory_order_relaxed);
}

bool Connection::Stalled(base::MonoTime now) const {
  base::MutexLock lock(&mu_);
  const base::Duration most =
      refused_since_ ? limits_.unread_full_max : limits_.unread_max;
  return answer_bytes_ > 0 && now - taken_ > most;
}

void Connection::MarkEnded(EndReason reason) {
  EndReason none = EndReason::kNone;
  ended_.compare_exchange_strong(none, reason, std::memory_order_relaxed);
}

}  // namespace freshline::http2
