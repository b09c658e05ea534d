// SPDX-License-Identifier: Apache-2.0
#include "bench/trace/statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshline::bench {
namespace {

using ::testing::HasSubstr;

Click At(int64_t second, int64_t user, int64_t item, int64_t category) {
  Click click;
  click.time_us = second * 1'000'000;
  click.user = user;
  click.session = static_cast<uint64_t>(user);
  click.item = item;
  click.category = category;
  return click;
}

// User 1: A A B A in categories 1 1 1 1; user 2: C D in categories 2 3.
std::vector<Click> Clicks() {
  return {At(0, 1, 10, 1),  At(4, 1, 10, 1),  At(5, 2, 30, 2),
          At(30, 1, 20, 1), At(65, 2, 40, 3), At(70, 1, 10, 1)};
}

TEST(StatisticsTest, CountsTransitionsUsersAndItems) {
  const TraceStatistics s = Describe(Clicks());
  EXPECT_EQ(s.clicks, 6U);
  EXPECT_EQ(s.users, 2U);
  EXPECT_EQ(s.items, 4U);
  EXPECT_EQ(s.per_user_mean, 3);
  EXPECT_EQ(s.known_users, 0);
  EXPECT_DOUBLE_EQ(s.repeat, 1.0 / 4);         // A A
  EXPECT_DOUBLE_EQ(s.revisit, 1.0 / 3);        // B A
  EXPECT_DOUBLE_EQ(s.same_category, 2.0 / 3);  // not C D
  EXPECT_DOUBLE_EQ(s.previous_within_5s, 1.0 / 6);
  EXPECT_DOUBLE_EQ(s.previous_within_30s, 2.0 / 6);
  EXPECT_DOUBLE_EQ(s.previous_within_60s, 4.0 / 6);
  EXPECT_DOUBLE_EQ(s.top1, 3.0 / 6);
  EXPECT_EQ(s.views, 1);
}

TEST(StatisticsTest, HistoryIsKnownAndNotCounted) {
  const TraceStatistics s = Describe(Clicks(), 3);
  EXPECT_EQ(s.clicks, 3U);
  EXPECT_EQ(s.users, 2U);
  EXPECT_EQ(s.items, 3U);
  EXPECT_EQ(s.known_users, 1);
  EXPECT_EQ(s.repeat, 0);
  EXPECT_DOUBLE_EQ(s.revisit, 1.0 / 3);
  EXPECT_DOUBLE_EQ(s.previous_within_60s, 1);
  // In a window of their own the same clicks have no earlier ones.
  const std::vector<Click> clicks = Clicks();
  const TraceStatistics alone = Describe({clicks.begin() + 3, clicks.end()});
  EXPECT_EQ(alone.revisit, 0);
  EXPECT_DOUBLE_EQ(alone.previous_within_60s, 1.0 / 3);
}

TEST(StatisticsTest, SessionsAreWholeOnesWithHistoryOnly) {
  std::vector<Click> clicks = {At(0, 1, 10, 1)};
  for (int i = 0; i < 3; ++i) clicks.push_back(At(15, 2, 10 + i, 1));
  for (int i = 0; i < 5; ++i) clicks.push_back(At(50 + i, 1, 10 + i, 1));
  clicks.push_back(At(60, 2, 20, 1));
  clicks.push_back(At(80, 3, 10, 1));
  EXPECT_EQ(Describe(clicks).session_p50, 0U);
  // User 2 alone begins between 10 s and 20 s.
  EXPECT_EQ(Describe(clicks, 1).session_p50, 4U);
  EXPECT_EQ(Describe(clicks, 1).session_p99, 4U);
}

TEST(StatisticsTest, NothingIsDescribedAsNothing) {
  const TraceStatistics s = Describe({});
  EXPECT_EQ(s.clicks, 0U);
  EXPECT_EQ(s.repeat, 0);
  EXPECT_THAT(ToText(s), HasSubstr("clicks 0, users 0"));
}

}  // namespace
}  // namespace freshline::bench
