// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <thread>

#include "base/clock.h"
#include "base/waker.h"
#include "table/table.h"

namespace freshline::daemon {

// The thread for what is never urgent: ends keys whose retention is over, a
// few per tick, and reminds of an insecure listener every hour.
//
// Lifecycle: runs from construction to destruction.
class Housekeeper {
 public:
  Housekeeper(const base::Clock& clock, table::Table* table, bool insecure);
  ~Housekeeper();

  // Blocks the caller for `delay`, or until `hurry` is set (seen within 50
  // ms).
  void WaitAtMost(base::Duration delay, const std::atomic<bool>& hurry) const;

 private:
  void Loop();

  const base::Clock& clock_;
  table::Table* const table_;
  const bool insecure_;
  base::EventFdWaker waker_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace freshline::daemon
