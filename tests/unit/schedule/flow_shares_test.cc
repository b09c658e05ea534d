// SPDX-License-Identifier: Apache-2.0
#include "schedule/flow_shares.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace freshline::schedule {
namespace {

using base::Duration;
using base::FromMillis;
using base::MonoTime;

constexpr MonoTime kStart{std::chrono::hours(1)};
constexpr Duration kMemory = std::chrono::seconds(1);

// A row that runs for so long.
void RunRow(FlowShares* shares, uint32_t flow, double ms) {
  shares->Queued(flow, FromMillis(ms));
  shares->Started(flow, FromMillis(ms));
  shares->Ended(flow, FromMillis(ms), FromMillis(ms));
}

double Ahead(const FlowShares& shares, uint32_t flow) {
  return shares.ahead(flow) / 1e6;
}

TEST(FlowSharesTest, CountsWorkOverWeight) {
  FlowShares shares({{1}, {4}}, kMemory, true);
  shares.Queued(0, FromMillis(2));
  shares.Queued(1, FromMillis(2));
  EXPECT_DOUBLE_EQ(Ahead(shares, 0), 2);
  EXPECT_DOUBLE_EQ(Ahead(shares, 1), 0.5);
  shares.Started(0, FromMillis(2));
  EXPECT_DOUBLE_EQ(Ahead(shares, 0), 2);
  // It took longer than expected.
  shares.Ended(0, FromMillis(2), FromMillis(5));
  EXPECT_DOUBLE_EQ(Ahead(shares, 0), 5);
  EXPECT_EQ(shares.service(0), FromMillis(5));
  shares.Unqueued(1, FromMillis(2));
  EXPECT_DOUBLE_EQ(Ahead(shares, 1), 0);
  EXPECT_EQ(shares.service(1), Duration::zero());
}

TEST(FlowSharesTest, AFlowThatPausedSavesNothingUp) {
  FlowShares shares({{1}, {1}, {1}}, kMemory, true);
  shares.Queued(0, FromMillis(1));  // stays
  for (int i = 0; i < 100; ++i) RunRow(&shares, 1, 1);
  // Lifted to the least of those that have rows, not to the highest.
  shares.Queued(2, FromMillis(1));
  EXPECT_DOUBLE_EQ(Ahead(shares, 2), 1);
  shares.Unqueued(2, FromMillis(1));
  shares.Unqueued(0, FromMillis(1));
  RunRow(&shares, 1, 1);
  const double last = Ahead(shares, 1);
  // Where nobody has rows, to the one that had them last.
  shares.Queued(0, FromMillis(1));
  EXPECT_DOUBLE_EQ(Ahead(shares, 0), last + 1);
}

TEST(FlowSharesTest, ALiftNeverLowers) {
  FlowShares shares({{1}, {1}}, kMemory, true);
  for (int i = 0; i < 10; ++i) RunRow(&shares, 0, 1);
  shares.Queued(1, FromMillis(1));
  const double before = Ahead(shares, 0);
  shares.Queued(0, FromMillis(1));
  EXPECT_DOUBLE_EQ(Ahead(shares, 0), before + 1);
}

TEST(FlowSharesTest, FlowsBeyondTheBoundShareTheLast) {
  EXPECT_EQ(FlowShares::SlotOf(base::FlowId{3}), 3U);
  EXPECT_EQ(FlowShares::SlotOf(base::FlowId{1'000'000}),
            FlowShares::kFlowsMax - 1);
  FlowShares shares({}, kMemory, true);
  EXPECT_EQ(shares.size(), 1U);
  RunRow(&shares, FlowShares::SlotOf(base::FlowId{1'000'000}), 2);
  EXPECT_EQ(shares.size(), FlowShares::kFlowsMax);
  EXPECT_EQ(shares.service(FlowShares::kFlowsMax - 1), FromMillis(2));
}

// Two flows always have rows to give up; each time the queue is full, a row of
// the flow that is furthest ahead is. Whatever the sizes of rows, weights and
// arrivals, they stay within twice the longest row over its weight.
TEST(FlowSharesTest, BackloggedFlowsStayWithinTwoRows) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Rng rng(seed);
    const uint32_t flows = 2 + static_cast<uint32_t>(rng.Below(4));
    std::vector<FlowTraits> traits;
    for (uint32_t f = 0; f < flows; ++f) {
      traits.push_back({0.5 + 4 * rng.Uniform()});
    }
    FlowShares shares(traits, kMemory, true);
    std::vector<std::vector<double>> queued(flows);
    constexpr double kLongest = 6;
    double bound = 0;
    for (const FlowTraits& t : traits) {
      bound = std::max(bound, 2 * kLongest / t.weight);
    }
    for (int step = 0; step < 3000; ++step) {
      // Every flow offers rows, some of them many more than others.
      for (uint32_t f = 0; f < flows; ++f) {
        for (uint64_t n = 1 + rng.Below(1 + 5 * f); n > 0; --n) {
          const double ms = 0.1 + (kLongest - 0.1) * rng.Uniform();
          queued[f].push_back(ms);
          shares.Queued(f, FromMillis(ms));
        }
      }
      // Room for so many rows; the rest is given up.
      size_t rows = 0;
      for (const auto& q : queued) rows += q.size();
      for (; rows > 2 * flows; --rows) {
        uint32_t ahead = flows;
        for (uint32_t f = 0; f < flows; ++f) {
          if (queued[f].empty()) continue;
          if (ahead == flows || shares.ahead(f) > shares.ahead(ahead)) {
            ahead = f;
          }
        }
        shares.Unqueued(ahead, FromMillis(queued[ahead].back()));
        queued[ahead].pop_back();
      }
      // One runs, of any flow.
      const auto f = static_cast<uint32_t>(rng.Below(flows));
      if (!queued[f].empty()) {
        const double ms = queued[f].back();
        queued[f].pop_back();
        shares.Started(f, FromMillis(ms));
        shares.Ended(f, FromMillis(ms), FromMillis(ms));
      }
      double least = 1e300;
      double most = 0;
      for (uint32_t g = 0; g < flows; ++g) {
        least = std::min(least, Ahead(shares, g));
        most = std::max(most, Ahead(shares, g));
      }
      if (step < 100) continue;
      ASSERT_LE(most - least, bound);
    }
  }
}

