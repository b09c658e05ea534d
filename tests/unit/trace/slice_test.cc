// SPDX-License-Identifier: Apache-2.0
#include "bench/trace/slice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/random.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

constexpr int64_t kSecond = 1'000'000;

// A click per 100 ms over 1,000 s by 500 users.
std::vector<Click> Trace() {
  base::Rng rng(1);
  std::vector<Click> clicks;
  for (int64_t i = 0; i < 10'000; ++i) {
    Click click;
    click.time_us = i * kSecond / 10;
    click.user = static_cast<int64_t>(rng.Below(500));
    click.item = i;
    clicks.push_back(click);
  }
  return clicks;
}

SliceOptions Middle(double superpose) {
  SliceOptions o;
  o.window_start_us = 400 * kSecond;
  o.window_end_us = 1000 * kSecond;
  o.start_us = 500 * kSecond;
  o.end_us = 560 * kSecond;
  o.superpose = superpose;
  o.warm_up_us = 300 * kSecond;
  return o;
}

TEST(SliceTest, OneCopyIsTheSliceItself) {
  const auto slice = CutSlice(Trace(), Middle(1));
  ASSERT_THAT(slice, test::IsOk());
  ASSERT_EQ(slice->queries.size(), 600U);
  EXPECT_EQ(slice->queries[0].item, 5000);
  EXPECT_EQ(slice->queries[0].time_us, 0);
  std::set<int64_t> users;
  for (const Click& c : slice->queries) users.insert(c.user);
  EXPECT_EQ(slice->users, users.size());
  for (const Click& c : slice->warm_up) {
    EXPECT_TRUE(users.contains(c.user));
    EXPECT_LT(c.time_us, 0);
    EXPECT_GE(c.time_us, -300 * kSecond);
  }
}

TEST(SliceTest, CopiesAreOtherUsersWithTheirOwnGaps) {
  const std::vector<Click> trace = Trace();
  for (const double factor : {2.0, 3.5, 25.0}) {
    const auto slice = CutSlice(trace, Middle(factor));
    ASSERT_THAT(slice, test::IsOk());
    EXPECT_NEAR(static_cast<double>(slice->queries.size()), 600 * factor,
                60 * factor);
    std::map<int64_t, std::vector<Click>> by_user;
    for (const auto* part : {&slice->warm_up, &slice->queries}) {
      for (size_t i = 0; i < part->size(); ++i) {
        if (i > 0) {
          ASSERT_GE((*part)[i].time_us, (*part)[i - 1].time_us);
        }
        by_user[(*part)[i].user].push_back((*part)[i]);
      }
    }
    for (const auto& [user, clicks] : by_user) {
      for (size_t i = 1; i < clicks.size(); ++i) {
        // Items count the original's time in tenths of a second.
        ASSERT_EQ(clicks[i].time_us - clicks[i - 1].time_us,
                  (clicks[i].item - clicks[i - 1].item) * kSecond / 10);
      }
    }
  }
}

TEST(SliceTest, CopiesOfTheWholeWindowAreOutOfStep) {
  const std::vector<Click> trace = Trace();
  SliceOptions options = Middle(3);
  options.start_us = options.window_start_us;
  options.end_us = options.window_end_us;
  const auto slice = CutSlice(trace, options);
  ASSERT_THAT(slice, test::IsOk());
  ASSERT_EQ(slice->queries.size(), 3 * 6000U);
  std::map<int64_t, std::vector<Click>> by_user;
  std::map<int64_t, size_t> of_item;
  std::map<int64_t, std::set<int64_t>> times_of_item;
  for (const Click& c : slice->queries) {
    ASSERT_GE(c.time_us, 0);
    ASSERT_LT(c.time_us, 600 * kSecond);
    by_user[c.user].push_back(c);
    ++of_item[c.item];
    times_of_item[c.item].insert(c.time_us);
  }
  EXPECT_EQ(slice->users, by_user.size());
  for (const auto& [item, count] : of_item) {
    ASSERT_EQ(count, 3U);
    ASSERT_EQ(times_of_item[item].size(), 3U) << "copies in step";
  }
  for (const auto& [user, clicks] : by_user) {
    for (size_t i = 1; i < clicks.size(); ++i) {
      ASSERT_EQ(clicks[i].time_us - clicks[i - 1].time_us,
                (clicks[i].item - clicks[i - 1].item) * kSecond / 10);
    }
  }
  for (const Click& c : slice->warm_up) ASSERT_TRUE(by_user.contains(c.user));
}

TEST(SliceTest, WhatFollowsIsOfTheSlicesUsers) {
  const auto slice = CutSlice(Trace(), Middle(2.5));
  ASSERT_THAT(slice, test::IsOk());
  std::set<int64_t> users;
  for (const Click& c : slice->queries) users.insert(c.user);
  EXPECT_FALSE(slice->later.empty());
  int64_t last_us = 60 * kSecond;
  for (const Click& c : slice->later) {
    EXPECT_TRUE(users.contains(c.user));
    EXPECT_GE(c.time_us, last_us);
    last_us = c.time_us;
  }
}

TEST(SliceTest, AFractionKeepsWholeUsers) {
  const std::vector<Click> trace = Trace();
  const auto all = CutSlice(trace, Middle(1));
  const auto half = CutSlice(trace, Middle(0.5));
  ASSERT_THAT(half, test::IsOk());
  EXPECT_NEAR(static_cast<double>(half->users),
              static_cast<double>(all->users) / 2,
              static_cast<double>(all->users) / 8);
  std::map<int64_t, size_t> of_all;
  std::map<int64_t, size_t> of_half;
  for (const Click& c : all->queries) ++of_all[c.user];
  for (const Click& c : half->queries) ++of_half[c.user];
  for (const auto& [user, count] : of_half) EXPECT_EQ(of_all[user], count);
}

TEST(SliceTest, RefusesWhatIsNotInTheWindow) {
  SliceOptions options = Middle(1);
  options.end_us = options.window_end_us + 1;
  EXPECT_THAT(CutSlice(Trace(), options).status(),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             ::testing::HasSubstr("window")));
  for (const double factor : {0.0, -1.0, 1e9}) {
    EXPECT_THAT(CutSlice(Trace(), Middle(factor)).status(),
                test::StatusIs(absl::StatusCode::kInvalidArgument,
                               ::testing::HasSubstr("superpose")));
  }
}

}  // namespace
}  // namespace freshline::bench
