// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/time.h"
#include "schedule/index.h"
#include "schedule/policies.h"

namespace freshline::bench {

// Higher runs first: the shortest expected run has the highest index.
inline double ShortestRun(const schedule::RowFacts& row,
                          base::MonoTime /*now*/) {
  return -static_cast<double>(row.mean().count());
}

// Shortest job first (Smith 1956, with equal weights): a query waits, and the
// row that takes least is computed first.
inline schedule::PolicyConfig CheapestFirst() {
  schedule::PolicyConfig policy;
  policy.name = "cheapest_first";
  policy.summary = "a query waits; the shortest expected run first";
  policy.index.function = ShortestRun;
  policy.guard = true;
  return policy;
}

}  // namespace freshline::bench
