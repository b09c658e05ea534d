// SPDX-License-Identifier: Apache-2.0
#include "bench/score/queries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

using test::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kSecond = 1'000'000;

Click At(int64_t second, int64_t user, int64_t item) {
  Click click;
  click.time_us = second * kSecond;
  click.user = user;
  click.item = item;
  return click;
}

QuerySet Find(const std::vector<Click>& clicks, size_t begin, size_t end) {
  auto set = FindTruths({clicks, begin, end});
  EXPECT_THAT(set, test::IsOk());
  return set.ok() ? *std::move(set) : QuerySet{};
}

TEST(FindTruthsTest, TruthIsTheNextClickOnAnotherItem) {
  const std::vector<Click> clicks = {At(0, 1, 10), At(5, 2, 99), At(10, 1, 10),
                                     At(20, 1, 11)};
  const QuerySet set = Find(clicks, 0, 4);
  EXPECT_TRUE(set.queries[0].scored);
  EXPECT_EQ(set.queries[0].truth, 11);
  EXPECT_FALSE(set.queries[1].scored) << "no next click";
  EXPECT_FALSE(set.queries[2].scored) << "a repeat";
  EXPECT_FALSE(set.queries[3].scored) << "no next click";
  EXPECT_EQ(set.scored, 1U);
}

TEST(FindTruthsTest, LooksBeyondTheQueriesButNotBeyondHalfAnHour) {
  const std::vector<Click> clicks = {At(0, 1, 10), At(0, 2, 10),
                                     At(1800, 1, 11), At(1801, 2, 11)};
  const QuerySet set = Find(clicks, 0, 2);
  ASSERT_EQ(set.queries.size(), 2U);
  EXPECT_TRUE(set.queries[0].scored);
  EXPECT_FALSE(set.queries[1].scored);
}

TEST(FindTruthsTest, ARepeatOfTheWarmUpIsNotScored) {
  const std::vector<Click> clicks = {At(0, 1, 10), At(1, 1, 10), At(2, 1, 11)};
  EXPECT_FALSE(Find(clicks, 1, 3).queries[0].scored);
}

TEST(FindTruthsTest, StatesCountRunsOfOneItemOnce) {
  const std::vector<Click> clicks = {At(0, 1, 10), At(10, 1, 11), At(20, 1, 11),
                                     At(60, 1, 12), At(70, 1, 13)};
  const QuerySet set = Find(clicks, 1, 5);
  const Query& q = set.queries[2];  // the click on 12
  EXPECT_EQ(q.fresh, 4U);
  EXPECT_EQ(q.without_last, 3U);
  EXPECT_EQ(q.without_last_two, 1U);
  EXPECT_EQ(q.old_30s, 3U);
  EXPECT_EQ(q.never, 1U);
  EXPECT_EQ(set.queries[0].old_30s, 0U);
  EXPECT_EQ(set.queries[0].without_last_two, 0U);
  EXPECT_THAT(set.timelines[q.user], ElementsAre(0, 1, 2, 3, 4));
}

TEST(FindTruthsTest, StatesAreNestedWhateverTheTrace) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    base::Rng rng(seed);
    std::vector<Click> clicks;
    int64_t second = 0;
    for (int i = 0; i < 200; ++i) {
      second += static_cast<int64_t>(rng.Below(20));
      clicks.push_back(At(second, static_cast<int64_t>(rng.Below(10)),
                          static_cast<int64_t>(rng.Below(4))));
    }
    const size_t begin = rng.Below(200);
    const QuerySet set = Find(clicks, begin, 200);
    for (size_t i = 0; i < set.queries.size(); ++i) {
      const Query& q = set.queries[i];
      const auto& timeline = set.timelines[q.user];
      ASSERT_EQ(timeline[q.fresh - 1], begin + i);
      EXPECT_LT(q.without_last, q.fresh);
      EXPECT_LE(q.without_last_two, q.without_last);
      EXPECT_LT(q.old_30s, q.fresh);
      EXPECT_LT(q.never, q.fresh);
      if (!q.scored) continue;
      EXPECT_NE(q.truth, clicks[begin + i].item);
      EXPECT_EQ(q.without_last, q.fresh - 1);
    }
  }
}

TEST(FindTruthsTest, RefusesRangesAndOrdersThatMakeNoSense) {
  const std::vector<Click> clicks = {At(1, 1, 1), At(0, 1, 2)};
  EXPECT_THAT(FindTruths({clicks, 0, 2}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("click 1 is earlier")));
  EXPECT_THAT(FindTruths({clicks, 0, 3}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("a trace of 2 clicks")));
  EXPECT_THAT(
      FindTruths({clicks, 1, 0}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("[1, 0)")));
}

}  // namespace
}  // namespace freshline::bench
