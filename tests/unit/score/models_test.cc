// SPDX-License-Identifier: Apache-2.0
#include "bench/score/models.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <span>
#include <vector>

#include "base/time_text.h"
#include "bench/score/quality.h"
#include "bench/trace/reader.h"
#include "tests/support/aisle_trace.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

constexpr int64_t kSecond = 1'000'000;

class ModelsTest : public ::testing::Test {
 protected:
  void Walk(uint64_t seed) { clicks_ = test::WalkAisles(seed, &pool_); }
  double HitRate(const QuerySet& set, ModelRow row) const {
    return Summarise(set, ranks_[static_cast<size_t>(row)]).hr20;
  }

  StringPool pool_;
  std::vector<Click> clicks_;
  std::array<Ranks, kModelRows> ranks_;
};

TEST_F(ModelsTest, RowsStandInTheirOrderOnAPredictableTrace) {
  Walk(1);
  const size_t begin = clicks_.size() / 2;
  ListBook book(test::TrainTable(std::span(clicks_).first(begin), pool_));
  const ScoringTrace trace = {clicks_, begin, clicks_.size()};
  const auto set = FindTruths(trace);
  ASSERT_THAT(set, test::IsOk());
  ranks_ = RankModels(trace, pool_, *set, &book, {});
  EXPECT_GT(HitRate(*set, ModelRow::kFresh), 0.6);
  EXPECT_GT(HitRate(*set, ModelRow::kFresh),
            HitRate(*set, ModelRow::kNever) + 0.2);
  EXPECT_GT(HitRate(*set, ModelRow::kFresh),
            HitRate(*set, ModelRow::kPopularity) + 0.2);
  EXPECT_GE(HitRate(*set, ModelRow::kFresh),
            HitRate(*set, ModelRow::kWithoutLast));
  EXPECT_GE(HitRate(*set, ModelRow::kCheap),
            HitRate(*set, ModelRow::kOwnItems));
}

TEST_F(ModelsTest, DoesNotDependOnThreads) {
  Walk(2);
  const size_t begin = clicks_.size() / 2;
  const auto table = test::TrainTable(std::span(clicks_).first(begin), pool_);
  ListBook book(table);
  const ScoringTrace trace = {clicks_, begin, clicks_.size()};
  const auto set = FindTruths(trace);
  ASSERT_THAT(set, test::IsOk());
  ScoreOptions one;
  one.threads = 1;
  ScoreOptions three;
  three.threads = 3;
  ListBook other(table);
  EXPECT_EQ(RankModels(trace, pool_, *set, &book, one),
            RankModels(trace, pool_, *set, &other, three));
}

TEST_F(ModelsTest, AStateWithoutClicksIsAnsweredByPopularity) {
  Walk(3);
  ListBook book(test::TrainTable(clicks_, pool_));
  const ScoringTrace trace = {clicks_, 0, clicks_.size()};
  const auto set = FindTruths(trace);
  ASSERT_THAT(set, test::IsOk());
  ranks_ = RankModels(trace, pool_, *set, &book, {});
  EXPECT_EQ(ranks_[static_cast<size_t>(ModelRow::kNever)],
            ranks_[static_cast<size_t>(ModelRow::kPopularity)]);
}

TEST_F(ModelsTest, TiesCountAgainstTheModel) {
  // 30 items of one click each are equally popular: none of them is surely
  // among the first 20.
  for (int64_t i = 0; i < 30; ++i) {
    Click click;
    click.time_us = i * kSecond;
    click.user = i / 2;
    click.session = static_cast<uint64_t>(i / 2);
    click.item = i;
    clicks_.push_back(click);
  }
  ListBook book(test::TrainTable(clicks_, pool_));
  const ScoringTrace trace = {clicks_, 0, clicks_.size()};
  const auto set = FindTruths(trace);
  ASSERT_THAT(set, test::IsOk());
  EXPECT_EQ(set->scored, 15U);
  ranks_ = RankModels(trace, pool_, *set, &book, {});
  EXPECT_EQ(HitRate(*set, ModelRow::kPopularity), 0);
}

TEST(RankServedTest, RanksListsAndLetsPopularityAnswerViolations) {
  QuerySet set;
  set.queries.resize(5);
  for (Query& q : set.queries) {
    q.scored = true;
    q.truth = 7;
  }
  set.queries[4].scored = false;
  std::vector<ServedList> served(5);
  served[0] = {true, {5, 7}};
  served[1] = {false, {7}};
  served[2] = {true, {}};
  served[3].in_time = true;
  for (int64_t i = 0; i < 20; ++i) served[3].items.push_back(100 + i);
  served[3].items.push_back(7);
  served[4] = {true, {7}};
  EXPECT_EQ(RankServed(set, served, {9, 9, 9, 9, 9}), (Ranks{2, 9, 9, 0, 0}));
}

// The real rows where they are at hand: the figures that the featurizer was
// designed by, with room for the random projection.
TEST(RealRowsTest, ReproducesTheTableOfTheRecipe) {
  const char* const path = std::getenv("FRESHLINE_REES46");
  if (path == nullptr) GTEST_SKIP() << "FRESHLINE_REES46 names no trace";
  StringPool pool;
  ReadReport report;
  const auto clicks = ReadTrace(path, {}, &pool, &report);
  ASSERT_THAT(clicks, test::IsOk());
  const auto index_of = [&](const char* time) {
    const int64_t at = *base::ParseTime(time);
    return static_cast<size_t>(
        std::partition_point(clicks->begin(), clicks->end(),
                             [&](const Click& c) { return c.time_us < at; }) -
        clicks->begin());
  };
  const ScoringTrace trace = {*clicks, index_of("2019-10-01 02:40:00"),
                              index_of("2019-10-01 02:50:00")};
  ListBook book(
      test::TrainTable(std::span(*clicks).first(trace.queries_begin), pool));
  const auto set = FindTruths(trace);
  ASSERT_THAT(set, test::IsOk());
  const auto ranks = RankModels(trace, pool, *set, &book, {});
  const auto hit_rate = [&](ModelRow row) {
    return Summarise(*set, ranks[static_cast<size_t>(row)]).hr20;
  };
  EXPECT_NEAR(hit_rate(ModelRow::kFresh), 0.319, 0.02);
  EXPECT_NEAR(hit_rate(ModelRow::kWithoutLast), 0.232, 0.015);
  EXPECT_NEAR(hit_rate(ModelRow::kWithoutLastTwo), 0.170, 0.015);
  EXPECT_NEAR(hit_rate(ModelRow::kOld30s), 0.214, 0.015);
  EXPECT_NEAR(hit_rate(ModelRow::kCheap), 0.245, 0.015);
  EXPECT_NEAR(hit_rate(ModelRow::kCoVisitation), 0.173, 0.01);
  EXPECT_NEAR(hit_rate(ModelRow::kOwnItems), 0.118, 0.01);
  EXPECT_NEAR(hit_rate(ModelRow::kPopularity), 0.047, 0.01);
}

}  // namespace
}  // namespace freshline::bench
