// SPDX-License-Identifier: Apache-2.0
#pragma once

// Invariants of our own making. Input is never asserted on: it gets an
// absl::Status.
//
//   FRESHLINE_CHECK(c)   always aborts when c is false.
//   FRESHLINE_DCHECK(c)  aborts where FRESHLINE_DCHECKS is on, else is not
//                        evaluated.
//   FRESHLINE_BUG(what)  a state that should be impossible but can be
//                        survived: aborts where FRESHLINE_DCHECKS is on, else
//                        counts (BugCount()) and goes on.

#include <cstdint>

namespace freshline::base {

[[noreturn]] void CheckFailed(const char* file, int line, const char* what);
void ReportBug(const char* file, int line, const char* what);

// Number of FRESHLINE_BUGs survived since start. Any thread.
uint64_t BugCount();

}  // namespace freshline::base

#define FRESHLINE_CHECK(condition) \
  (static_cast<bool>(condition)    \
       ? static_cast<void>(0)      \
       : ::freshline::base::CheckFailed(__FILE__, __LINE__, #condition))

#ifdef FRESHLINE_DCHECKS
#define FRESHLINE_DCHECK(condition) FRESHLINE_CHECK(condition)
#else
#define FRESHLINE_DCHECK(condition) \
  static_cast<void>(sizeof(static_cast<bool>(condition)))
#endif

#define FRESHLINE_BUG(what) \
  ::freshline::base::ReportBug(__FILE__, __LINE__, what)
