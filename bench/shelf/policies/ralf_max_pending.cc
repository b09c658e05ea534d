// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

namespace {

double MostPending(const schedule::RowFacts& row, base::MonoTime /*now*/) {
  return static_cast<double>(row.pending);
}

}  // namespace

// Max-pending of RALF (Wooders et al., VLDB 2023): the row with the most events
// that it has not seen.
schedule::PolicyConfig RalfMaxPending() {
  schedule::PolicyConfig policy;
  policy.name = "ralf_max_pending";
  policy.summary = "rows with events: the most events not yet seen first";
  policy.trigger = schedule::Trigger::kEventEnqueues;
  policy.index.function = MostPending;
  return policy;
}

}  // namespace freshline::bench
