// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace freshline::base {
namespace {

std::atomic<uint64_t> bug_count{0};

}  // namespace

void CheckFailed(const char* file, int line, const char* what) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, what);
  std::abort();
}

void ReportBug(const char* file, int line, const char* what) {
#ifdef FRESHLINE_DCHECKS
  CheckFailed(file, line, what);
#else
  // The first of each power of two: visible, never a flood.
  const uint64_t count = bug_count.fetch_add(1, std::memory_order_relaxed) + 1;
  if ((count & (count - 1)) == 0) {
    std::fprintf(stderr, "%s:%d: bug %llu survived: %s\n", file, line,
                 static_cast<unsigned long long>(count), what);
  }
#endif
}

uint64_t BugCount() { return bug_count.load(std::memory_order_relaxed); }

}  // namespace freshline::base
