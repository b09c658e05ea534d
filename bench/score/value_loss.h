// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/score/state_ranker.h"

// The value-loss curve v(n, j): what a list loses, in hit rate, whose row lacks
// the newest j of the user's n clicks.

namespace freshline::bench {

struct ValueLossOptions {
  uint32_t missing_max = 6;  // j is measured up to here, 1 to 64
  // A cell counts as if so many queries more had lost what all n together do.
  double shrinkage = 100;
  // Fewer scored queries teach nothing.
  uint64_t queries_min = 500;
};

struct ValueLossCurve {
  struct Cell {
    uint64_t queries = 0;
    double measured = 0;  // mean loss
    double loss = 0;      // after shrinkage, never falling with j
  };
  struct Bucket {
    uint64_t clicks_min = 1;  // n, up to the next bucket's
    std::vector<Cell> cells;  // by j - 1; j beyond what n may lack is not there
  };
  uint64_t queries = 0;
  std::vector<Bucket> buckets;

  // As staleness::ValueCurve reads it, with `comment` in the head.
  std::string Text(const std::string& comment) const;
};

// Measures every scored query of the set with its whole row (whose ranks are
// `fresh`) and with rows that lack the newest 1 to missing_max clicks, over
// the buckets of staleness::CurveBuckets(). Small cells are shrunk towards the
// mean of their j over all n (staleness::FitLosses()).
// Returns: FAILED_PRECONDITION where too few queries are scored, saying how
// many there are; INVALID_ARGUMENT naming an option.
// Cost: that of StateRanker::Rank() for missing_max states of each query.
absl::StatusOr<ValueLossCurve> MeasureValueLoss(const QuerySet& set,
                                                const Ranks& fresh,
                                                const ValueLossOptions& options,
                                                StateRanker* ranker);

}  // namespace freshline::bench
