// SPDX-License-Identifier: Apache-2.0
#include "bench/load/absolute_sleep.h"

#include <time.h>

#include <algorithm>

#include "base/clock.h"

namespace freshline::bench {

void SleepUntil(base::MonoTime until, const std::atomic<bool>* stop) {
  constexpr base::Duration kCheck = std::chrono::milliseconds(50);
  const base::Clock& clock = base::Clock::Real();
  for (base::MonoTime now = clock.Now(); now < until; now = clock.Now()) {
    if (stop != nullptr && stop->load(std::memory_order_relaxed)) return;
    const base::MonoTime wake =
        stop == nullptr ? until : std::min(until, now + kCheck);
    const int64_t ns = wake.time_since_epoch().count();
    timespec at{};
    at.tv_sec = ns / 1'000'000'000;
    at.tv_nsec = ns % 1'000'000'000;
    // Signals end it early; the loop goes on.
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
  }
}

}  // namespace freshline::bench