// Offers work of density 1 to 2 at so many workers' worth.
void Offer(FlowShares* shares, const std::vector<double>& demand) {
  base::Rng rng(7);
  for (int ms = 0; ms < 8000; ++ms) {
    const MonoTime now = kStart + FromMillis(ms);
    for (uint32_t f = 0; f < demand.size(); ++f) {
      shares->Offer(f, 1 + rng.Uniform(), FromMillis(demand[f]), now);
    }
  }
  for (uint32_t f = 0; f < demand.size(); ++f) {
    shares->RefreshPrice(f, 2, kStart + FromMillis(8000));
  }
}

TEST(FlowSharesTest, WhoAsksForLessThanItsSharePaysNothing) {
  FlowShares shares({{1}, {1}, {1}}, kMemory, true);
  // Two workers: a third each would be .67.
  Offer(&shares, {0.3, 6, 0.5});
  EXPECT_EQ(shares.price(0), 0);
  EXPECT_EQ(shares.price(2), 0);
  // It has 1.2 workers for 6 workers' worth: the upper fifth of its work.
  EXPECT_NEAR(shares.price(1), 1.8, 0.2);
  EXPECT_EQ(shares.price(), shares.price(1));
}

TEST(FlowSharesTest, PricesFollowTheWeights) {
  FlowShares shares({{3}, {1}}, kMemory, true);
  Offer(&shares, {3, 3});
  // 1.5 workers of 3, and .5 of 3.
  EXPECT_NEAR(shares.price(0), 1.5, 0.2);
  EXPECT_NEAR(shares.price(1), 1.83, 0.2);
}

TEST(FlowSharesTest, WithoutFairnessThereIsOnePrice) {
  FlowShares shares({{1}, {1}}, kMemory, false);
  Offer(&shares, {0.3, 6});
  EXPECT_GT(shares.price(0), 1);
  EXPECT_EQ(shares.price(0), shares.price(1));
}

}  // namespace
}  // namespace freshline::schedule
