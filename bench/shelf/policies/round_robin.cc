// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

namespace {

double LongestSinceRun(const schedule::RowFacts& row, base::MonoTime /*now*/) {
  return -static_cast<double>(row.refreshed_at.time_since_epoch().count());
}

}  // namespace

// Round-robin over rows, as RALF (Wooders et al., VLDB 2023) means it: rows
// take turns, a row's turn being over when it has run. Its published code never
// ages its keys, so that some never get a turn.
schedule::PolicyConfig RoundRobin() {
  schedule::PolicyConfig policy;
  policy.name = "round_robin";
  policy.summary = "rows with events in turn: the longest not refreshed first";
  policy.trigger = schedule::Trigger::kEventEnqueues;
  policy.history_max = kShelfHistory;
  policy.index.function = LongestSinceRun;
  return policy;
}

}  // namespace freshline::bench
