// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "bench/score/models.h"
#include "bench/score/queries.h"

namespace freshline::bench {

// Means over the scored queries; 0 without any.
struct Quality {
  double hr20 = 0;    // share of truths among the 20
  double mrr20 = 0;   // 1 / rank
  double ndcg20 = 0;  // 1 / log2(rank + 1)
  uint64_t scored = 0;
};

Quality Summarise(const QuerySet& set, const Ranks& ranks);

// A figure with its 95 % confidence interval.
struct Estimate {
  double value = 0;
  double low95 = 0;
  double high95 = 0;
  friend bool operator==(const Estimate&, const Estimate&) = default;
};

struct BootstrapOptions {
  int resamples = 2000;
  uint64_t seed = 1;
};

// (policy - never) / (infinite - never) in HR@20, with a percentile interval of
// a bootstrap (Efron 1979) that draws users, since a user's queries go
// together, and takes all three rows of a query together. nullopt where
// infinite is no better than never, or no query is scored. A resample without
// a gap is left out.
std::optional<Estimate> GapClosed(const QuerySet& set, const Ranks& policy,
                                  const Ranks& never, const Ranks& infinite,
                                  const BootstrapOptions& options);

// HR@20 of `a` less that of `b`, paired in the same way. nullopt without any
// scored query.
std::optional<Estimate> HitRateGain(const QuerySet& set, const Ranks& a,
                                    const Ranks& b,
                                    const BootstrapOptions& options);

}  // namespace freshline::bench
