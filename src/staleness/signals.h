// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/time.h"

namespace freshline::staleness {

// What is known of the staleness of one stored row. These are the signals that
// a metric may weigh.
struct RowSignals {
  uint32_t pending = 0;      // events that the stored row has not seen
  uint64_t seen = 0;         // events it has seen; 0: cold, or never computed
  base::Duration age{};      // since it was computed
  base::Duration waiting{};  // since the first pending event came; 0: none
  double regret = 0;  // mean loss that callers reported of it while stale
};

// Age counts for at most a day, and a cold row counts as a day old.
inline constexpr double kAgeSecondsMax = 86400;

// Age in seconds as metrics count it, in [0, kAgeSecondsMax].
double AgeSeconds(const RowSignals& row);

// Seconds that the first pending event waits, in [0, kAgeSecondsMax].
double WaitingSeconds(const RowSignals& row);

// pending / (pending + seen); 0 where nothing is pending.
double PendingShare(const RowSignals& row);

}  // namespace freshline::staleness
