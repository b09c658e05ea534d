// SPDX-License-Identifier: Apache-2.0
#include "bench/score/quality.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace freshline::bench {
namespace {

// `per_user` scored queries of each of `users`.
QuerySet Scored(uint32_t users, uint32_t per_user) {
  QuerySet set;
  set.timelines.resize(users);
  for (uint32_t u = 0; u < users; ++u) {
    for (uint32_t i = 0; i < per_user; ++i) {
      Query query;
      query.user = u;
      query.scored = true;
      set.queries.push_back(query);
      ++set.scored;
    }
  }
  return set;
}

TEST(SummariseTest, AveragesOverScoredQueries) {
  QuerySet set = Scored(4, 1);
  set.queries[3].scored = false;
  const Quality q = Summarise(set, {1, 4, 0, 1});
  EXPECT_EQ(q.scored, 3U);
  EXPECT_NEAR(q.hr20, 2.0 / 3, 1e-12);
  EXPECT_NEAR(q.mrr20, 1.25 / 3, 1e-12);
  EXPECT_NEAR(q.ndcg20, (1 + 1 / std::log2(5)) / 3, 1e-12);
}

TEST(SummariseTest, IsZeroWithoutQueries) {
  EXPECT_EQ(Summarise({}, {}).hr20, 0);
}

TEST(GapClosedTest, IsZeroForNeverAndOneForInfinite) {
  const QuerySet set = Scored(10, 2);
  const Ranks never(20, 0);
  Ranks infinite(20, 0);
  for (size_t i = 0; i < 10; ++i) infinite[i] = 3;
  const auto none = GapClosed(set, never, never, infinite, {});
  const auto all = GapClosed(set, infinite, never, infinite, {});
  ASSERT_TRUE(none.has_value() && all.has_value());
  EXPECT_EQ(none->value, 0);
  EXPECT_EQ(none->high95, 0);
  EXPECT_EQ(all->value, 1);
  EXPECT_EQ(all->low95, 1);
}

TEST(GapClosedTest, HasNoValueWithoutAGap) {
  const QuerySet set = Scored(2, 1);
  EXPECT_FALSE(GapClosed(set, {1, 1}, {1, 0}, {0, 1}, {}).has_value());
  EXPECT_FALSE(GapClosed({}, {}, {}, {}, {}).has_value());
}

TEST(GapClosedTest, IntervalHoldsTheTruthAsOftenAsItSays) {
  int covered = 0;
  constexpr int kTrials = 100;
  for (uint64_t seed = 1; seed <= kTrials; ++seed) {
    base::Rng rng(seed);
    const QuerySet set = Scored(200, 2);
    Ranks policy, never, infinite;
    for (size_t i = 0; i < set.queries.size(); ++i) {
      never.push_back(rng.Chance(0.2) ? 1 : 0);
      infinite.push_back(rng.Chance(0.6) ? 1 : 0);
      policy.push_back(rng.Chance(0.5) ? infinite.back() : never.back());
    }
    const auto gap = GapClosed(set, policy, never, infinite,
                               {.resamples = 200, .seed = seed});
    ASSERT_TRUE(gap.has_value());
    EXPECT_LE(gap->low95, gap->value);
    EXPECT_GE(gap->high95, gap->value);
    covered += gap->low95 <= 0.5 && 0.5 <= gap->high95 ? 1 : 0;
  }
  EXPECT_GE(covered, 88);
  EXPECT_LT(covered, kTrials);
}

TEST(HitRateGainTest, ClustersByUser) {
  // One user's 50 queries are one observation; 50 users' are 50.
  const auto width = [](uint32_t users, uint32_t per_user) {
    const QuerySet set = Scored(users, per_user);
    Ranks a, b(set.queries.size(), 0);
    for (const Query& q : set.queries) a.push_back(q.user % 2 == 0 ? 1 : 0);
    const auto gain = HitRateGain(set, a, b, {});
    EXPECT_TRUE(gain.has_value());
    EXPECT_NEAR(gain->value, 0.5, 1e-12);
    return gain->high95 - gain->low95;
  };
  EXPECT_GT(width(10, 50), 2 * width(500, 1));
}

TEST(HitRateGainTest, SameSeedSameInterval) {
  const QuerySet set = Scored(20, 1);
  Ranks a(20, 0), b(20, 0);
  for (size_t i = 0; i < 20; i += 3) a[i] = 1;
  const auto x = HitRateGain(set, a, b, {.resamples = 50, .seed = 7});
  const auto y = HitRateGain(set, a, b, {.resamples = 50, .seed = 7});
  EXPECT_EQ(x->low95, y->low95);
  EXPECT_EQ(x->high95, y->high95);
}

}  // namespace
}  // namespace freshline::bench
