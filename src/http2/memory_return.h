// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/time.h"

namespace freshline::http2 {

// Gives memory back to the system once connections have gone that had much of
// it: freed, it would stay the process's, and count against its limits.
//
// Thread-safety: none.
class MemoryReturn {
 public:
  // The process must have grown by so much since memory was last given back.
  static constexpr uint64_t kGrowthBytes = 32 << 20;
  // A return that freed less had nothing to give: what counts as growth is in
  // use, or not yet free. It is tried again after kPause, then after twice as
  // long each time; beyond kPauseMax the growth is taken to stay.
  static constexpr uint64_t kWorthwhileBytes = 8 << 20;
  static constexpr base::Duration kPause = std::chrono::seconds(1);
  static constexpr base::Duration kPauseMax = std::chrono::seconds(32);

  MemoryReturn();

  // To be called about twice a second; `closed`: connections have been closed
  // since the last call. What they held is free by the next one, and is given
  // back then. Costs a read of /proc, and milliseconds where there is something
  // to give. Returns: how many bytes were given back.
  uint64_t AfterSweep(bool closed, base::MonoTime now);

 private:
  uint64_t resident_;  // bytes that the process is taken to need
  base::MonoTime next_{};
  base::Duration pause_ = kPause;
  bool due_ = false;
};

}  // namespace freshline::http2
