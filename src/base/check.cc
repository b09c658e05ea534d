// SPDX-License-Identifier: Apache-2.0
#include "base/check.h"

#include <atomic>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/bounded_write.h"
#include "base/bug_sink.h"

namespace freshline::base {
namespace {

std::atomic<uint64_t> bug_count{0};
std::atomic<BugSink> bug_sink{nullptr};

}  // namespace

void CheckFailed(const char* file, int line, const char* what) {
  // Bounded: a process whose standard error nobody reads has to end all the
  // same.
  WriteLastWords(absl::StrCat(file, ":", line, ": check failed: ", what, "\n"));
  std::abort();
}

void ReportBug(const char* file, int line, const char* what) {
#ifdef FRESHLINE_DCHECKS
  CheckFailed(file, line, what);
#else
  // The first of each power of two: visible, never a flood.
  const uint64_t count = bug_count.fetch_add(1, std::memory_order_relaxed) + 1;
  if ((count & (count - 1)) == 0) {
    const std::string text =
        absl::StrCat(file, ":", line, ": bug ", count, " survived: ", what);
    const BugSink sink = bug_sink.load(std::memory_order_acquire);
    if (sink != nullptr) {
      sink(text.c_str());
    } else {
      WriteLastWords(absl::StrCat(text, "\n"));
    }
  }
#endif
}

void SetBugSink(BugSink sink) {
  bug_sink.store(sink, std::memory_order_release);
}

uint64_t BugCount() { return bug_count.load(std::memory_order_relaxed); }

}  // namespace freshline::base
