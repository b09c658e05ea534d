// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_clock.h"

namespace freshline::test {

using base::MutexLock;

FakeClock::FakeClock()
    : now_(std::chrono::seconds(1000)), wall_us_(1'704'067'200'000'000) {}

base::MonoTime FakeClock::Now() const {
  MutexLock lock(&mu_);
  return now_;
}

base::UnixMicros FakeClock::WallNowMicros() const {
  MutexLock lock(&mu_);
  return wall_us_;
}

void FakeClock::Advance(base::Duration by) {
  MutexLock lock(&mu_);
  now_ += by;
  wall_us_ += by.count() / 1000;
}

void FakeClock::AdvanceTo(base::MonoTime to) {
  MutexLock lock(&mu_);
  if (to <= now_) return;
  wall_us_ += (to - now_).count() / 1000;
  now_ = to;
}

void FakeClock::JumpWall(base::Duration by) {
  MutexLock lock(&mu_);
  wall_us_ += by.count() / 1000;
}

}  // namespace freshline::test
