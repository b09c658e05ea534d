// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

namespace {

double HarmonicCost(const schedule::RowFacts& row, base::MonoTime /*now*/) {
  double harmonic = 0;
  // The bound keeps a decision cheap.
  for (uint32_t n = 1; n <= std::min(row.pending, 100U); ++n) {
    harmonic += 1.0 / n;
  }
  return static_cast<double>(row.queries) * harmonic;
}

}  // namespace

// The cost that LambdaCrawl minimises (Kolobov et al., NeurIPS 2019): the
// importance of a page, here the queries for its row, times the harmonic number
// of its changes not yet seen. What costs most goes first: a greedy index with
// every change observed, without the optimal randomised rates of the paper,
// which need known change rates.
schedule::PolicyConfig CrawlGreedy() {
  schedule::PolicyConfig policy;
  policy.name = "lambda_crawl_greedy";
  policy.summary = "rows with events: queries times harmonic number of pending";
  policy.trigger = schedule::Trigger::kEventEnqueues;
  policy.history_max = kShelfHistory;
  policy.index.function = HarmonicCost;
  return policy;
}

}  // namespace freshline::bench
