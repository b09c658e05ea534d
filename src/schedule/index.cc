// SPDX-License-Identifier: Apache-2.0
#include "schedule/index.h"

#include <algorithm>

namespace freshline::schedule {

double EarliestAnswerBy(const RowFacts& row, base::MonoTime /*now*/) {
  return -static_cast<double>(row.answer_by.time_since_epoch().count());
}

double Density(const RowFacts& row, base::MonoTime now) {
  const auto work = static_cast<double>(row.mean().count());
  return row.gain * row.chance(now) / std::max(1.0, work);
}

}  // namespace freshline::schedule
