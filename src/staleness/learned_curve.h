// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "staleness/curve_fit.h"
#include "staleness/value_curve.h"

namespace freshline::staleness {

// A value-loss curve v(n, j) that moves with the losses that callers report of
// their answers: v(n, j) is the mean loss of rows that lacked the newest j of n
// events, less that of rows that lacked none. Until outcomes come it is the
// curve it began with; from then on that curve counts as kPriorOutcomes
// outcomes of each cell (FitLosses()), and outcomes count by an exponential
// decay of kHalfLife outcomes.
//
// What it cannot know: whether rows were stale by chance. A scheduler leaves
// those rows stale that it thinks lose least, so a cell that is always
// refreshed is never measured, and keeps what it began with.
//
// Thread-safety: any thread; Loss() takes no lock.
// Cost: Loss() a search in 12 buckets; Observe() a lock, and every kFitEvery
// outcomes a fit of some microseconds.
class LearnedCurve {
 public:
  static constexpr size_t kMissingMax = 16;  // j; beyond, the loss stays
  static constexpr double kPriorOutcomes = 100;
  static constexpr double kHalfLife = 100'000;  // outcomes
  static constexpr uint64_t kFitEvery = 64;     // outcomes

  // Begins with `prior`, or else with pending / (pending + seen).
  explicit LearnedCurve(const std::optional<ValueCurve>& prior);

  // As ValueCurve::Loss().
  double Loss(uint64_t events, uint64_t missing) const;

  // The outcome of one answer. A loss that is not finite is ignored.
  void Observe(uint64_t events, uint64_t missing, double loss);

 private:
  struct Cell {
    double weight = 0;
    double sum = 0;
    double Mean() const { return weight > 0 ? sum / weight : 0; }
  };
  static constexpr size_t kStride = kMissingMax + 1;  // j from 0
  void Fit() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::vector<double> prior_;  // [buckets x kMissingMax], by j - 1
  // As prior_. Relaxed: each is a value of its own.
  std::vector<std::atomic<double>> losses_;
  base::Mutex mu_;
  std::vector<Cell> cells_ ABSL_GUARDED_BY(mu_);  // [buckets x kStride]
  uint64_t observed_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace freshline::staleness
