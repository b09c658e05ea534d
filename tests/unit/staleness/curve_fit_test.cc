// SPDX-License-Identifier: Apache-2.0
#include "staleness/curve_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace freshline::staleness {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

std::vector<double> Of(std::vector<double> values) { return values; }

TEST(CurveBucketsTest, EveryNumberOfEventsIsInTheBucketThatHoldsIt) {
  const auto buckets = CurveBuckets();
  EXPECT_EQ(CurveBucketOf(0), 0U);
  for (uint64_t n = 1; n < 200; ++n) {
    const size_t bucket = CurveBucketOf(n);
    EXPECT_LE(buckets[bucket], n);
    if (bucket + 1 < buckets.size()) {
      EXPECT_GT(buckets[bucket + 1], n);
      EXPECT_LE(CurveLackedMax(bucket, 16), buckets[bucket + 1] - 1);
    }
  }
  EXPECT_EQ(CurveBucketOf(UINT64_MAX), buckets.size() - 1);
  EXPECT_EQ(CurveLackedMax(0, 16), 1U);
  EXPECT_EQ(CurveLackedMax(buckets.size() - 1, 16), 16U);
}

TEST(FitLossesTest, MixesWithThePriorAndNeverFallsOrGoesBelowZero) {
  const std::vector<LossCell> cells = {{100, .2}, {100, .1}, {0, 9}};
  const std::vector<double> prior = {0, .3, .4};
  EXPECT_THAT(FitLosses(cells, prior, 100),
              ElementsAre(DoubleNear(.1, 1e-12), DoubleNear(.2, 1e-12),
                          DoubleNear(.4, 1e-12)));
  EXPECT_THAT(FitLosses(cells, prior, 0)[0], DoubleNear(.15, 1e-9));
  const std::vector<LossCell> below = {{1000, -.5}};
  EXPECT_THAT(FitLosses(below, std::vector<double>{0}, 1), ElementsAre(0));
}

TEST(IsotonicTest, PoolsWhatFalls) {
  EXPECT_THAT(Isotonic(Of({1, 2, 3}), Of({1, 1, 1})), ElementsAre(1, 2, 3));
  EXPECT_THAT(Isotonic(Of({3, 1}), Of({1, 1})), ElementsAre(2, 2));
  EXPECT_THAT(Isotonic(Of({4, 1, 5}), Of({1, 2, 1})), ElementsAre(2, 2, 5));
  EXPECT_TRUE(Isotonic(Of({}), Of({})).empty());
}

// It never falls, keeps the weighted mean, and no rising sequence is nearer.
TEST(IsotonicTest, IsTheNearestRisingSequence) {
  base::Rng rng(3);
  for (int round = 0; round < 200; ++round) {
    const size_t n = 1 + rng.Below(12);
    std::vector<double> values;
    std::vector<double> weights;
    for (size_t i = 0; i < n; ++i) {
      values.push_back(rng.Uniform());
      weights.push_back(0.1 + rng.Uniform());
    }
    const std::vector<double> rising = Isotonic(values, weights);
    ASSERT_EQ(rising.size(), n);
    EXPECT_TRUE(std::is_sorted(rising.begin(), rising.end()));
    const auto distance = [&](const std::vector<double>& to) {
      double sum = 0;
      for (size_t i = 0; i < n; ++i) {
        sum += weights[i] * (values[i] - to[i]) * (values[i] - to[i]);
      }
      return sum;
    };
    for (int other = 0; other < 20; ++other) {
      std::vector<double> guess = rising;
      for (double& g : guess) g += 0.1 * (rng.Uniform() - 0.5);
      std::sort(guess.begin(), guess.end());
      EXPECT_GE(distance(guess), distance(rising) - 1e-12);
    }
  }
}

}  // namespace
}  // namespace freshline::staleness
