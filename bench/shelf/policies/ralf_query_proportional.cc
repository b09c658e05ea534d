// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

namespace {

double QueriesPerRefresh(const schedule::RowFacts& row,
                         base::MonoTime /*now*/) {
  return static_cast<double>(row.queries) /
         (1 + static_cast<double>(row.refreshes));
}

}  // namespace

// Query-proportional of RALF (Wooders et al., VLDB 2023): each row gets
// refreshes in proportion to the queries for it, by stride scheduling
// (Waldspurger and Weihl 1995). RALF's published code counts pending events
// instead, which is its max-pending.
schedule::PolicyConfig RalfQueryProportional() {
  schedule::PolicyConfig policy;
  policy.name = "ralf_query_proportional";
  policy.summary = "rows with events: refreshes in proportion to queries";
  policy.trigger = schedule::Trigger::kEventEnqueues;
  policy.history_max = kShelfHistory;
  policy.index.function = QueriesPerRefresh;
  return policy;
}

}  // namespace freshline::bench
