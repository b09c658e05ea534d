// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/histogram.h"
#include "base/time.h"

namespace freshline::execute {

// How long before a deadline an answer leaves: a configured floor plus the
// p99.9 of how late answers left after their answer_by, over the last one to
// two windows of them. The floor stands for what happens beyond the daemon's
// sight (network, the caller's own wake-up).
//
// Not thread-safe.
class Guard {
 public:
  struct Options {
    base::Duration floor = std::chrono::microseconds(1500);
    base::Duration overshoot_max = std::chrono::milliseconds(20);
    uint64_t window = 8192;  // answers
  };
  explicit Guard(Options options) : options_(options) {}

  // `overshoot` is the time from answer_by to the end of sending, of an answer
  // that left because its time had come.
  void Observe(base::Duration overshoot);

  base::Duration Current() const { return options_.floor + overshoot_; }
  // The p99.9 that is in force.
  base::Duration overshoot() const { return overshoot_; }

 private:
  void Recompute();

  const Options options_;
  base::Duration overshoot_{};
  base::Histogram current_;
  base::Histogram previous_;
  uint64_t since_recompute_ = 0;
};

}  // namespace freshline::execute
