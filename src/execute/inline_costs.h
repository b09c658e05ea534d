// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>

#include "base/ids.h"
#include "base/time.h"

namespace freshline::execute {

// What one row of each group costs where it is computed while answering: a
// moving average per group, learned from every run, inline or by a worker.
//
// Thread-safety: any thread. Updates that race lose one observation; every
// value read is one that was written.
class InlineCosts {
 public:
  InlineCosts(size_t groups, base::Duration prior)
      : size_(groups), ns_(std::make_unique<std::atomic<int64_t>[]>(groups)) {
    for (size_t i = 0; i < size_; ++i) ns_[i] = prior.count();
  }

  base::Duration Predict(base::GroupId group) const {
    return base::Duration(
        ns_[base::ToInt(group)].load(std::memory_order_relaxed));
  }

  // Moves the average by 1/16 of the difference.
  void Observe(base::GroupId group, base::Duration cost) {
    std::atomic<int64_t>& ns = ns_[base::ToInt(group)];
    const int64_t old = ns.load(std::memory_order_relaxed);
    ns.store(old + (cost.count() - old) / 16, std::memory_order_relaxed);
  }
  // Replaces the average, as a profile at start does.
  void Set(base::GroupId group, base::Duration cost) {
    ns_[base::ToInt(group)].store(cost.count(), std::memory_order_relaxed);
  }

 private:
  size_t size_;
  std::unique_ptr<std::atomic<int64_t>[]> ns_;
};

}  // namespace freshline::execute
