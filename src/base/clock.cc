// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include <time.h>

namespace freshline::base {
namespace {

class RealClock final : public Clock {
 public:
  MonoTime Now() const override {
    timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return MonoTime(Duration(ts.tv_sec * 1'000'000'000LL + ts.tv_nsec));
  }
  UnixMicros WallNowMicros() const override {
    timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    return ts.tv_sec * 1'000'000LL + ts.tv_nsec / 1000;
  }
};

}  // namespace

const Clock& Clock::Real() {
  static const RealClock clock;
  return clock;
}

}  // namespace freshline::base
