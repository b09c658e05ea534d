// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

namespace freshline::base {

// Tag of the daemon's monotonic clock (CLOCK_MONOTONIC). It has no now(): only
// a base::Clock reads the time, so that every test can own it.
struct MonoClock {
  using rep = int64_t;
  using period = std::nano;
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<MonoClock, duration>;
  static constexpr bool is_steady = true;
};

using Duration = std::chrono::nanoseconds;
using MonoTime = MonoClock::time_point;

// Later than every deadline. Adding to it overflows: compare first.
inline constexpr MonoTime kInfiniteFuture = MonoTime::max();
inline constexpr MonoTime kInfinitePast = MonoTime::min();

// Times that cross the wire or are stored with events are int64 Unix
// microseconds; their names end in _us.
using UnixMicros = int64_t;

constexpr double ToMillis(Duration d) {
  return static_cast<double>(d.count()) / 1e6;
}
constexpr double ToMicros(Duration d) {
  return static_cast<double>(d.count()) / 1e3;
}
constexpr Duration FromMicros(double us) {
  return Duration(static_cast<int64_t>(us * 1e3));
}
constexpr Duration FromMillis(double ms) {
  return Duration(static_cast<int64_t>(ms * 1e6));
}

}  // namespace freshline::base
