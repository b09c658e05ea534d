// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

namespace {

double MostUnseen(const schedule::RowFacts& row, base::MonoTime /*now*/) {
  return static_cast<double>(row.pending);
}

}  // namespace

// The SLO-aware successor of RALF: a query's slack is spent on the row that is
// stalest, by its number of unseen events.
schedule::PolicyConfig SlackPending() {
  schedule::PolicyConfig policy;
  policy.name = "slack_pending";
  policy.summary = "a query waits; the stalest by pending first";
  policy.index.function = MostUnseen;
  policy.guard = true;
  policy.history_max = kShelfHistory;
  return policy;
}

}  // namespace freshline::bench
