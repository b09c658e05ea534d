// SPDX-License-Identifier: Apache-2.0
#include "estimate/inline_costs.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace freshline::estimate {
namespace {

using base::Duration;
using base::GroupId;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr GroupId kGroup{1};

TEST(InlineCostsTest, AGroupThatNeverRanIsPredictedByThePrior) {
  InlineCosts costs(2, microseconds(10));
  EXPECT_EQ(costs.Predict(kGroup, 0), microseconds(10));
  costs.Observe(GroupId{0}, 5, microseconds(1));
  EXPECT_EQ(costs.Predict(kGroup, 5), microseconds(10));
}

TEST(InlineCostsTest, ASizeThatNeverRanIsPredictedByItsNeighbours) {
  InlineCosts costs(2, microseconds(10));
  costs.Set(kGroup, 20, microseconds(2));
  EXPECT_EQ(costs.Predict(kGroup, 31), microseconds(2));
  EXPECT_EQ(costs.Predict(kGroup, 64), microseconds(8));
  EXPECT_EQ(costs.Predict(kGroup, 1), microseconds(2));
  costs.Set(kGroup, 1, nanoseconds(300));
  EXPECT_EQ(costs.Predict(kGroup, 1), nanoseconds(300));
  EXPECT_EQ(costs.Predict(kGroup, 3), nanoseconds(600));
}

// Microsecond work: linear in the events, with the noise of a machine and now
// and then a preemption of 4 ms.
TEST(InlineCostsTest, NinetyNineOfAHundredPredictionsAreRightToAFactorOfTwo) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    base::Rng rng(seed);
    InlineCosts costs(2, microseconds(10));
    int wrong = 0;
    constexpr int kWarmUp = 1000;
    constexpr int kRuns = 50'000;
    for (int i = 0; i < kWarmUp + kRuns; ++i) {
      const auto events = static_cast<size_t>(1 + rng.Below(2000));
      const double ns = (300 + 3.0 * static_cast<double>(events)) *
                        (0.85 + 0.3 * rng.Uniform());
      const Duration took = rng.Chance(0.002)
                                ? Duration(milliseconds(4))
                                : Duration(static_cast<int64_t>(ns));
      const Duration predicted = costs.Predict(kGroup, events);
      if (i >= kWarmUp && (took > 2 * predicted || 2 * took < predicted)) {
        ++wrong;
      }
      costs.Observe(kGroup, events, took);
    }
    EXPECT_LE(wrong, kRuns / 100) << seed;
  }
}

TEST(InlineCostsTest, WhatHasBecomeSlowIsKnownToBeAfterAFewRuns) {
  InlineCosts costs(2, microseconds(10));
  costs.Set(kGroup, 1, microseconds(1));
  int runs = 0;
  while (costs.Predict(kGroup, 1) < milliseconds(1) && runs < 100) {
    costs.Observe(kGroup, 1, milliseconds(2));
    ++runs;
  }
  EXPECT_LE(runs, 30);
}

}  // namespace
}  // namespace freshline::estimate
