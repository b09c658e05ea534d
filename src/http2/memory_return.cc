// SPDX-License-Identifier: Apache-2.0
#include "http2/memory_return.h"

#include <malloc.h>
#include <unistd.h>

#include <fstream>

namespace freshline::http2 {
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

uint64_t MemoryReturn::AfterSweep(bool closed, base::MonoTime now) {
  const bool try_now = due_ && now >= next_;
  due_ = due_ || closed;
  if (!try_now) return 0;
  const uint64_t before = ResidentBytes();
  if (before < resident_ + kGrowthBytes) {
    due_ = closed;
    pause_ = kPause;
    return 0;
  }
  malloc_trim(0);
  const uint64_t after = ResidentBytes();
  const uint64_t given = before > after ? before - after : 0;
  if (given >= kWorthwhileBytes) {
    pause_ = kPause;
  } else if (pause_ > kPauseMax) {
    resident_ = after;
    due_ = closed;
    pause_ = kPause;
  } else {
    next_ = now + pause_;
    pause_ *= 2;
  }
  return given;
}

}  // namespace freshline::http2
