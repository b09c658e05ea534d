// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "base/random.h"
#include "bench/score/quality.h"

namespace freshline::bench {

// A percentile bootstrap (Efron 1979) that draws clusters, so that what goes
// together stays together. `Sums` is what a cluster adds up to, with Add();
// `statistic` maps it to an optional figure. A resample without a figure is
// left out; nullopt where the clusters themselves have none.
// Cost: options.resamples * clusters.size() additions.
template <typename Sums, typename Statistic>
std::optional<Estimate> Bootstrap(const std::vector<Sums>& clusters,
                                  const BootstrapOptions& options,
                                  Statistic statistic) {
  Sums all;
  for (const Sums& cluster : clusters) all.Add(cluster);
  const std::optional<double> value = statistic(all);
  if (!value.has_value()) return std::nullopt;
  base::Rng rng(options.seed);
  std::vector<double> figures;
  for (int i = 0; i < options.resamples; ++i) {
    Sums total;
    for (size_t n = 0; n < clusters.size(); ++n) {
      total.Add(clusters[rng.Below(clusters.size())]);
    }
    const std::optional<double> figure = statistic(total);
    if (figure.has_value()) figures.push_back(*figure);
  }
  if (figures.empty()) return Estimate{*value, *value, *value};
  std::sort(figures.begin(), figures.end());
  const auto at = [&](double share) {
    const auto last = static_cast<double>(figures.size() - 1);
    return figures[static_cast<size_t>(std::lround(share * last))];
  };
  return Estimate{*value, at(0.025), at(0.975)};
}

}  // namespace freshline::bench
