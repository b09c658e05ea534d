// SPDX-License-Identifier: Apache-2.0
#include "bench/train/covisitation.h"

#include <gtest/gtest.h>

#include <map>
#include <utility>
#include <vector>

#include "base/random.h"

namespace freshline::bench {
namespace {

using Weights = std::map<std::pair<uint32_t, uint32_t>, uint64_t>;

Weights Collect(CovisitationCounter* counter) {
  Weights weights;
  std::pair<uint32_t, uint32_t> last;
  for (const CovisitationCounter::Pair& p : counter->Take()) {
    const std::pair key(p.item, p.neighbour);
    EXPECT_TRUE(weights.empty() || last < key) << "out of order, or twice";
    last = key;
    weights[key] = p.weight;
  }
  return weights;
}

TEST(CovisitationCounterTest, WeighsForwardTwiceBackwardByDistance) {
  CovisitationCounter counter;
  counter.AddSession(std::vector<uint32_t>{1, 2, 3});
  EXPECT_EQ(Collect(&counter), (Weights{{{1, 2}, 5040},
                                        {{2, 1}, 2520},
                                        {{2, 3}, 5040},
                                        {{3, 2}, 2520},
                                        {{1, 3}, 2520},
                                        {{3, 1}, 1260}}));
}

TEST(CovisitationCounterTest, CountsConsecutiveRepeatsOnce) {
  CovisitationCounter repeated;
  repeated.AddSession(std::vector<uint32_t>{1, 1, 1, 2, 2});
  CovisitationCounter plain;
  plain.AddSession(std::vector<uint32_t>{1, 2});
  EXPECT_EQ(Collect(&repeated), Collect(&plain));
}

TEST(CovisitationCounterTest, NeverPairsAnItemWithItself) {
  CovisitationCounter counter;
  counter.AddSession(std::vector<uint32_t>{1, 2, 1});
  EXPECT_EQ(Collect(&counter),
            (Weights{{{1, 2}, 5040 + 2520}, {{2, 1}, 2520 + 5040}}));
}

TEST(CovisitationCounterTest, StopsAtDistanceNine) {
  CovisitationCounter counter;
  std::vector<uint32_t> session(11);
  for (uint32_t i = 0; i < session.size(); ++i) session[i] = i;
  counter.AddSession(session);
  const Weights weights = Collect(&counter);
  EXPECT_TRUE(weights.contains({0, 9}));
  EXPECT_FALSE(weights.contains({0, 10}));
  EXPECT_FALSE(weights.contains({10, 0}));
}

TEST(CovisitationCounterTest, KeepsSessionsApartAndEmptiesWhenTaken) {
  CovisitationCounter counter;
  counter.AddSession(std::vector<uint32_t>{1});
  counter.AddSession(std::vector<uint32_t>{2});
  EXPECT_TRUE(counter.Take().empty());
  counter.AddSession(std::vector<uint32_t>{1, 2});
  EXPECT_EQ(counter.Take().size(), 2U);
  EXPECT_TRUE(counter.Take().empty());
}

TEST(CovisitationCounterTest, AgreesWithEveryPairOfRandomSessions) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    base::Rng rng(seed);
    CovisitationCounter counter;
    Weights expected;
    for (int s = 0; s < 20; ++s) {
      std::vector<uint32_t> session(rng.Below(30));
      for (uint32_t& item : session) {
        item = static_cast<uint32_t>(rng.Below(8));
      }
      counter.AddSession(session);
      std::vector<uint32_t> kept;
      for (const uint32_t item : session) {
        if (kept.empty() || kept.back() != item) kept.push_back(item);
      }
      for (size_t i = 0; i < kept.size(); ++i) {
        for (size_t j = i + 1; j < kept.size() && j - i <= 9; ++j) {
          if (kept[i] == kept[j]) continue;
          expected[{kept[i], kept[j]}] += 5040 / (j - i);
          expected[{kept[j], kept[i]}] += 2520 / (j - i);
        }
      }
    }
    EXPECT_EQ(Collect(&counter), expected);
  }
}

}  // namespace
}  // namespace freshline::bench
