// SPDX-License-Identifier: Apache-2.0
// What the policies are worth against each other, in virtual time.
#include <algorithm>
#include <utility>
#include <vector>

#include "bench/sim/simulation.h"
#include "bench/sim/synthetic.h"
#include "gtest/gtest.h"

namespace freshline::bench {
namespace {

using base::Duration;
using base::FromMillis;

struct Setting {
  double load = 1;
  double slo_ms = 30;
  uint64_t seed = 1;
  double gap_ms = 0;
  uint32_t batch_max = 1;
  ServiceCurve curve{};
  double duration_ms = 6000;
};

SyntheticOptions StreamOf(const Setting& setting) {
  SyntheticOptions stream;
  stream.seed = setting.seed;
  stream.duration = FromMillis(setting.duration_ms);
  stream.gap = FromMillis(setting.gap_ms);
  const double mean_ms = CurveServiceTimes(setting.curve).MeanMillis(stream);
  stream.queries_per_second = setting.load * 2 / mean_ms * 1000;
  return stream;
}

SimResult Simulate(const schedule::PolicyConfig& policy,
                   const Setting& setting) {
  SimOptions options;
  options.policy = policy;
  options.slo = FromMillis(setting.slo_ms);
  options.groups = {{setting.batch_max}};
  options.seed = setting.seed;
  const SyntheticOptions stream_options = StreamOf(setting);
  options.profile_shapes = SyntheticStream::Shapes(stream_options);
  SyntheticStream stream(stream_options);
  return RunSimulation(options, &stream, CurveServiceTimes(setting.curve));
}

SimResult Simulate(const char* policy, const Setting& setting) {
  return Simulate(*schedule::FindPolicy(policy), setting);
}

// The share of the value that the workers could capture at most if they knew
// everything and nobody had a deadline: the densest work first, fractional.
double CapacityBound(const Setting& setting) {
  const CurveServiceTimes times(setting.curve);
  SyntheticStream stream(StreamOf(setting));
  std::vector<std::pair<double, double>> jobs;  // density, time
  double offered = 0;
  SimArrival arrival;
  while (stream.Next(&arrival)) {
    if (!arrival.query) continue;
    const double ms = times.MeanMillis(arrival.shape, 1);
    jobs.push_back({arrival.value / ms, ms});
    offered += arrival.value;
  }
  std::sort(jobs.rbegin(), jobs.rend());
  double room = 2 * setting.duration_ms;
  double captured = 0;
  for (const auto& [density, ms] : jobs) {
    const double used = std::min(room, ms);
    captured += density * used;
    room -= used;
  }
  return captured / offered;
}

TEST(ComparisonTest, SloAwareIsNeverBelowFifoAndEdfUnderOverload) {
  for (const double load : {1.5, 2.0, 3.0}) {
    for (const double slo_ms : {10.0, 30.0, 50.0}) {
      for (uint64_t seed = 1; seed <= 3; ++seed) {
        SCOPED_TRACE(testing::Message() << "load " << load << " slo " << slo_ms
                                        << " seed " << seed);
        const Setting setting{.load = load, .slo_ms = slo_ms, .seed = seed};
        const double ours = Simulate("slo_aware", setting).captured_share();
        EXPECT_GT(ours, Simulate("fifo", setting).captured_share() + 0.1);
        EXPECT_GT(ours, Simulate("edf", setting).captured_share() + 0.1);
      }
    }
  }
}

TEST(ComparisonTest, SloAwareIsCloseToTheCapacityUnderOverload) {
  for (const double load : {2.0, 3.0}) {
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      SCOPED_TRACE(testing::Message() << "load " << load << " seed " << seed);
      for (const auto& [slo_ms, share] :
           {std::pair{50.0, 0.95}, {30.0, 0.95}, {10.0, 0.82}}) {
        const Setting setting{.load = load, .slo_ms = slo_ms, .seed = seed};
        EXPECT_GT(Simulate("slo_aware", setting).captured_share(),
                  share * CapacityBound(setting))
            << "slo " << slo_ms;
      }
    }
  }
}

// Rows of one pass share most of its time: with 16 at once the workers can do
// so many times what they can one by one. Estimates know sizes by classes only.
TEST(ComparisonTest, BatchesReachTheCapacityThatTheirCurveAllows) {
  Setting setting{.load = 4, .batch_max = 16};
  setting.curve.batch_fixed_share = 0.75;
  const double allowed = 16 / (0.75 + 0.25 * 16);
  for (const double slo_ms : {30.0, 50.0}) {
    SCOPED_TRACE(testing::Message() << "slo " << slo_ms);
    setting.slo_ms = slo_ms;
    const SimResult result = Simulate("slo_aware", setting);
    const auto refreshed = static_cast<double>(
        result.obtained[static_cast<size_t>(base::Obtained::kRefreshed)]);
    EXPECT_GT(setting.load * refreshed / static_cast<double>(result.queries),
              0.8 * allowed);
  }
}

TEST(ComparisonTest, BelowSaturationEverybodyWhoWaitsIsServed) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const Setting easy{.load = 0.5, .slo_ms = 30, .seed = seed};
    EXPECT_GT(Simulate("slo_aware", easy).captured_share(), 0.995);
    EXPECT_GT(Simulate("edf", easy).captured_share(), 0.995);
    // A query that carries its event is always answered before its refresh
    // where nobody waits.
    EXPECT_LT(Simulate("eager_fifo", easy).captured_share(), 0.01);
    EXPECT_LT(Simulate("stale_then_refresh", easy).captured_share(), 0.01);
    const Setting tight{.load = 0.5, .slo_ms = 10, .seed = seed};
    EXPECT_GT(Simulate("slo_aware", tight).captured_share(),
              Simulate("edf", tight).captured_share() - 0.01);
  }
}

