// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "base/time.h"

namespace freshline::bench {

// Returns at `until`, or at most 50 ms after `stop` became true, whichever is
// first. The one place of the bench that sleeps: CLOCK_MONOTONIC with an
// absolute deadline, so that time lost before the call is not added. Threads
// that need punctuality set their timer slack (base::PrepareThread).
// `stop` may be null.
void SleepUntil(base::MonoTime until, const std::atomic<bool>* stop = nullptr);

}  // namespace freshline::bench
