// SPDX-License-Identifier: Apache-2.0
#include "staleness/learned_curve.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace freshline::staleness {
namespace {

std::vector<double> PriorLosses(const std::optional<ValueCurve>& curve) {
  std::vector<double> losses;
  for (const uint64_t events : CurveBuckets()) {
    for (size_t j = 1; j <= LearnedCurve::kMissingMax; ++j) {
      const uint64_t n = std::max<uint64_t>(events, j);
      losses.push_back(curve.has_value()
                           ? curve->Loss(n, j)
                           : static_cast<double>(j) / static_cast<double>(n));
    }
  }
  return losses;
}

}  // namespace

LearnedCurve::LearnedCurve(const std::optional<ValueCurve>& prior)
    : prior_(PriorLosses(prior)),
      losses_(prior_.size()),
      cells_(CurveBuckets().size() * kStride) {
  for (size_t i = 0; i < prior_.size(); ++i) {
    losses_[i].store(prior_[i], std::memory_order_relaxed);
  }
}

double LearnedCurve::Loss(uint64_t events, uint64_t missing) const {
  missing = std::min(missing, events);
  if (missing == 0) return 0;
  const size_t bucket = CurveBucketOf(events);
  const size_t j = std::min<uint64_t>(missing, kMissingMax);
  return losses_[bucket * kMissingMax + j - 1].load(std::memory_order_relaxed);
}

void LearnedCurve::Observe(uint64_t events, uint64_t missing, double loss) {
  if (!std::isfinite(loss)) return;
  missing = std::min(missing, events);
  const size_t bucket = CurveBucketOf(events);
  const size_t j = std::min<uint64_t>(missing, kMissingMax);
  base::MutexLock lock(&mu_);
  Cell& cell = cells_[bucket * kStride + j];
  cell.weight += 1;
  cell.sum += loss;
  if (++observed_ % kFitEvery == 0) Fit();
}

void LearnedCurve::Fit() {
  static const double keep =
      std::exp2(-static_cast<double>(kFitEvery) / kHalfLife);
  Cell fresh_of_all;
  for (size_t i = 0; i < cells_.size(); ++i) {
    cells_[i].weight *= keep;
    cells_[i].sum *= keep;
    if (i % kStride == 0) {
      fresh_of_all.weight += cells_[i].weight;
      fresh_of_all.sum += cells_[i].sum;
    }
  }
  // What a stale row loses cannot be told before any whole one was seen.
  if (fresh_of_all.weight <= 0) return;
  for (size_t b = 0; b < CurveBuckets().size(); ++b) {
    const std::span<const Cell> cells(&cells_[b * kStride], kStride);
    const double whole = (cells[0].sum + kPriorOutcomes * fresh_of_all.Mean()) /
                         (cells[0].weight + kPriorOutcomes);
    std::vector<LossCell> measured;
    for (const Cell& cell : cells.subspan(1)) {
      measured.push_back({cell.weight, cell.Mean() - whole});
    }
    const std::vector<double> losses = FitLosses(
        measured, std::span(prior_).subspan(b * kMissingMax, kMissingMax),
        kPriorOutcomes);
    for (size_t j = 0; j < kMissingMax; ++j) {
      losses_[b * kMissingMax + j].store(losses[j], std::memory_order_relaxed);
    }
  }
}

}  // namespace freshline::staleness
