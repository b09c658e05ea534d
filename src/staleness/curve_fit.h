// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace freshline::staleness {

// How a value-loss curve v(n, j) is made of losses that were measured: over
// buckets of n of about half an octave, and j = 1, 2, 3, ...

// Where the buckets of n begin: 1, 2, 3, 4, 6, 8, 11, ... 64.
std::span<const uint64_t> CurveBuckets();

// The bucket of a row of `events` events; those without any count as of one.
size_t CurveBucketOf(uint64_t events);

// The largest j of a bucket: all events that a row of it may have, and no more
// than `missing_max`.
size_t CurveLackedMax(size_t bucket, size_t missing_max);

// What was measured of rows that lack j events.
struct LossCell {
  double weight = 0;  // observations
  double mean = 0;    // loss above that of rows that lack none
};

// The losses of one bucket, by j - 1. Each cell is mixed with `shrinkage`
// observations of its `prior`; losses that would fall with j are pooled
// (Isotonic()), and one below 0 counts as 0.
// REQUIRES: as many priors as cells.
std::vector<double> FitLosses(std::span<const LossCell> cells,
                              std::span<const double> prior, double shrinkage);

// The non-decreasing sequence nearest to `values` in weighted squares, by
// pooling adjacent violators (Ayer et al. 1955).
// REQUIRES: as many weights, above 0, as values.
std::vector<double> Isotonic(std::span<const double> values,
                             std::span<const double> weights);

}  // namespace freshline::staleness
