// SPDX-License-Identifier: Apache-2.0
#include "staleness/signals.h"

#include <algorithm>

namespace freshline::staleness {

namespace {
double Seconds(base::Duration time) {
  return std::clamp(static_cast<double>(time.count()) / 1e9, 0.0,
                    kAgeSecondsMax);
}
}  // namespace

double AgeSeconds(const RowSignals& row) {
  if (row.seen == 0) return kAgeSecondsMax;
  return Seconds(row.age);
}

double WaitingSeconds(const RowSignals& row) { return Seconds(row.waiting); }

double PendingShare(const RowSignals& row) {
  if (row.pending == 0) return 0;
  const auto pending = static_cast<double>(row.pending);
  return pending / (pending + static_cast<double>(row.seen));
}

}  // namespace freshline::staleness
