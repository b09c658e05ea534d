// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

namespace freshline::bench {

// What one flow got of something that several share.
struct FlowUse {
  double got = 0;
  double wanted = 0;
  double weight = 1;  // above 0
};

// The max-min fair shares of what all flows together got: whoever wants less
// than its weight would give it has what it wants, and leaves the rest to the
// others.
std::vector<double> FairShares(std::span<const FlowUse> flows);

// Jain's index (Jain, Chiu and Hawe 1984) of what flows got over their
// FairShares(): 1 where everyone has its share, 1 / n where one of n has all.
// Flows that wanted nothing do not count; 1 without any other.
double FairnessIndex(std::span<const FlowUse> flows);

}  // namespace freshline::bench
