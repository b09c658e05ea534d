// SPDX-License-Identifier: Apache-2.0
#include "bench/stats/fairness.h"

#include <algorithm>
#include <cstddef>

namespace freshline::bench {

std::vector<double> FairShares(std::span<const FlowUse> flows) {
  std::vector<size_t> order(flows.size());
  double room = 0;
  double weights = 0;
  for (size_t i = 0; i < flows.size(); ++i) {
    order[i] = i;
    room += flows[i].got;
    weights += flows[i].weight;
  }
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return flows[a].wanted * flows[b].weight <
           flows[b].wanted * flows[a].weight;
  });
  std::vector<double> shares(flows.size());
  for (const size_t i : order) {
    shares[i] = std::min(flows[i].wanted, room * flows[i].weight / weights);
    room -= shares[i];
    weights -= flows[i].weight;
  }
  return shares;
}

double FairnessIndex(std::span<const FlowUse> flows) {
  const std::vector<double> shares = FairShares(flows);
  double sum = 0;
  double squares = 0;
  double count = 0;
  for (size_t i = 0; i < flows.size(); ++i) {
    if (shares[i] <= 0) continue;
    const double normalised = flows[i].got / shares[i];
    sum += normalised;
    squares += normalised * normalised;
    ++count;
  }
  return squares > 0 ? sum * sum / (count * squares) : 1;
}

}  // namespace freshline::bench
