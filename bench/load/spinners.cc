// SPDX-License-Identifier: Apache-2.0
#include "bench/load/spinners.h"

#include <cstdint>

namespace freshline::bench {

Spinners::Spinners() {
  for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i) {
    threads_.emplace_back([this] {
      volatile uint64_t x = 0;
      while (!stop_.load(std::memory_order_relaxed)) x = x + 1;
    });
  }
}

Spinners::~Spinners() {
  stop_ = true;
  for (std::thread& t : threads_) t.join();
}

}  // namespace freshline::bench
