// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/ids.h"
#include "base/time.h"

namespace freshline::estimate {

// What one row of each group costs where it is computed while answering: a
// moving average per group and size class (powers of two of the key's events),
// learned from every run, inline or by a worker. A class without a run answers
// by the nearest smaller one, its cost taken to grow with the events, or else
// by the nearest larger one.
//
// A run that was preempted takes milliseconds and says nothing of the next: no
// observation counts for more than four times what was known.
//
// Thread-safety: any thread. Updates that race lose one observation; every
// value read is one that was written. Cost: a few nanoseconds.
class InlineCosts {
 public:
  // `prior`: of every group before its first run.
  InlineCosts(size_t groups, base::Duration prior)
      : prior_(prior),
        ns_(std::make_unique<std::atomic<int64_t>[]>(groups * kClasses)) {}

  // Of a row of a key with so many events.
  base::Duration Predict(base::GroupId group, size_t events) const {
    const std::atomic<int64_t>* const classes = ClassesOf(group);
    const size_t at = ClassOf(events);
    for (size_t c = at + 1; c-- > 0;) {
      const int64_t ns = classes[c].load(std::memory_order_relaxed);
      if (ns > 0) return base::Duration(ns << (at - c));
    }
    for (size_t c = at + 1; c < kClasses; ++c) {
      const int64_t ns = classes[c].load(std::memory_order_relaxed);
      if (ns > 0) return base::Duration(ns);
    }
    return prior_;
  }

  // Moves the average by an eighth of the difference.
  void Observe(base::GroupId group, size_t events, base::Duration cost) {
    std::atomic<int64_t>& ns = ClassesOf(group)[ClassOf(events)];
    const int64_t old = ns.load(std::memory_order_relaxed);
    const int64_t seen = std::max<int64_t>(cost.count(), 1);
    const int64_t most = 4 * old + 1000;
    ns.store(old == 0 ? seen : old + (std::min(seen, most) - old) / 8,
             std::memory_order_relaxed);
  }

  // Replaces the average, as a profile at start does.
  void Set(base::GroupId group, size_t events, base::Duration cost) {
    ClassesOf(group)[ClassOf(events)].store(std::max<int64_t>(cost.count(), 1),
                                            std::memory_order_relaxed);
  }

 private:
  // 0, 1, 2-3, 4-7, ..., 65,536 and more.
  static constexpr size_t kClasses = 18;
  static size_t ClassOf(size_t events) {
    return std::min(static_cast<size_t>(std::bit_width(events)), kClasses - 1);
  }
  std::atomic<int64_t>* ClassesOf(base::GroupId group) const {
    return ns_.get() + base::ToInt(group) * kClasses;
  }

  const base::Duration prior_;
  std::unique_ptr<std::atomic<int64_t>[]> ns_;  // 0: no run yet
};

}  // namespace freshline::estimate
