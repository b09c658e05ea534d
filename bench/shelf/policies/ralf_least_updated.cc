// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

namespace {

double FewestRefreshes(const schedule::RowFacts& row, base::MonoTime /*now*/) {
  return -static_cast<double>(row.refreshes);
}

}  // namespace

// Least-updated (min-past) of RALF (Wooders et al., VLDB 2023): the row with
// the fewest refreshes so far.
schedule::PolicyConfig RalfLeastUpdated() {
  schedule::PolicyConfig policy;
  policy.name = "ralf_least_updated";
  policy.summary = "rows with events: the least often refreshed first";
  policy.trigger = schedule::Trigger::kEventEnqueues;
  policy.history_max = kShelfHistory;
  policy.index.function = FewestRefreshes;
  return policy;
}

}  // namespace freshline::bench
