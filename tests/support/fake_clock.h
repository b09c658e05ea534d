// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/clock.h"
#include "base/mutex.h"

namespace freshline::test {

// A clock that stands still until told. Thread-safe.
class FakeClock final : public base::Clock {
 public:
  // Starts at monotonic 1,000 s and wall time 2024-01-01 00:00:00 UTC.
  FakeClock();

  base::MonoTime Now() const override;
  base::UnixMicros WallNowMicros() const override;

  // Moves both clocks forward.
  void Advance(base::Duration by);
  // Moves to `to`; does nothing when that is past.
  void AdvanceTo(base::MonoTime to);
  // Moves the wall clock alone, as an NTP step does.
  void JumpWall(base::Duration by);

 private:
  mutable base::Mutex mu_;
  base::MonoTime now_ ABSL_GUARDED_BY(mu_);
  base::UnixMicros wall_us_ ABSL_GUARDED_BY(mu_);
};

}  // namespace freshline::test
