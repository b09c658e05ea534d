// SPDX-License-Identifier: Apache-2.0
#include "bench/trace/shaped_cut.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kSecond = 1'000'000;

// 20 clicks a second over 1,000 s by 5,000 users, each item of its own
// category.
std::vector<Click> Trace() {
  base::Rng rng(1);
  std::vector<Click> clicks;
  for (int64_t i = 0; i < 20'000; ++i) {
    Click click;
    click.time_us = i * kSecond / 20;
    click.user = static_cast<int64_t>(rng.Below(5000));
    click.item = i;
    clicks.push_back(click);
  }
  return clicks;
}

SliceOptions Middle() {
  SliceOptions o;
  o.window_start_us = 400 * kSecond;
  o.window_end_us = 1000 * kSecond;
  o.start_us = 400 * kSecond;
  o.end_us = 700 * kSecond;
  o.warm_up_us = 300 * kSecond;
  return o;
}

Slice Cut(const char* workload, uint64_t seed = 1) {
  const auto shape = WorkloadShape::Parse(workload);
  EXPECT_THAT(shape, test::IsOk());
  auto slice = CutShaped(Trace(), Middle(), *shape, seed);
  EXPECT_THAT(slice, test::IsOk());
  return *std::move(slice);
}

std::map<int64_t, size_t> ClicksByUser(const std::vector<Click>& clicks) {
  std::map<int64_t, size_t> counts;
  for (const Click& click : clicks) ++counts[click.user];
  return counts;
}

bool SameClicks(const std::vector<Click>& a, const std::vector<Click>& b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](const Click& x, const Click& y) {
                                              return x.time_us == y.time_us &&
                                                     x.user == y.user &&
                                                     x.item == y.item;
                                            });
}

TEST(ShapedCutTest, EveryWorkloadKeepsWhatASliceIs) {
  const Slice plain = Cut("");
  for (const NamedWorkload& workload : NamedWorkloads()) {
    SCOPED_TRACE(workload.name);
    const Slice slice = Cut(workload.name);
    const Slice again = Cut(workload.name);
    EXPECT_TRUE(SameClicks(slice.warm_up, again.warm_up));
    EXPECT_TRUE(SameClicks(slice.queries, again.queries));
    EXPECT_TRUE(SameClicks(slice.later, again.later));
    const std::map<int64_t, size_t> users = ClicksByUser(slice.queries);
    EXPECT_EQ(slice.users, users.size());
    int64_t last_us = std::numeric_limits<int64_t>::min();
    for (const auto* part : {&slice.warm_up, &slice.queries, &slice.later}) {
      for (const Click& click : *part) {
        ASSERT_GE(click.time_us, last_us);
        ASSERT_TRUE(users.contains(click.user));
        last_us = click.time_us;
      }
    }
    if (!slice.warm_up.empty()) {
      EXPECT_LT(slice.warm_up.back().time_us, 0);
    }
    if (workload.kind != WorkloadKind::kFlashCrowd) {
      EXPECT_EQ(slice.queries.size(), plain.queries.size());
    }
  }
}

TEST(ShapedCutTest, PosterRealAndGapAreTheSliceItself) {
  const auto cut = CutSlice(Trace(), Middle());
  ASSERT_THAT(cut, test::IsOk());
  for (const char* name : {"poster", "real", "gap:ms=1000"}) {
    const Slice slice = Cut(name);
    EXPECT_TRUE(SameClicks(slice.warm_up, cut->warm_up));
    EXPECT_TRUE(SameClicks(slice.queries, cut->queries));
  }
}

TEST(ShapedCutTest, ACrowdComesAndGoes) {
  const Slice plain = Cut("");
  const Slice slice = Cut("flash_crowd:factor=10,seconds=30");
  const auto in = [](const Slice& s, int64_t begin, int64_t end) {
    return static_cast<double>(
        std::count_if(s.queries.begin(), s.queries.end(), [&](const Click& c) {
          return c.time_us >= begin * kSecond && c.time_us < end * kSecond;
        }));
  };
  EXPECT_EQ(in(slice, 0, 135), in(plain, 0, 135));
  EXPECT_EQ(in(slice, 165, 300), in(plain, 165, 300));
  EXPECT_NEAR(in(slice, 135, 165) / in(plain, 135, 165), 10, 0.1);
  // Nobody who is there already comes twice, and nobody in step.
  const std::map<int64_t, size_t> regulars = ClicksByUser(plain.queries);
  std::set<std::pair<int64_t, int64_t>> moments;
  for (const Click& c : slice.queries) {
    EXPECT_TRUE(moments.insert({c.time_us, c.item}).second);
  }
  EXPECT_GT(slice.users, regulars.size());
}

TEST(ShapedCutTest, ACrowdFitsIntoItsSlice) {
  const auto shape = WorkloadShape::Parse("flash_crowd:seconds=301");
  EXPECT_THAT(CutShaped(Trace(), Middle(), *shape, 1).status(),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             HasSubstr("more than the slice's 300")));
}

// Least squares of log(clicks) over log(rank).
TEST(ShapedCutTest, AStormIsOfOthersAndLeavesTheSliceAsItIs) {
  const Slice plain = Cut("");
  const Slice slice = Cut("ingest_storm:factor=5,seconds=60");
  EXPECT_EQ(slice.queries.size(), plain.queries.size());
  EXPECT_EQ(slice.warm_up.size(), plain.warm_up.size());
  EXPECT_TRUE(plain.storm.empty());
  // A fifth of the slice's time, five times its rate.
  EXPECT_NEAR(static_cast<double>(slice.storm.size()),
              static_cast<double>(plain.queries.size()),
              0.1 * static_cast<double>(plain.queries.size()));
  const std::map<int64_t, size_t> own = ClicksByUser(plain.queries);
  int64_t before = 120 * kSecond;
  for (const Click& click : slice.storm) {
    EXPECT_FALSE(own.contains(click.user));
    EXPECT_GE(click.time_us, before);
    EXPECT_LT(click.time_us, 180 * kSecond);
    before = click.time_us;
  }
}

