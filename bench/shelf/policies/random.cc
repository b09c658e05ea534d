// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"
#include "bench/shelf/shelf.h"

namespace freshline::bench {

namespace {

double Drawn(const schedule::RowFacts& row, base::MonoTime /*now*/) {
  const uint64_t draw = base::MixBits(base::ToInt(row.row.key)) ^ row.order;
  return static_cast<double>(base::MixBits(draw) >> 11);
}

}  // namespace

// Uniformly random among the queued rows, by a hash of the row and of its place
// in the queue: the same run draws the same numbers.
schedule::PolicyConfig Random() {
  schedule::PolicyConfig policy;
  policy.name = "random";
  policy.summary = "each event queues its row, once; rows in random order";
  policy.trigger = schedule::Trigger::kEventEnqueues;
  policy.index.function = Drawn;
  return policy;
}

}  // namespace freshline::bench
