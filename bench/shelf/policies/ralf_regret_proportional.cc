// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

namespace {

double RegretSinceRefresh(const schedule::RowFacts& row,
                          base::MonoTime /*now*/) {
  return row.regret * static_cast<double>(row.queries_since);
}

}  // namespace

// Regret-proportional of RALF (Wooders et al., VLDB 2023): the loss that
// callers reported of answers with the row, times the queries since it was
// refreshed. Without reports all rows are equal and run in order of arrival.
schedule::PolicyConfig RalfRegretProportional() {
  schedule::PolicyConfig policy;
  policy.name = "ralf_regret_proportional";
  policy.summary =
      "rows with events: the most regret since their refresh first";
  policy.trigger = schedule::Trigger::kEventEnqueues;
  policy.history_max = kShelfHistory;
  policy.index.function = RegretSinceRefresh;
  policy.index.reads_regret = true;
  return policy;
}

}  // namespace freshline::bench
