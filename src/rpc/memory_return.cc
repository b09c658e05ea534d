// SPDX-License-Identifier: Apache-2.0
#include "rpc/memory_return.h"

#include <malloc.h>
#include <unistd.h>

#include <fstream>
#include <utility>

namespace freshline::rpc {
namespace {

// Returns: 0 where the system does not say.
uint64_t ResidentBytes() {
  std::ifstream in("/proc/self/statm");
  uint64_t all = 0;
  uint64_t resident = 0;
  if (!(in >> all >> resident)) return 0;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

MemoryReturn::MemoryReturn() : resident_(ResidentBytes()) {}

bool MemoryReturn::AfterSweep(bool closed) {
  if (!std::exchange(due_, closed)) return false;
  if (ResidentBytes() < resident_ + kGrowthBytes) return false;
  malloc_trim(0);
  resident_ = ResidentBytes();
  return true;
}

}  // namespace freshline::rpc
