// SPDX-License-Identifier: Apache-2.0
#include "bench/stats/fairness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "base/random.h"

namespace freshline::bench {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

using Flows = std::vector<FlowUse>;

TEST(FairnessIndexTest, IsOneWhereEveryoneHasItsShare) {
  EXPECT_DOUBLE_EQ(FairnessIndex(Flows{{5, 9}, {5, 20}}), 1);
  // The first wants less than half, and has it.
  EXPECT_DOUBLE_EQ(FairnessIndex(Flows{{1, 1}, {9, 20}}), 1);
  EXPECT_DOUBLE_EQ(FairnessIndex(Flows{{2, 9, 1}, {6, 9, 3}}), 1);
  EXPECT_DOUBLE_EQ(FairnessIndex(Flows{{0, 0}, {6, 9}}), 1);
  EXPECT_DOUBLE_EQ(FairnessIndex(Flows{}), 1);
}

TEST(FairnessIndexTest, FallsWhereOneTakesWhatIsAnothers) {
  EXPECT_DOUBLE_EQ(FairnessIndex(Flows{{0, 9}, {10, 9}}), 0.5);
  EXPECT_LT(FairnessIndex(Flows{{2, 4}, {8, 20}}), 0.95);
  EXPECT_LT(FairnessIndex(Flows{{5, 9, 1}, {5, 9, 3}}), 0.95);
}

TEST(FairSharesTest, GoToTheOthersWhereOneWantsLess) {
  EXPECT_THAT(FairShares(Flows{{1, 2}, {2, 9}, {9, 30}}),
              ElementsAre(DoubleNear(2, 1e-12), DoubleNear(5, 1e-12),
                          DoubleNear(5, 1e-12)));
}

// Nobody gets more than it wants, and nobody who lacks some has less, by its
// weight, than another.
TEST(FairSharesTest, AreMaxMinFair) {
  base::Rng rng(5);
  for (int round = 0; round < 500; ++round) {
    Flows flows(1 + rng.Below(6));
    double got = 0;
    for (FlowUse& flow : flows) {
      flow = {rng.Uniform(), 2 * rng.Uniform(), 0.1 + rng.Uniform()};
      got += flow.got;
    }
    const std::vector<double> shares = FairShares(flows);
    EXPECT_LE(std::accumulate(shares.begin(), shares.end(), 0.0), got + 1e-9);
    for (size_t i = 0; i < flows.size(); ++i) {
      EXPECT_LE(shares[i], flows[i].wanted + 1e-12);
      if (shares[i] > flows[i].wanted - 1e-9) continue;
      for (size_t k = 0; k < flows.size(); ++k) {
        EXPECT_LE(shares[k] / flows[k].weight,
                  shares[i] / flows[i].weight + 1e-9);
      }
    }
  }
}

}  // namespace
}  // namespace freshline::bench
