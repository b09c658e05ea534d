// SPDX-License-Identifier: Apache-2.0
#include "staleness/signals.h"

#include <algorithm>

namespace freshline::staleness {

double AgeSeconds(const RowSignals& row) {
  if (row.seen == 0) return kAgeSecondsMax;
  return std::clamp(static_cast<double>(row.age.count()) / 1e9, 0.0,
                    kAgeSecondsMax);
}

double PendingShare(const RowSignals& row) {
  if (row.pending == 0) return 0;
  const auto pending = static_cast<double>(row.pending);
  return pending / (pending + static_cast<double>(row.seen));
}

}  // namespace freshline::staleness
