// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

namespace freshline::estimate {

// A threshold that a given share of what comes exceeds in the long run,
// whatever comes: each time that it is exceeded it rises by a step, each other
// time it sinks by the step times share / (1 - share). While it stays inside
// its bounds, the share exceeded over n updates differs from the one asked for
// by at most (bounds' distance + step) / (step * n), for every sequence, drift
// included (online quantile tracking: Gibbs & Candes 2021; the proportional
// part of Angelopoulos, Candes & Tibshirani 2023, "Conformal PID control").
//
// Thread-safety: none. A plain value. Cost: a few ns.
class QuantileTracker {
 public:
  struct Options {
    double share = 0.01;  // that may exceed, in (0, 1)
    double step = 1;      // > 0, in the unit of the threshold
    double low = 0;       // bounds of the threshold
    double high = 0;
    double start = 0;
  };
  explicit QuantileTracker(const Options& options)
      : options_(options),
        value_(std::clamp(options.start, options.low, options.high)) {}

  void Update(bool exceeded) {
    const double by = exceeded ? 1 - options_.share : -options_.share;
    value_ =
        std::clamp(value_ + options_.step * by, options_.low, options_.high);
  }
  // Takes the threshold part of the way to its lower bound: `share` of what it
  // is above it stays. For thresholds that grow old without updates.
  // REQUIRES: share is in [0, 1].
  void Shrink(double share) {
    value_ = options_.low + (value_ - options_.low) * share;
  }
  // The threshold in force.
  double value() const { return value_; }

 private:
  Options options_;
  double value_;
};

}  // namespace freshline::estimate
