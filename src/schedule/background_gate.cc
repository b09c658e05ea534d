// SPDX-License-Identifier: Apache-2.0
#include "schedule/background_gate.h"

#include <cmath>

namespace freshline::schedule {

double BackgroundGate::Rate(base::MonoTime now) const {
  const double seconds = static_cast<double>((now - at_).count()) / 1e9;
  return count_ * std::exp(-seconds);
}

void BackgroundGate::Arrived(base::MonoTime now) {
  count_ = Rate(now) + 1;
  at_ = now;
}

bool BackgroundGate::MayRun(base::Duration run_time, uint32_t free_after,
                            base::MonoTime now) const {
  const double expected =
      Rate(now) * static_cast<double>(run_time.count()) / 1e9;
  // The chance of at most free_after arrivals.
  double term = std::exp(-expected);
  double within = term;
  for (uint32_t k = 1; k <= free_after; ++k) {
    term *= expected / k;
    within += term;
  }
  return 1 - within <= risk_max_;
}

}  // namespace freshline::schedule
