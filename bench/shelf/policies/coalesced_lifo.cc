// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

namespace {

double NewestEvent(const schedule::RowFacts& row, base::MonoTime /*now*/) {
  return static_cast<double>(row.newest);
}

}  // namespace

// Last in, first out over keys: an event of a queued row brings it to the
// front.
schedule::PolicyConfig CoalescedLifo() {
  schedule::PolicyConfig policy;
  policy.name = "coalesced_lifo";
  policy.summary =
      "each event queues its row, once; the row of the newest event first";
  policy.trigger = schedule::Trigger::kEventEnqueues;
  policy.index.function = NewestEvent;
  return policy;
}

}  // namespace freshline::bench