TEST(ComparisonTest, BackgroundUsesTheGapAndDoesNotHurtWithoutOne) {
  schedule::PolicyConfig without = *schedule::FindPolicy("slo_aware");
  without.background = false;
  for (const double load : {0.3, 0.5, 0.7}) {
    SCOPED_TRACE(testing::Message() << "load " << load);
    const Setting gap{.load = load, .slo_ms = 10, .gap_ms = 100};
    EXPECT_GT(Simulate("slo_aware", gap).captured_share(),
              Simulate(without, gap).captured_share() + 0.02);
    const Setting none{.load = load, .slo_ms = 10};
    EXPECT_GT(Simulate("slo_aware", none).captured_share(),
              Simulate(without, none).captured_share() - 0.006);
  }
}

TEST(ComparisonTest, BatchingAddsCapacityAndCostsNothingAtLowLoad) {
  Setting one{.load = 3, .slo_ms = 30};
  Setting eight = one;
  eight.batch_max = 8;
  EXPECT_GT(Simulate("slo_aware", eight).rows_computed,
            Simulate("slo_aware", one).rows_computed);
  one.load = eight.load = 0.4;
  EXPECT_GE(Simulate("slo_aware", eight).captured_share(),
            Simulate("slo_aware", one).captured_share() - 1e-3);
}

TEST(ComparisonTest, ASlowSpellIsRecognisedAndForgotten) {
  Setting setting{.load = 0.6, .slo_ms = 30, .duration_ms = 20'000};
  // 30x: every run takes longer than any budget.
  setting.curve.slow_factor = 30;
  setting.curve.slow_at = std::chrono::seconds(5);
  setting.curve.slow_for = std::chrono::seconds(5);
  SimOptions options;
  options.policy = *schedule::FindPolicy("slo_aware");
  const SyntheticOptions stream_options = StreamOf(setting);
  options.profile_shapes = SyntheticStream::Shapes(stream_options);
  options.warm_up = std::chrono::seconds(14);
  SyntheticStream stream(stream_options);
  const SimResult after =
      RunSimulation(options, &stream, CurveServiceTimes(setting.curve));
  EXPECT_GT(after.captured_share(), 0.99);
  EXPECT_EQ(after.late, 0U);
}

TEST(ComparisonTest, AWrongProfileAboveEveryBudgetIsFoundOut) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const Setting setting{.load = 0.6, .seed = seed, .duration_ms = 10'000};
    SimOptions options;
    options.policy = *schedule::FindPolicy("slo_aware");
    // Without background refresh, which would find it out as well.
    options.policy.background = false;
    options.warm_up = std::chrono::seconds(5);
    const CurveServiceTimes times(setting.curve);
    const SyntheticOptions stream_options = StreamOf(setting);
    estimate::Estimator estimator;
    for (const base::JobShape& shape :
         SyntheticStream::Shapes(stream_options)) {
      for (int i = 0; i < 100; ++i) {
        estimator.Seed(shape, 1, std::chrono::seconds(2));
      }
    }
    const auto policy = schedule::MakePolicy(options.policy, &estimator, {});
    SyntheticStream stream(stream_options);
    const SimResult result =
        RunSimulation(options, &stream, times, policy.get(), &estimator);
    EXPECT_GT(result.captured_share(), 0.99);
    EXPECT_GT(result.policy.probes, 0U);
  }
}

}  // namespace
}  // namespace freshline::bench
