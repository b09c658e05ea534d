// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.h"

namespace freshline::log {

// A token bucket: `burst` lines at once, and `per_second` of them over time.
//
// Thread-safety: none. A value with explicit times.
class RateLimit {
 public:
  RateLimit(uint32_t burst, uint32_t per_second)
      : burst_(burst), per_second_(per_second), tokens_(burst) {}

  // Whether one more is allowed at `now`; takes it if so.
  bool Take(base::MonoTime now) {
    if (now > filled_at_) {
      const double seconds =
          std::chrono::duration<double>(now - filled_at_).count();
      tokens_ = std::min(burst_, tokens_ + seconds * per_second_);
      filled_at_ = now;
    }
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  const double burst_;
  const double per_second_;
  double tokens_;
  base::MonoTime filled_at_{};
};

}  // namespace freshline::log
