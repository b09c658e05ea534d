// SPDX-License-Identifier: Apache-2.0
#include "bench/load/stall_watcher.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"
#include "bench/load/absolute_sleep.h"

namespace freshline::bench {

void StallDetector::Observe(base::MonoTime wanted, base::MonoTime ran) {
  const base::Duration late = ran - wanted;
  if (late <= threshold_) return;
  ++count_;
  longest_ = std::max(longest_, late);
  if (stalls_.size() < kStallsMax) stalls_.push_back({wanted, late});
}

StallWatcher::StallWatcher() : thread_([this] { Watch(); }) {}

StallWatcher::~StallWatcher() {
  stop_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

StallDetector StallWatcher::Stop() {
  FRESHLINE_CHECK(thread_.joinable());
  stop_.store(true, std::memory_order_relaxed);
  thread_.join();
  return std::move(detector_);
}

void StallWatcher::Watch() {
  base::PrepareThread("stalls", /*punctual=*/true);
  constexpr base::Duration kPeriod = std::chrono::milliseconds(1);
  const base::Clock& clock = base::Clock::Real();
  base::MonoTime wanted = clock.Now();
  while (!stop_.load(std::memory_order_relaxed)) {
    wanted += kPeriod;
    SleepUntil(wanted);
    const base::MonoTime ran = clock.Now();
    detector_.Observe(wanted, ran);
    // After a stall the missed periods are one stall, not many.
    wanted = std::max(wanted, ran - kPeriod);
  }
}

}  // namespace freshline::bench
