// SPDX-License-Identifier: Apache-2.0
// Properties of the predicted p99 that must hold whatever the work does.
#include <functional>
#include <string>

#include "base/random.h"
#include "estimate/estimator.h"
#include "gtest/gtest.h"

namespace freshline::estimate {
namespace {

using base::Duration;
using base::FromMillis;
using base::GroupId;
using base::JobShape;
using base::ToMillis;
using base::WorkerId;

constexpr GroupId kGroup{0};
constexpr int kRuns = 24'000;

// How long a run of so many scans takes as the i-th of kRuns.
struct Work {
  std::string name;
  std::function<double(base::Rng*, double scans, int i)> millis;
};

bool InMiddleThird(int i) { return i > kRuns / 3 && i < 2 * kRuns / 3; }

const Work kWorks[] = {
    {"Noisy", [](base::Rng* rng, double scans,
                 int) { return 1.5 * scans * rng->LogNormal(0, 0.2); }},
    {"HeavyTailed",
     [](base::Rng* rng, double scans, int) {
       return scans * rng->LogNormal(0, 0.1) * (rng->Chance(0.03) ? 6 : 1);
     }},
    {"SlowerAndFasterAgain",
     [](base::Rng* rng, double scans, int i) {
       return scans * rng->LogNormal(0, 0.15) * (InMiddleThird(i) ? 3 : 1);
     }},
    {"SlowlyDrifting",
     [](base::Rng* rng, double scans, int i) {
       return scans * rng->LogNormal(0, 0.15) * (1 + 4.0 * i / kRuns);
     }},
    {"InBursts",
     [](base::Rng* rng, double scans, int i) {
       return scans * rng->LogNormal(0, 0.1) * (i % 500 < 25 ? 2.5 : 1);
     }},
};

class CalibrationTest : public testing::TestWithParam<Work> {};

TEST_P(CalibrationTest, InTheLongRun99PercentEndWithinTheirP99) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    Estimator estimator;
    base::Rng rng(seed);
    for (int i = 0; i < kRuns; ++i) {
      const auto scans = static_cast<uint32_t>(1 + rng.Below(4));
      const auto events = static_cast<uint32_t>(1 + rng.Below(50));
      estimator.Observe({kGroup, events, scans}, 1,
                        FromMillis(GetParam().millis(&rng, scans, i)));
    }
    const Calibration calibration = estimator.CalibrationOf(kGroup);
    const double within = static_cast<double>(calibration.within_p99) / kRuns;
    EXPECT_NEAR(within, 0.99, 0.005);
    // And not by predicting forever.
    EXPECT_LT(calibration.predicted_p99, 8 * calibration.actual_mean);
  }
}

INSTANTIATE_TEST_SUITE_P(Works, CalibrationTest, testing::ValuesIn(kWorks),
                         [](const auto& work) { return work.param.name; });

TEST(CalibrationTest, TimesThatNeverDifferArePredictedToTheStepOfTheSketch) {
  Estimator estimator;
  for (int i = 0; i < 2000; ++i) {
    estimator.Observe({kGroup, 8, 2}, 1, FromMillis(3));
  }
  EXPECT_GE(estimator.CalibrationOf(kGroup).within_p99, 1980U);
  EXPECT_LT(ToMillis(estimator.Quantile({kGroup, 8, 2}, 1, 0.99)), 3 * 1.13);
}

// A judgement may come after others that began later: the correction must hold
// for predictions that were made when their runs began.
TEST(CalibrationTest, HoldsForPredictionsMadeAtTheStart) {
  Estimator estimator;
  base::Rng rng(4);
  struct Running {
    JobShape shape;
    Duration p99;
    Duration time;
  };
  std::vector<Running> running;
  for (int i = 0; i < kRuns; ++i) {
    const JobShape shape{kGroup, 8, static_cast<uint32_t>(1 + rng.Below(4))};
    running.push_back({shape, estimator.Quantile(shape, 1, 0.99),
                       FromMillis(shape.scans * rng.LogNormal(0, 0.2))});
    if (running.size() < 8) continue;
    const size_t ends = rng.Below(running.size());
    Observation run;
    run.shape = running[ends].shape;
    run.time = running[ends].time;
    run.predicted_p99 = running[ends].p99;
    estimator.Observe(run);
    running.erase(running.begin() + static_cast<ptrdiff_t>(ends));
  }
  const Calibration calibration = estimator.CalibrationOf(kGroup);
  EXPECT_NEAR(static_cast<double>(calibration.within_p99) /
                  static_cast<double>(calibration.runs),
              0.99, 0.005);
}

