// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

namespace {

double OldestPending(const schedule::RowFacts& row, base::MonoTime /*now*/) {
  return -static_cast<double>(row.pending_since.time_since_epoch().count());
}

}  // namespace

// The SLO-aware successor of RALF: a query's slack is spent on the row that is
// stalest, by the age of its first unseen event.
schedule::PolicyConfig SlackAge() {
  schedule::PolicyConfig policy;
  policy.name = "slack_age";
  policy.summary = "a query waits; the stalest by age first";
  policy.index.function = OldestPending;
  policy.guard = true;
  policy.history_max = kShelfHistory;
  return policy;
}

}  // namespace freshline::bench
