// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>

#include "base/check.h"

namespace freshline::base {

// A bounded queue from one producer thread to one consumer thread, without
// locks and without allocation after construction.
//
// Memory order: a successful TryPop() sees everything that the producer did
// before the matching TryPush() (release/acquire on the positions).
template <typename T>
class SpscRing {
 public:
  // Holds at least `capacity` elements (rounded up to a power of two).
  explicit SpscRing(size_t capacity)
      : mask_(std::bit_ceil(capacity) - 1),
        items_(std::make_unique<T[]>(mask_ + 1)) {
    FRESHLINE_CHECK(capacity > 0);
  }

  // Producer only. Returns false, and leaves `value` alone, when full.
  bool TryPush(T&& value) {
    const size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) > mask_) return false;
    items_[tail & mask_] = std::move(value);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // Consumer only. Returns false when empty.
  bool TryPop(T* out) {
    const size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return false;
    *out = std::move(items_[head & mask_]);
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

 private:
  const size_t mask_;
  const std::unique_ptr<T[]> items_;
  alignas(64) std::atomic<size_t> head_{0};
  alignas(64) std::atomic<size_t> tail_{0};
};

}  // namespace freshline::base