// Of every size by itself: a change is known within so many of its own runs
// that a size that is asked for ten times a second knows it within two.
TEST(CalibrationTest, EachSizeFollowsAChangeOfPaceWithinTwentyOfItsRuns) {
  for (uint32_t scans = 1; scans <= 5; ++scans) {
    for (const uint32_t events : {1U, 6U, 50U}) {
      SCOPED_TRACE(testing::Message() << scans << " scans, " << events);
      const JobShape shape{kGroup, events, scans};
      Estimator estimator;
      base::Rng rng(scans * 100 + events);
      const auto run = [&](double pace, int times) {
        for (int i = 0; i < times; ++i) {
          estimator.Observe(shape, 1,
                            FromMillis(pace * scans * rng.LogNormal(0, 0.15)));
        }
        return ToMillis(estimator.Mean(shape, 1)) / (pace * scans);
      };
      EXPECT_NEAR(run(1, 500), 1, 0.15);
      EXPECT_NEAR(run(3, 20), 1, 0.25);
      EXPECT_NEAR(run(3, 500), 1, 0.15);
      EXPECT_NEAR(run(1, 20), 1, 0.25);
    }
  }
}

TEST(CalibrationTest, ASlowWorkerIsToldFromSlowWork) {
  Estimator estimator;
  base::Rng rng(6);
  const JobShape shape{kGroup, 8, 2};
  for (int i = 0; i < 4000; ++i) {
    const WorkerId worker{static_cast<uint32_t>(i % 4)};
    Observation run;
    run.shape = shape;
    run.worker = worker;
    run.time =
        FromMillis((base::ToInt(worker) == 3 ? 6 : 2) * rng.LogNormal(0, 0.1));
    estimator.Observe(run);
  }
  const double fast = estimator.WorkerFactor(WorkerId{0});
  const double slow = estimator.WorkerFactor(WorkerId{3});
  EXPECT_NEAR(slow / fast, 3, 0.2);
  EXPECT_NEAR(ToMillis(estimator.Mean(shape, 1)) * fast, 2, 0.2);
  EXPECT_NEAR(ToMillis(estimator.Mean(shape, 1)) * slow, 6, 0.6);
  // Of a worker that has not run nothing is known.
  EXPECT_EQ(estimator.WorkerFactor(WorkerId{9}), 1);
  EXPECT_EQ(estimator.WorkerFactor(WorkerId{4'000'000'000}), 1);

  // It is quick again: forgotten within some hundred of its runs.
  for (int i = 0; i < 2000; ++i) {
    Observation run;
    run.shape = shape;
    run.worker = WorkerId{static_cast<uint32_t>(i % 4)};
    run.time = FromMillis(2 * rng.LogNormal(0, 0.1));
    estimator.Observe(run);
  }
  EXPECT_NEAR(estimator.WorkerFactor(WorkerId{3}), 1, 0.15);
}

TEST(CalibrationTest, QuantilesAscendAndInvertTheChancesUnderAnyCorrection) {
  base::Rng rng(7);
  Estimator estimator;
  const JobShape shape{kGroup, 8, 1};
  for (int round = 0; round < 200; ++round) {
    // Now wide, now narrow: the correction moves to and fro.
    const double sigma = round % 2 == 0 ? 0.8 : 0.05;
    for (int i = 0; i < 30; ++i) {
      estimator.Observe(shape, 1, FromMillis(3 * rng.LogNormal(0, sigma)));
    }
    Duration last{};
    for (double q = 0.05; q < 0.999; q += 0.01) {
      const Duration time = estimator.Quantile(shape, 1, q);
      ASSERT_GE(time, last) << q;
      last = time;
      ASSERT_NEAR(estimator.ChanceWithin(shape, 1, time), q, 0.02);
    }
  }
}

TEST(QuantileTrackerTest, HoldsItsShareAgainstAnAdversary) {
  // The worst of sequences: always just above or far below.
  constexpr double kShare = 0.05;
  QuantileTracker tracker({kShare, 1, 0, 100, 0});
  base::Rng rng(8);
  int exceeded = 0;
  constexpr int kUpdates = 20'000;
  for (int i = 0; i < kUpdates; ++i) {
    const bool high = i / 700 % 2 == 0 ? rng.Chance(0.5) : rng.Chance(0.01);
    const double value = high ? 60 * rng.Uniform() : 0;
    const bool above = value > tracker.value();
    exceeded += above ? 1 : 0;
    tracker.Update(above);
  }
  EXPECT_NEAR(exceeded, kShare * kUpdates, 101);
}

TEST(QuantileTrackerTest, ShrinksTowardsItsLowerBound) {
  estimate::QuantileTracker tracker({0.1, 1, 10, 100, 50});
  tracker.Shrink(0.5);
  EXPECT_DOUBLE_EQ(tracker.value(), 30);
  tracker.Shrink(0);
  EXPECT_DOUBLE_EQ(tracker.value(), 10);
}

TEST(QuantileTrackerTest, StaysWithinItsBounds) {
  QuantileTracker tracker({0.1, 1, -2, 3, 10});
  EXPECT_EQ(tracker.value(), 3);
  for (int i = 0; i < 1000; ++i) tracker.Update(false);
  EXPECT_EQ(tracker.value(), -2);
  for (int i = 0; i < 1000; ++i) tracker.Update(true);
  EXPECT_EQ(tracker.value(), 3);
}

}  // namespace
}  // namespace freshline::estimate
