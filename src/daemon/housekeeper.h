// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <thread>

#include "base/jump_proof_clock.h"
#include "base/waker.h"
#include "table/table.h"

namespace freshline::daemon {

// The thread for what is never urgent: ends keys whose retention is over, a
// few per tick, does `every_second` so often, reminds of an insecure listener
// every hour, and warns once of each jump of the machine's clock.
//
// Lifecycle: runs from construction to destruction.
class Housekeeper {
 public:
  Housekeeper(const base::JumpProofClock& clock, table::Table* table,
              bool insecure, std::function<void()> every_second);
  ~Housekeeper();

  // Blocks the caller for `delay`, or until `hurry` is set (seen within 50
  // ms).
  void WaitAtMost(base::Duration delay, const std::atomic<bool>& hurry) const;

 private:
  void Loop();

  void WarnOfJumps();

  const base::JumpProofClock& clock_;
  table::Table* const table_;
  const bool insecure_;
  const std::function<void()> every_second_;
  base::EventFdWaker waker_;
  uint64_t jumps_warned_ = 0;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace freshline::daemon
