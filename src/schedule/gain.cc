// SPDX-License-Identifier: Apache-2.0
#include "schedule/gain.h"

#include <algorithm>
#include <cmath>

namespace freshline::schedule {

namespace {

constexpr double kAgeMaxSeconds = 86400;

double Metric(GainMetric metric, const Staleness& row) {
  const auto pending = static_cast<double>(row.pending);
  switch (metric) {
    case GainMetric::kPendingShare:
      return row.pending == 0
                 ? 0
                 : pending / (pending + static_cast<double>(row.seen));
    case GainMetric::kPendingEvents:
      return pending;
    case GainMetric::kAge:
      if (row.seen == 0) return kAgeMaxSeconds;
      return std::clamp(static_cast<double>(row.age.count()) / 1e9, 0.0,
                        kAgeMaxSeconds);
  }
  return 0;
}

}  // namespace

double Gain(const GainFunction& function, const Staleness& row) {
  if (!std::isfinite(function.weight) || function.weight <= 0) return 0;
  return function.weight * Metric(function.metric, row);
}

}  // namespace freshline::schedule
