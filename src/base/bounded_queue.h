// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace freshline::base {

// A bounded queue from many producers to one consumer that takes all there is
// at once. Never blocks a producer: full is an answer, not a wait.
//
// Thread-safety: TryPush() and size() from any thread, DrainTo() from the
// consumer.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t capacity) : capacity_(capacity) {
    items_.reserve(capacity < 1024 ? capacity : 1024);
  }

  // Consumes `value` iff it returns true; false when full or closed.
  // *was_empty tells whether the consumer may be asleep.
  bool TryPush(T&& value, bool* was_empty) {
    MutexLock lock(&mu_);
    if (closed_ || items_.size() >= capacity_) return false;
    *was_empty = items_.empty();
    items_.push_back(std::move(value));
    return true;
  }

  // Swaps everything queued into *out, in order of arrival. *out is cleared
  // first and keeps its capacity in the exchange.
  void DrainTo(std::vector<T>* out) {
    out->clear();
    MutexLock lock(&mu_);
    items_.swap(*out);
  }

  // After Close() every TryPush() is refused; what is queued stays.
  void Close() {
    MutexLock lock(&mu_);
    closed_ = true;
  }

  size_t size() const {
    MutexLock lock(&mu_);
    return items_.size();
  }

 private:
  const size_t capacity_;
  mutable Mutex mu_;
  std::vector<T> items_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace freshline::base
