// SPDX-License-Identifier: Apache-2.0
#include "bench/score/paired.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"

namespace freshline::bench {
namespace {

using ::testing::ElementsAre;

// Users with one scored query each, which infinite compute finds.
SliceUsers OneQueryEach(size_t users) {
  SliceUsers slice;
  for (size_t u = 0; u < users; ++u) {
    slice.user.push_back(static_cast<int64_t>(10 * u));
    slice.scored.push_back(1);
    slice.never.push_back(0);
    slice.infinite.push_back(1);
  }
  return slice;
}

std::vector<uint32_t> Draw(size_t users, double chance, base::Rng* rng) {
  std::vector<uint32_t> hits(users);
  for (uint32_t& hit : hits) hit = rng->Chance(chance) ? 1 : 0;
  return hits;
}

TEST(PairedTest, CountsScoredQueriesByUserWhateverTheirOrder) {
  std::vector<Click> clicks(6);
  const int64_t users[] = {1, 9, 7, 9, 3, 1};
  for (size_t i = 0; i < 6; ++i) clicks[i].user = users[i];
  const ScoringTrace trace{clicks, 1, 6};
  QuerySet set;
  set.queries.resize(5);
  for (const size_t scored : {0, 1, 2, 4}) set.queries[scored].scored = true;
  const SliceUsers counted =
      CountUsers(trace, set, {0, 1, 0, 1, 0}, {20, 1, 3, 1, 0});
  EXPECT_THAT(counted.user, ElementsAre(1, 7, 9));
  EXPECT_THAT(counted.scored, ElementsAre(1, 1, 2));
  EXPECT_THAT(counted.never, ElementsAre(0, 1, 0));
  EXPECT_THAT(counted.infinite, ElementsAre(0, 1, 2));
  // The query of user 3 is not scored, however good its rank.
  EXPECT_THAT(HitsByUser(trace, set, counted, {1, 0, 0, 9, 2}),
              ElementsAre(1, 0, 1));
}

TEST(PairedTest, TheGapIsOfAllSeedsTogether) {
  SliceUsers one = OneQueryEach(4);
  SliceUsers two = OneQueryEach(2);
  two.never = {1, 0};
  const std::vector<uint32_t> hits_one = {1, 1, 0, 0};
  const std::vector<uint32_t> hits_two = {1, 1};
  const std::vector<SeedHits> runs = {{&one, hits_one}, {&two, hits_two}};
  const auto gap = GapClosed(runs, {});
  ASSERT_TRUE(gap.has_value());
  EXPECT_NEAR(gap->value, 3.0 / 5, 1e-12);
  EXPECT_LE(gap->low95, gap->value);
  EXPECT_GE(gap->high95, gap->value);
  // No gap to close.
  two.never = two.infinite;
  const std::vector<SeedHits> flat = {{&two, hits_two}};
  EXPECT_EQ(GapClosed(flat, {}), std::nullopt);
  EXPECT_EQ(GapClosed({}, {}), std::nullopt);
}

TEST(PairedTest, TheIntervalHoldsTheTruthNineteenTimesOfTwenty) {
  constexpr size_t kUsers = 200;
  constexpr double kChance = 0.3;
  const SliceUsers users = OneQueryEach(kUsers);
  base::Rng rng(3);
  int held = 0;
  double width = 0;
  for (uint64_t i = 0; i < 400; ++i) {
    const std::vector<uint32_t> hits = Draw(kUsers, kChance, &rng);
    const std::vector<SeedHits> runs = {{&users, hits}};
    const auto gap = GapClosed(runs, {400, i});
    held += gap->low95 <= kChance && kChance <= gap->high95 ? 1 : 0;
    width += (gap->high95 - gap->low95) / 400;
  }
  EXPECT_GE(held, 365);  // 380, less 3.5 standard deviations
  // As wide as the binomial says: 2 * 1.96 * sqrt(p (1 - p) / n).
  const double expected = 3.92 * std::sqrt(kChance * (1 - kChance) / kUsers);
  EXPECT_NEAR(width, expected, 0.05 * expected);
}

TEST(PairedTest, SeedsOfTheSameUsersAreNoNewUsers) {
  const SliceUsers users = OneQueryEach(300);
  base::Rng rng(5);
  const std::vector<uint32_t> hits = Draw(300, 0.5, &rng);
  const std::vector<SeedHits> one = {{&users, hits}};
  const std::vector<SeedHits> five(5, one[0]);
  const auto a = GapClosed(one, {});
  const auto b = GapClosed(five, {});
  // The same queries five times over tell no more than once.
  EXPECT_EQ(a->value, b->value);
  EXPECT_NEAR(a->high95 - a->low95, b->high95 - b->low95, 1e-12);
}

TEST(PairedTest, PairingTakesOutWhatBothShare) {
  const SliceUsers users = OneQueryEach(500);
  base::Rng rng(11);
  const std::vector<uint32_t> base = Draw(500, 0.5, &rng);
  std::vector<uint32_t> better = base;
  int more = 0;
  for (size_t u = 0; u < better.size() && more < 20; ++u) {
    if (better[u] == 0) {
      better[u] = 1;
      ++more;
    }
  }
  const std::vector<SeedHits> a = {{&users, better}};
  const std::vector<SeedHits> b = {{&users, base}};
  const auto difference = GapDifference(a, b, {});
  ASSERT_TRUE(difference.has_value());
  EXPECT_NEAR(difference->value, 0.04, 1e-12);
  EXPECT_GT(difference->low95, 0.02);
  // Apart, the two intervals overlap by far.
  EXPECT_LT(GapClosed(a, {})->low95, GapClosed(b, {})->high95);
  const auto none = GapDifference(a, a, {});
  EXPECT_EQ(*none, (Estimate{0, 0, 0}));
  const auto mirrored = GapDifference(b, a, {});
  EXPECT_NEAR(mirrored->value, -0.04, 1e-12);
}

}  // namespace
}  // namespace freshline::bench
