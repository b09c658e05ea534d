// SPDX-License-Identifier: Apache-2.0
#include "bench/sim/trace/slice_simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bench/score/quality.h"
#include "schedule/policies.h"
#include "tests/sim/trace/walked_slice.h"

namespace freshline::bench {
namespace {

using base::Duration;
using base::FromMillis;
using ::testing::HasSubstr;

// Clicks come 1 ms apart, so that two workers are at load `ms` / 2 while they
// come, where `ms` is the time of a row.
TimeProfile RowsOf(double ms) {
  TimeProfile profile;
  for (uint32_t scans = 1; scans <= 4; ++scans) {
    for (const double part : {0.7, 0.9, 1.0, 1.1, 1.3}) {
      profile.times[{scans, 1}].push_back(
          FromMillis(ms * part * (0.6 + 0.2 * scans)));
    }
  }
  return profile;
}

class SliceSimulationTest : public WalkedSlice {
 protected:
  SliceSimulationTest() {
    function_ = *Load("next_items");
    shapes_ = ShapesOf(*function_, View());
    book_ = std::make_unique<ListBook>(function_->table());
    models_ = RankModels(trace_, pool_, set_, book_.get(), {});
    ranker_ = std::make_unique<StateRanker>(trace_, pool_, set_, models_,
                                            book_.get(), ScoreOptions{});
  }
  static SliceRunOptions Options(const char* policy) {
    SliceRunOptions options;
    options.policy = *schedule::FindPolicy(policy);
    return options;
  }
  SliceRun Run(const SliceRunOptions& options, double row_ms) {
    const auto run = RunSlice(slice(), ProfiledTimes(RowsOf(row_ms)), models_,
                              options, ranker_.get());
    EXPECT_THAT(run, test::IsOk());
    return *run;
  }
  ShapedSlice slice() const { return {View(), shapes_}; }

