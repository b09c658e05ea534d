// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/time.h"

namespace freshline::schedule {

// Whether an idle worker may be lent to work that nobody waits for: only
// while the chance is small that, during its run, more foreground rows arrive
// than workers stay free. Arrivals are taken as Poisson at their recent rate,
// a count that decays with a time constant of one second.
//
// Thread-safety: none. Cost: O(workers).
class BackgroundGate {
 public:
  explicit BackgroundGate(double risk_max) : risk_max_(risk_max) {}

  // A row was queued for a ticket.
  void Arrived(base::MonoTime now);

  // `free_after`: workers that stay idle while the work runs.
  bool MayRun(base::Duration run_time, uint32_t free_after,
              base::MonoTime now) const;

  // Foreground rows per second.
  double Rate(base::MonoTime now) const;

 private:
  const double risk_max_;
  double count_ = 0;
  base::MonoTime at_{};
};

}  // namespace freshline::schedule
