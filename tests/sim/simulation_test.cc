// SPDX-License-Identifier: Apache-2.0
#include "bench/sim/simulation.h"

#include <vector>

#include "bench/sim/synthetic.h"
#include "gtest/gtest.h"

namespace freshline::bench {
namespace {

using base::Duration;
using base::FromMillis;
using base::Obtained;

class ListStream final : public SimStream {
 public:
  explicit ListStream(std::vector<SimArrival> list) : list_(std::move(list)) {}
  bool Next(SimArrival* arrival) override {
    if (next_ == list_.size()) return false;
    *arrival = list_[next_++];
    return true;
  }

 private:
  const std::vector<SimArrival> list_;
  size_t next_ = 0;
};

class FixedTimes final : public SimServiceTimes {
 public:
  explicit FixedTimes(double ms) : time_(FromMillis(ms)) {}
  SimRun Sample(const base::JobShape&, uint32_t, uint64_t,
                Duration) const override {
    return {time_, true};
  }

 private:
  const Duration time_;
};

SimArrival Query(double at_ms, uint64_t key, double value = 1) {
  SimArrival arrival;
  arrival.at = FromMillis(at_ms);
  arrival.row = {base::KeyId{key}, base::GroupId{0}};
  arrival.shape = {base::GroupId{0}, 1, 1};
  arrival.value = value;
  return arrival;
}

uint64_t Count(const SimResult& result, Obtained how) {
  return result.obtained[static_cast<size_t>(how)];
}

SimOptions OneWorker(const char* policy) {
  SimOptions options;
  options.policy = *schedule::FindPolicy(policy);
  options.workers = 1;
  options.guard = FromMillis(5);
  return options;
}

TEST(SimulationTest, CountsWhatALiteralRunDoes) {
  // The third waits for 8 + 8 ms of work and its own 8: over 25 ms by fifo.
  ListStream stream(
      {Query(0, 1, 1), Query(1, 2, 2), Query(1.5, 3, 4), Query(2, 4, 8)});
  const SimResult result =
      RunSimulation(OneWorker("fifo"), &stream, FixedTimes(8));
  EXPECT_EQ(result.queries, 4U);
  EXPECT_EQ(result.answered, 4U);
  EXPECT_EQ(Count(result, Obtained::kRefreshed), 3U);
  EXPECT_EQ(Count(result, Obtained::kStaleDeadline), 1U);
  EXPECT_EQ(result.late, 0U);
  EXPECT_DOUBLE_EQ(result.value_offered, 15);
  EXPECT_DOUBLE_EQ(result.value_captured, 7);
  EXPECT_EQ(result.latency_ns.max(), FromMillis(25).count());
  EXPECT_EQ(result.pending.max(), 1);
  // The one that was running at its answer_by is computed all the same.
  EXPECT_EQ(result.rows_computed, 4U);
  EXPECT_EQ(result.rows_used, 3U);
  EXPECT_EQ(result.busy, FromMillis(32));
  EXPECT_EQ(result.span, FromMillis(32));
}

TEST(SimulationTest, AnEventAheadOfItsQueryIsRefreshedByTheEagerPolicy) {
  SimArrival event = Query(0, 1);
  event.query = false;
  SimArrival query = Query(50, 1);
  query.event = false;
  for (const char* policy : {"eager_fifo", "slo_aware"}) {
    ListStream stream({event, query});
    const SimResult result =
        RunSimulation(OneWorker(policy), &stream, FixedTimes(8));
    EXPECT_EQ(Count(result, Obtained::kAlreadyFresh), 1U) << policy;
    EXPECT_EQ(result.latency_ns.max(), 0) << policy;
  }
  ListStream stream({event, query});
  const SimResult lazy =
      RunSimulation(OneWorker("stale_then_refresh"), &stream, FixedTimes(8));
  EXPECT_EQ(Count(lazy, Obtained::kStaleShed), 1U);
  EXPECT_EQ(lazy.rows_computed, 1U);
}

TEST(SimulationTest, CallersWhoLeaveAreNotAnswered) {
  SimArrival leaver = Query(0.5, 2);
  leaver.patience = FromMillis(3);
  ListStream stream({Query(0, 1), leaver});
  const SimResult result =
      RunSimulation(OneWorker("fifo"), &stream, FixedTimes(8));
  EXPECT_EQ(result.answered, 1U);
  EXPECT_EQ(result.cancelled, 1U);
  EXPECT_EQ(result.rows_computed, 1U);
}

TEST(SimulationTest, WarmUpCountsInNothing) {
  SimOptions options = OneWorker("fifo");
  options.warm_up = FromMillis(10);
  ListStream stream({Query(0, 1), Query(20, 2)});
  const SimResult result = RunSimulation(options, &stream, FixedTimes(8));
  EXPECT_EQ(result.queries, 1U);
  EXPECT_EQ(result.latency_ns.count(), 1U);
}

TEST(SimulationTest, OutcomesTellWhatEachAnswerHadSeen) {
  SimOptions options = OneWorker("fifo");
  options.keep_outcomes = true;
  options.warm_rows = {{{base::KeyId{1}, base::GroupId{0}}, 5}};
  // The third comes while the second runs and is not served by that run; its
  // own ends just at its answer_by.
  ListStream stream({Query(0, 1), Query(10, 2), Query(11, 2)});
  options.slo = FromMillis(20);
  const SimResult result = RunSimulation(options, &stream, FixedTimes(8));
  ASSERT_EQ(result.outcomes.size(), 3U);
  EXPECT_EQ(result.outcomes[0].how, Obtained::kRefreshed);
  EXPECT_EQ(result.outcomes[0].seen, 6U);
  EXPECT_TRUE(result.outcomes[0].fresh);
  EXPECT_EQ(result.outcomes[0].latency, FromMillis(8));
  EXPECT_EQ(result.outcomes[0].age, FromMillis(8));
  EXPECT_EQ(result.outcomes[1].seen, 1U);
  EXPECT_TRUE(result.outcomes[1].fresh);
  EXPECT_EQ(result.outcomes[2].how, Obtained::kRefreshed);
  EXPECT_EQ(result.outcomes[2].seen, 2U);

  // Tighter: it gets what was stored when it came, which is nothing.
  options.guard = FromMillis(6);
  ListStream again({Query(0, 1), Query(10, 2), Query(11, 2)});
  const SimResult tight = RunSimulation(options, &again, FixedTimes(8));
  EXPECT_EQ(tight.outcomes[2].how, Obtained::kStaleDeadline);
  EXPECT_EQ(tight.outcomes[2].seen, 0U);
  EXPECT_FALSE(tight.outcomes[2].fresh);
  EXPECT_EQ(tight.outcomes[2].age, Duration::zero());
  EXPECT_EQ(tight.pending.max(), 2);
}

TEST(SimulationTest, WarmRowsAreFreshUntilTheirNextEvent) {
  SimOptions options = OneWorker("eager_fifo");
  options.keep_outcomes = true;
  options.warm_rows = {{{base::KeyId{1}, base::GroupId{0}}, 3}};
  SimArrival quiet = Query(2, 1);
  quiet.event = false;
  ListStream stream({quiet, Query(5, 1)});
  const SimResult result = RunSimulation(options, &stream, FixedTimes(8));
  ASSERT_EQ(result.outcomes.size(), 2U);
  EXPECT_EQ(result.outcomes[0].how, Obtained::kAlreadyFresh);
  EXPECT_EQ(result.outcomes[0].age, FromMillis(2));
  EXPECT_EQ(result.outcomes[1].how, Obtained::kStaleShed);
  EXPECT_EQ(result.outcomes[1].seen, 3U);
  EXPECT_EQ(result.outcomes[1].age, FromMillis(5));
}

TEST(SyntheticStreamTest, HasTheRateTheMixAndTheGapThatWereAskedFor) {
  SyntheticOptions options;
  options.queries_per_second = 500;
  options.duration = std::chrono::seconds(20);
  options.gap = FromMillis(100);
  options.users = 1000;
  SyntheticStream stream(options);
  SimArrival arrival;
  Duration last{};
  uint64_t events = 0;
  uint64_t queries = 0;
  double value = 0;
  while (stream.Next(&arrival)) {
    ASSERT_GE(arrival.at, last);
    last = arrival.at;
    ASSERT_NE(arrival.event, arrival.query);
    arrival.event ? ++events : ++queries;
    if (arrival.query) value += arrival.value;
    ASSERT_GE(arrival.shape.scans, 1U);
    ASSERT_LE(arrival.shape.scans, 4U);
  }
  EXPECT_EQ(events, queries);
  EXPECT_NEAR(static_cast<double>(events), 10'000, 300);
  EXPECT_NEAR(value / static_cast<double>(queries), 1, 0.05);
  double scans = 0;
  for (uint64_t user = 0; user < 10'000; ++user) {
    scans += SyntheticStream::InterestsOf(options, user);
  }
  EXPECT_NEAR(scans / 10'000, 0.4 + 0.6 + 0.45 + 0.6, 0.05);
}

TEST(CurveServiceTimesTest, HasTheMeanItIsGiven) {
  ServiceCurve curve;
  curve.sigma = 0.4;
  const CurveServiceTimes times(curve);
  double sum = 0;
  constexpr int kRuns = 20'000;
  for (uint64_t i = 0; i < kRuns; ++i) {
    sum += base::ToMillis(
        times.Sample({base::GroupId{0}, 1, 2}, 1, base::MixBits(i), {}).time);
  }
  EXPECT_NEAR(sum / kRuns, 3.0, 0.05);
  EXPECT_GT(times.MeanMillis({base::GroupId{0}, 1, 2}, 8), 3.0);
  EXPECT_LT(times.MeanMillis({base::GroupId{0}, 1, 2}, 8), 24.0);
}

}  // namespace
}  // namespace freshline::bench
