// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

namespace {

double LastQueued(const schedule::RowFacts& row, base::MonoTime /*now*/) {
  return static_cast<double>(row.order);
}

}  // namespace

// Last in, first out: what was queued last runs next. An event of a queued row
// leaves it in its place.
schedule::PolicyConfig Lifo() {
  schedule::PolicyConfig policy;
  policy.name = "lifo";
  policy.summary = "each event queues its row, once; the last queued first";
  policy.trigger = schedule::Trigger::kEventEnqueues;
  policy.index.function = LastQueued;
  return policy;
}

}  // namespace freshline::bench
