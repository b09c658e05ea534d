// SPDX-License-Identifier: Apache-2.0
#include "staleness/curve_fit.h"

#include <algorithm>
#include <iterator>

namespace freshline::staleness {

namespace {
constexpr uint64_t kEventsMin[] = {1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 46, 64};
}  // namespace

std::span<const uint64_t> CurveBuckets() { return kEventsMin; }

size_t CurveBucketOf(uint64_t events) {
  const auto* const above =
      std::upper_bound(std::begin(kEventsMin), std::end(kEventsMin),
                       std::max<uint64_t>(events, 1));
  return static_cast<size_t>(above - std::begin(kEventsMin)) - 1;
}

size_t CurveLackedMax(size_t bucket, size_t missing_max) {
  if (bucket + 1 >= std::size(kEventsMin)) return missing_max;
  return std::min<size_t>(missing_max, kEventsMin[bucket + 1] - 1);
}

std::vector<double> FitLosses(std::span<const LossCell> cells,
                              std::span<const double> prior, double shrinkage) {
  std::vector<double> losses;
  std::vector<double> weights;
  for (size_t j = 0; j < cells.size(); ++j) {
    const double weight = std::max(cells[j].weight + shrinkage, 1e-9);
    losses.push_back((cells[j].weight * cells[j].mean + shrinkage * prior[j]) /
                     weight);
    weights.push_back(weight);
  }
  losses = Isotonic(losses, weights);
  for (double& loss : losses) loss = std::max(loss, 0.0);
  return losses;
}

std::vector<double> Isotonic(std::span<const double> values,
                             std::span<const double> weights) {
  struct Pool {
    double mean;
    double weight;
    size_t count;
  };
  std::vector<Pool> pools;
  for (size_t i = 0; i < values.size(); ++i) {
    pools.push_back({values[i], weights[i], 1});
    while (pools.size() > 1 &&
           pools[pools.size() - 2].mean >= pools.back().mean) {
      const Pool last = pools.back();
      pools.pop_back();
      Pool& into = pools.back();
      const double weight = into.weight + last.weight;
      into.mean = (into.mean * into.weight + last.mean * last.weight) / weight;
      into.weight = weight;
      into.count += last.count;
    }
  }
  std::vector<double> rising;
  for (const Pool& pool : pools) {
    rising.insert(rising.end(), pool.count, pool.mean);
  }
  return rising;
}

}  // namespace freshline::staleness
