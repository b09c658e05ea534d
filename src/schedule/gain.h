// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/time.h"

namespace freshline::schedule {

// What makes a row stale.
enum class GainMetric : uint8_t {
  kPendingShare,   // pending / (pending + seen): what it has not seen yet
  kPendingEvents,  // pending
  kAge,            // seconds since it was computed
};

// The staleness metric of a feature group.
struct GainFunction {
  GainMetric metric = GainMetric::kPendingShare;
  double weight = 1;
};

// The staleness of one row.
struct Staleness {
  uint32_t pending = 0;  // events not seen by the stored row
  uint64_t seen = 0;     // events it has seen; 0: cold, or never computed
  base::Duration age{};  // since it was computed
};

// What a refresh of the row is worth: weight times the metric, never negative.
// Age counts for at most a day, and a row that has seen nothing counts as a
// day old, so that a cold key has the largest gain under every metric but
// pending events. A weight that is negative or not finite counts as 0.
double Gain(const GainFunction& function, const Staleness& row);

}  // namespace freshline::schedule
