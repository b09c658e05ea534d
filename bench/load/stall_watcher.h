// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "base/time.h"

namespace freshline::bench {

// A time during which the machine ran no ordinary thread that wanted to run.
struct Stall {
  base::MonoTime start;  // when the watcher should have run
  base::Duration length;
};

// Finds stalls in the times at which a periodic thread really ran. Keeps the
// first kStallsMax, and counts the others.
class StallDetector {
 public:
  static constexpr size_t kStallsMax = 10'000;

  explicit StallDetector(
      base::Duration threshold = std::chrono::milliseconds(5))
      : threshold_(threshold) {}

  // The thread wanted to run at `wanted` and ran at `ran`.
  void Observe(base::MonoTime wanted, base::MonoTime ran);

  const std::vector<Stall>& stalls() const { return stalls_; }
  uint64_t count() const { return count_; }  // dropped ones too
  base::Duration longest() const { return longest_; }

 private:
  const base::Duration threshold_;
  std::vector<Stall> stalls_;
  uint64_t count_ = 0;
  base::Duration longest_{};
};

// Watches the machine itself: a thread of the ordinary class that wakes at
// 1 kHz and notes when it came more than 5 ms late. What it sees, no server on
// the same machine could have avoided, short of a real-time class.
//
// Lifecycle: the constructor starts the thread; Stop() once, or the destructor.
// Cost: ~0.5 % of a core.
class StallWatcher {
 public:
  StallWatcher();
  ~StallWatcher();
  StallWatcher(const StallWatcher&) = delete;
  StallWatcher& operator=(const StallWatcher&) = delete;

  // Ends the thread and hands over what it saw.
  // REQUIRES: not called before.
  StallDetector Stop();

 private:
  void Watch();

  std::atomic<bool> stop_{false};  // relaxed; the join orders the rest
  StallDetector detector_;         // the thread's, until it is joined
  std::thread thread_;
};

}  // namespace freshline::bench
