// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/time.h"

namespace freshline::base {

// The only source of time. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;

  // Monotonic; never goes back. ~25 ns.
  virtual MonoTime Now() const = 0;

  // Unix microseconds. May jump: for event times and people, never for
  // deadlines.
  virtual UnixMicros WallNowMicros() const = 0;

  // The latest that the wall time may be: later than WallNowMicros() where two
  // clocks disagree (JumpProofClock).
  virtual UnixMicros LatestWallMicros() const { return WallNowMicros(); }

  // The machine's clock; lives for the whole process.
  static const Clock& Real();
};

}  // namespace freshline::base
