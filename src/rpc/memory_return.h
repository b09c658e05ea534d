// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace freshline::rpc {

// Gives memory back to the system once connections have gone that had much of
// it: freed, it would stay the process's, and count against its limits.
//
// Thread-safety: none.
class MemoryReturn {
 public:
  // The process must have grown by so much since memory was last given back.
  static constexpr uint64_t kGrowthBytes = 32 << 20;

  MemoryReturn();

  // To be called about twice a second; `closed`: connections have been closed
  // since the last call. What they held is free by the next one, and is given
  // back then. Costs a read of /proc, and milliseconds where there is something
  // to give. Returns: whether there was.
  bool AfterSweep(bool closed);

 private:
  uint64_t resident_;  // bytes, after the last return
  bool due_ = false;
};

}  // namespace freshline::rpc
