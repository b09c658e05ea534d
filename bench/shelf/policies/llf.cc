// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

namespace {

double LeastLaxityFirst(const schedule::RowFacts& row, base::MonoTime /*now*/) {
  const base::MonoTime latest = row.answer_by - row.mean();
  return -static_cast<double>(latest.time_since_epoch().count());
}

}  // namespace

// Least laxity first (Dertouzos and Mok 1989): answer_by less the expected run
// time. Now is the same for all, so that it need not be asked again.
schedule::PolicyConfig LeastLaxity() {
  schedule::PolicyConfig policy;
  policy.name = "llf";
  policy.summary =
      "a query waits; the least slack after its expected run first";
  policy.index.function = LeastLaxityFirst;
  policy.guard = true;
  return policy;
}

}  // namespace freshline::bench