  std::unique_ptr<SliceFunction> function_;
  std::vector<base::JobShape> shapes_;
  std::unique_ptr<ListBook> book_;
  std::array<Ranks, kModelRows> models_;
  std::unique_ptr<StateRanker> ranker_;
};

TEST_F(SliceSimulationTest, FreshEverywhereAtLowLoadIsInfiniteCompute) {
  for (const char* policy : {"slo_aware", "edf", "fifo"}) {
    SCOPED_TRACE(policy);
    const RunReport r = Run(Options(policy), 0.2).report;
    EXPECT_EQ(r.kind, "simulated");
    EXPECT_EQ(r.policy, policy);
    EXPECT_EQ(r.queries, set_.queries.size());
    EXPECT_EQ(r.violations, 0U);
    EXPECT_EQ(r.fraction_fresh, 1);
    EXPECT_EQ(r.obtained.at("REFRESHED"), r.queries);
    EXPECT_EQ(r.quality.scored, set_.scored);
    EXPECT_GT(r.quality.hr20_infinite, r.quality.hr20_never + 0.1);
    EXPECT_EQ(r.quality.hr20, r.quality.hr20_infinite);
    EXPECT_EQ(r.quality.gap_closed, 1);
    EXPECT_EQ(r.quality.value_captured, 1);
    EXPECT_DOUBLE_EQ(*r.quality.value_bound, 1);
    EXPECT_EQ(r.pending.max, 0);
    EXPECT_EQ(r.guard_us, 2000);
    EXPECT_GT(r.p99_coverage, 0.5);
  }
}

TEST_F(SliceSimulationTest, EagerFifoAnswersAtOnceWithTheClickBefore) {
  const RunReport r = Run(Options("eager_fifo"), 0.2).report;
  EXPECT_EQ(r.latency_us.max, 0);
  EXPECT_EQ(r.fraction_fresh, 0);
  EXPECT_EQ(r.quality.value_captured, 0);
  EXPECT_EQ(r.obtained.at("STALE_SHED"), r.queries);
  EXPECT_EQ(r.featurizations, r.queries);
  EXPECT_EQ(r.guard_us, 0);
  QuerySet before = set_;
  for (Query& q : before.queries) q.fresh -= 1;
  const auto models = RankModels(trace_, pool_, before, book_.get(), {});
  const Quality expected =
      Summarise(before, models[static_cast<size_t>(ModelRow::kFresh)]);
  EXPECT_EQ(r.quality.hr20, expected.hr20);
  EXPECT_EQ(r.quality.mrr20, expected.mrr20);
  EXPECT_EQ(r.quality.ndcg20, expected.ndcg20);
}

TEST_F(SliceSimulationTest, ApproximatesWhatIsNotFresh) {
  const Quality cheap =
      Summarise(set_, models_[static_cast<size_t>(ModelRow::kCheap)]);
  SliceRunOptions options = Options("eager_fifo");
  options.approximate = 0.75;
  const RunReport eager = Run(options, 0.2).report;
  EXPECT_TRUE(eager.approximate);
  EXPECT_EQ(eager.obtained.at("APPROXIMATED"), eager.queries);
  EXPECT_EQ(eager.fraction_fresh, 0);
  EXPECT_EQ(eager.quality.hr20, cheap.hr20);
  // Between the cheap model and the fresh one, by how many are fresh.
  options.policy = *schedule::FindPolicy("slo_aware");
  const RunReport some = Run(options, 4).report;
  EXPECT_GT(some.obtained.at("APPROXIMATED"), 0U);
  EXPECT_EQ(some.obtained.at("APPROXIMATED") + some.obtained.at("REFRESHED"),
            some.queries);
  EXPECT_GE(some.quality.hr20,
            std::min(cheap.hr20, some.quality.hr20_infinite));
  options.approximate = 1;
  EXPECT_THAT(RunSlice(slice(), ProfiledTimes(RowsOf(1)), models_, options,
                       ranker_.get()),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             testing::HasSubstr("approximate")));
}

TEST_F(SliceSimulationTest, AGapOfASecondIsEnoughForEagerFifo) {
  SliceRunOptions options = Options("eager_fifo");
  options.gap = std::chrono::seconds(1);
  const RunReport r = Run(options, 0.2).report;
  EXPECT_EQ(r.gap_ms, 1000);
  EXPECT_EQ(r.obtained.at("ALREADY_FRESH"), r.queries);
  EXPECT_EQ(r.quality.hr20, r.quality.hr20_infinite);
}

// Every user has time, but those of one SLO, which is less than a row takes.
TEST_F(SliceSimulationTest, EachQueryHasItsOwnSlo) {
  SliceRunOptions options = Options("slo_aware");
  options.slo_of = [](int64_t user) {
    return std::chrono::milliseconds(user % 2 == 0 ? 3 : 30);
  };
  const auto hurried = static_cast<uint64_t>(std::count_if(
      trace_.clicks.begin() + static_cast<ptrdiff_t>(trace_.queries_begin),
      trace_.clicks.begin() +
          static_cast<ptrdiff_t>(trace_.queries_begin + set_.queries.size()),
      [](const Click& click) { return click.user % 2 == 0; }));
  ASSERT_GT(hurried, 0U);
  ASSERT_LT(hurried, set_.queries.size());
  const RunReport r = Run(options, 1.5).report;
  EXPECT_EQ(r.violations, 0U);
  EXPECT_EQ(r.obtained.at("REFRESHED"), r.queries - hurried);
  EXPECT_LE(*r.quality.value_captured, *r.quality.value_bound + 1e-12);
}

TEST_F(SliceSimulationTest, AStormOfOthersIsNoQueryAndCostsNoneItsRefresh) {
  std::vector<Click> storm;
  for (int64_t i = 0; i < 2000; ++i) {
    Click click;
    click.user = i % 100;
    click.time_us = i * 100;
    storm.push_back(click);
  }
  ShapedSlice stormy = slice();
  stormy.storm = storm;
  SliceStream stream(stormy, Duration::zero());
  SimArrival arrival;
  Duration before{};
  std::set<base::RowId> rows;
  size_t queries = 0;
  while (stream.Next(&arrival)) {
    EXPECT_GE(arrival.at, before);
    before = arrival.at;
    queries += arrival.query;
    if (!arrival.query) rows.insert(arrival.row);
  }
  EXPECT_EQ(queries, set_.queries.size());
  ASSERT_FALSE(rows.empty());
  EXPECT_GE(rows.begin()->key, base::KeyId{SliceStream::kStormKey});

  const ProfiledTimes times(RowsOf(0.2));
  const auto run =
      RunSlice(stormy, times, models_, Options("slo_aware"), ranker_.get());
  ASSERT_THAT(run, test::IsOk());
  EXPECT_EQ(run->report.queries, set_.queries.size());
  EXPECT_GT(run->report.fraction_fresh, 0.98);
}

// Whole rows are worth most here: outcomes say so, whatever was believed.
TEST_F(SliceSimulationTest, ReportsMoveTheCurveAndTheRegrets) {
  SliceRunOptions options = Options("slo_aware");
  const auto metric = std::make_shared<const staleness::StalenessMetric>(
      staleness::StalenessMetric::Learned(std::nullopt));
  const double before = metric->Gain({1, 30, {}});
  options.metric = metric;
  Run(options, 8);
  EXPECT_EQ(metric->Gain({1, 30, {}}), before);  // nobody reported
  options.reports = true;
  Run(options, 8);
  EXPECT_NE(metric->Gain({1, 30, {}}), before);

  options.metric = nullptr;
  options.policy.index.function = [](const schedule::RowFacts& row,
                                     base::MonoTime) { return row.regret; };
  const SliceRun told = Run(options, 8);
  options.reports = false;
  EXPECT_NE(Run(options, 8).actions_hash, told.actions_hash);
}

TEST_F(SliceSimulationTest, IsTheSameAgainAndAnotherByAnotherSeed) {
  const SliceRunOptions one = Options("slo_aware");
  SliceRunOptions two = one;
  two.seed = 2;
  const SliceRun first = Run(one, 4);
  const SliceRun again = Run(one, 4);
  EXPECT_EQ(first.actions_hash, again.actions_hash);
  EXPECT_EQ(first.report.quality.hr20, again.report.quality.hr20);
  EXPECT_EQ(first.report.latency_us.p99, again.report.latency_us.p99);
  EXPECT_NE(first.actions_hash, Run(two, 4).actions_hash);
  EXPECT_NE(first.actions_hash, Run(Options("fifo"), 4).actions_hash);
}

TEST_F(SliceSimulationTest, NoPolicyCapturesMoreThanTheBound) {
  for (const char* policy :
       {"slo_aware", "edf", "fifo", "stale_then_refresh", "eager_fifo"}) {
    for (const double gap_ms : {0.0, 5.0, 1000.0}) {
      for (const double row_ms : {2.0, 8.0, 500.0, 1500.0}) {
        for (const uint32_t batch : {1U, 4U}) {
          const uint64_t seed = batch;
          SCOPED_TRACE(testing::Message()
                       << policy << " gap " << gap_ms << " row " << row_ms
                       << " batch " << batch << " seed " << seed);
          SliceRunOptions options = Options(policy);
          options.batch_max = batch;
          options.gap = FromMillis(gap_ms);
          options.slo = FromMillis(row_ms * 3);
          options.seed = seed;
          const RunReport r = Run(options, row_ms).report;
          EXPECT_LE(*r.quality.value_captured, *r.quality.value_bound + 1e-12);
        }
      }
    }
  }
}

TEST_F(SliceSimulationTest, TheBoundIsWithinReachWhereDeadlinesLeaveRoom) {
  // 60 rows of 2 s each 20 s are three times what two workers can do.
  SliceRunOptions options = Options("slo_aware");
  options.slo = std::chrono::seconds(19);
  const RunReport r = Run(options, 1500).report;
  EXPECT_LT(*r.quality.value_bound, 0.5);
  EXPECT_GT(*r.quality.value_captured, 0.5 * *r.quality.value_bound);
}

TEST_F(SliceSimulationTest, TheBoundCountsRunsThatServeSeveralQueriesOnce) {
  // Rows of 10 s. Deadlines before a user's next click, and three after it.
  SliceRunOptions options = Options("slo_aware");
  const auto bound = [&](int seconds) {
    options.slo = std::chrono::seconds(seconds);
    return ValueBound(slice(), ProfiledTimes(RowsOf(10'000)), options);
  };
  EXPECT_GT(bound(10), 0);
  EXPECT_LT(bound(19), 0.2);
  EXPECT_GT(bound(60), 2 * bound(19));
  EXPECT_LT(bound(60), 0.5);
}

TEST_F(SliceSimulationTest, BatchesMakeTheBoundHigher) {
  SliceRunOptions options = Options("slo_aware");
  options.slo = std::chrono::seconds(19);
  const double alone = *Run(options, 1500).report.quality.value_bound;
  options.batch_max = 4;
  const double batched = *Run(options, 1500).report.quality.value_bound;
  EXPECT_GT(batched, 1.2 * alone);
  EXPECT_LE(batched, 1);
}

TEST_F(SliceSimulationTest, LoadOneFollowsTheMixOfTheTrace) {
  const ProfiledTimes times(RowsOf(1));
  double sum_ms = 0;
  for (const base::JobShape& shape : shapes_) sum_ms += 0.6 + 0.2 * shape.scans;
  EXPECT_NEAR(base::ToMillis(MeanTime(slice(), times)),
              sum_ms / static_cast<double>(shapes_.size()), 1e-4);
}

TEST_F(SliceSimulationTest, SaysWhichOptionIsOutOfRange) {
  const auto message = [&](auto change) {
    SliceRunOptions options = Options("fifo");
    change(&options);
    const auto run = RunSlice(slice(), ProfiledTimes(RowsOf(1)), models_,
                              options, ranker_.get());
    EXPECT_THAT(
        run, test::StatusIs(absl::StatusCode::kInvalidArgument, ::testing::_));
    return std::string(run.status().message());
  };
  using Options = SliceRunOptions;
  EXPECT_THAT(message([](Options* o) { o->guard = o->slo; }),
              HasSubstr("guard: 30 ms"));
  EXPECT_THAT(message([](Options* o) { o->guard = Duration(-1); }),
              HasSubstr("guard"));
  EXPECT_THAT(message([](Options* o) { o->slo = Duration(0); }),
              HasSubstr("SLO: 0 ms"));
  EXPECT_THAT(message([](Options* o) { o->gap = Duration(-1); }),
              HasSubstr("gap"));
  EXPECT_THAT(message([](Options* o) { o->workers = 0; }),
              HasSubstr("workers: 0"));
  EXPECT_THAT(message([](Options* o) { o->batch_max = 65; }),
              HasSubstr("batch: 65"));
}

}  // namespace
}  // namespace freshline::bench
