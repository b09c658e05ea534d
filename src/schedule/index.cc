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

double ExpectedLoss(const RowFacts& row, base::MonoTime /*now*/) {
  const auto work = static_cast<double>(row.mean().count());
  return row.query_rate * row.gain / std::max(1.0, work);
}

double OlstonPandey(const RowFacts& row, base::MonoTime now) {
  if (row.pending_since > now) return 0;
  const double t = static_cast<double>((now - row.pending_since).count()) / 1e9;
  const auto work = static_cast<double>(row.mean().count());
  return row.query_rate * std::max(0.0, t * row.gain - row.lost) /
         std::max(1.0, work);
}

}  // namespace freshline::schedule