TEST(ShapedCutTest, HotKeysAreZipfByRegression) {
  for (const double exponent : {0.8, 1.2}) {
    const Slice slice =
        Cut(absl::StrCat("hot_keys:exponent=", exponent).c_str());
    std::vector<size_t> counts;
    for (const auto& [user, count] : ClicksByUser(slice.queries)) {
      counts.push_back(count);
    }
    std::sort(counts.rbegin(), counts.rend());
    constexpr size_t kRanks = 30;
    ASSERT_GE(counts.size(), kRanks);
    double x = 0, y = 0, xx = 0, xy = 0;
    for (size_t rank = 1; rank <= kRanks; ++rank) {
      const double log_rank = std::log(static_cast<double>(rank));
      const double log_count = std::log(static_cast<double>(counts[rank - 1]));
      x += log_rank;
      y += log_count;
      xx += log_rank * log_rank;
      xy += log_rank * log_count;
    }
    const double slope = (kRanks * xy - x * y) / (kRanks * xx - x * x);
    EXPECT_NEAR(slope, -exponent, 0.12);
  }
}

TEST(ShapedCutTest, HistoriesAreParetoAndOlderThanTheUsersOwn) {
  const Slice plain = Cut("");
  const Slice slice = Cut("long_history:alpha=1.2,max=200");
  std::map<int64_t, size_t> before = ClicksByUser(plain.warm_up);
  std::map<int64_t, size_t> after = ClicksByUser(slice.warm_up);
  const std::map<int64_t, size_t> users = ClicksByUser(plain.queries);
  std::map<size_t, size_t> given;
  for (const auto& [user, queries] : users) {
    ASSERT_GT(after[user], before[user]);
    ++given[after[user] - before[user]];
  }
  const auto at_least = [&](size_t length) {
    size_t count = 0;
    for (const auto& [n, of_users] : given) count += n >= length ? of_users : 0;
    return static_cast<double>(count) / static_cast<double>(users.size());
  };
  for (const size_t length : {2U, 4U, 10U, 40U}) {
    EXPECT_NEAR(at_least(length), std::pow(static_cast<double>(length), -1.2),
                0.025);
  }
  EXPECT_EQ(at_least(201), 0);
  // The user's own clicks stay the newest ones.
  EXPECT_TRUE(SameClicks(slice.queries, plain.queries));
  std::map<int64_t, std::vector<int64_t>> own;
  for (const Click& c : plain.warm_up) own[c.user].push_back(c.item);
  std::map<int64_t, std::vector<int64_t>> all;
  for (const Click& c : slice.warm_up) all[c.user].push_back(c.item);
  for (const auto& [user, items] : own) {
    ASSERT_TRUE(std::equal(items.rbegin(), items.rend(), all[user].rbegin()));
  }
}

TEST(ShapedCutTest, NoHistoryCanBeGivenWhereThereIsNone) {
  const auto shape = WorkloadShape::Parse("long_history");
  SliceOptions options = Middle();
  options.warm_up_us = 0;
  EXPECT_THAT(CutShaped(Trace(), options, *shape, 1).status(),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             HasSubstr("--history")));
}

TEST(ShapedCutTest, TheShareOfFirstSeenUsersIsAsAsked) {
  const Slice slice = Cut("first_seen:share=0.9");
  const std::map<int64_t, size_t> known = ClicksByUser(slice.warm_up);
  const auto unknown = static_cast<double>(
      std::count_if(slice.queries.begin(), slice.queries.end(),
                    [&](const Click& c) { return !known.contains(c.user); }));
  EXPECT_NEAR(unknown / static_cast<double>(slice.queries.size()), 0.9, 0.02);
  const auto shape = WorkloadShape::Parse("first_seen:share=0.01");
  EXPECT_THAT(CutShaped(Trace(), Middle(), *shape, 1).status(),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             HasSubstr("share is 0.01")));
}

TEST(ShapedCutTest, DriftReachesWhoComesLate) {
  const Slice plain = Cut("");
  const Slice slice = Cut("slow_drift:until=1,clicks=12");
  std::map<int64_t, size_t> before = ClicksByUser(plain.warm_up);
  std::map<int64_t, size_t> after = ClicksByUser(slice.warm_up);
  std::set<int64_t> seen;
  double users[3] = {};
  double changed[3] = {};
  for (const Click& c : slice.queries) {
    if (!seen.insert(c.user).second) continue;
    const auto third = static_cast<size_t>(c.time_us / (100 * kSecond));
    users[third] += 1;
    const size_t more = after[c.user] - before[c.user];
    ASSERT_TRUE(more == 0 || more == 12);
    changed[third] += more > 0 ? 1 : 0;
  }
  EXPECT_NEAR(changed[0] / users[0], 1 / 6.0, 0.05);
  EXPECT_NEAR(changed[1] / users[1], 3 / 6.0, 0.05);
  EXPECT_NEAR(changed[2] / users[2], 5 / 6.0, 0.05);
}

TEST(ShapedCutTest, AnotherSeedChoosesOthers) {
  for (const char* name : {"hot_keys", "long_history", "first_seen"}) {
    EXPECT_FALSE(SameClicks(Cut(name, 1).warm_up, Cut(name, 2).warm_up));
  }
}

}  // namespace
}  // namespace freshline::bench
