// SPDX-License-Identifier: Apache-2.0
#include "estimate/estimator.h"

#include <tuple>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace freshline::estimate {
namespace {

using base::Duration;
using base::FromMillis;
using base::GroupId;
using base::JobShape;
using base::ToMillis;
using std::chrono::milliseconds;

constexpr GroupId kGroup{3};
constexpr Duration kForever = Duration::max();

JobShape Scans(uint32_t scans) { return {kGroup, 8, scans}; }

TEST(EstimatorTest, PredictsAnUnknownGroupByThePrior) {
  const Estimator estimator;
  const JobShape unknown{GroupId{99}, 5, 2};
  EXPECT_NEAR(ToMillis(estimator.Mean(unknown, 1)), 5, 0.01);
  EXPECT_GT(estimator.ChanceWithin(unknown, 1, FromMillis(30)), 0.9);
  const double p = estimator.ChanceWithin(unknown, 1, FromMillis(4));
  EXPECT_GT(p, 0.2);
  EXPECT_LT(p, 0.8);
  EXPECT_EQ(estimator.CalibrationOf(GroupId{99}).runs, 0U);
}

TEST(EstimatorTest, LearnsEachSizeByItself) {
  Estimator estimator;
  base::Rng rng(1);
  const double mean_ms[] = {0.1, 1.9, 3.0, 4.3, 5.6};
  for (int i = 0; i < 400; ++i) {
    const auto scans = static_cast<uint32_t>(rng.Below(5));
    estimator.Observe(Scans(scans), 1,
                      FromMillis(mean_ms[scans] * (0.9 + 0.2 * rng.Uniform())));
  }
  for (uint32_t scans = 0; scans < 5; ++scans) {
    EXPECT_NEAR(ToMillis(estimator.Mean(Scans(scans), 1)), mean_ms[scans],
                0.08 * mean_ms[scans]);
    EXPECT_GT(estimator.ChanceWithin(Scans(scans), 1,
                                     FromMillis(1.3 * mean_ms[scans])),
              0.95);
    EXPECT_LT(estimator.ChanceWithin(Scans(scans), 1,
                                     FromMillis(0.75 * mean_ms[scans])),
              0.05);
  }
}

TEST(EstimatorTest, AnEmptySizeAnswersLikeItsNeighbourScaled) {
  Estimator estimator;
  for (int i = 0; i < 20; ++i) estimator.Seed(Scans(1), 1, FromMillis(2));
  EXPECT_NEAR(ToMillis(estimator.Mean(Scans(3), 1)), 6, 0.3);
  EXPECT_NEAR(ToMillis(estimator.Mean(Scans(1), 4)), 8, 0.2);
  // More events of the same scan cost the same; without a scan they count.
  EXPECT_NEAR(ToMillis(estimator.Mean({kGroup, 4000, 1}, 1)), 2, 0.1);
  Estimator events;
  for (int i = 0; i < 20; ++i) events.Seed({kGroup, 100, 0}, 1, FromMillis(1));
  EXPECT_NEAR(ToMillis(events.Mean({kGroup, 800, 0}, 1)), 8, 0.4);
  // The first run of the size outweighs the copy within a few.
  for (int i = 0; i < 6; ++i) estimator.Observe(Scans(3), 1, FromMillis(3));
  EXPECT_NEAR(ToMillis(estimator.Mean(Scans(3), 1)), 3, 0.3);
}

TEST(EstimatorTest, GroupsDoNotMix) {
  Estimator estimator;
  for (int i = 0; i < 50; ++i) {
    estimator.Observe({GroupId{0}, 1, 1}, 1, FromMillis(1));
    estimator.Observe({GroupId{1}, 1, 1}, 1, FromMillis(100));
  }
  EXPECT_LT(ToMillis(estimator.Mean({GroupId{0}, 1, 1}, 1)), 1.3);
  EXPECT_GT(ToMillis(estimator.Mean({GroupId{1}, 1, 1}, 1)), 90);
}

TEST(EstimatorTest, RecoversFromASpikeWithinFiveRuns) {
  Estimator estimator;
  base::Rng rng(5);
  const auto normal = [&] { return FromMillis(3 * rng.LogNormal(0, 0.1)); };
  for (int i = 0; i < 500; ++i) estimator.Observe(Scans(2), 1, normal());
  for (int i = 0; i < 200; ++i) {
    estimator.Observe(Scans(2), 1, normal() * 30);
  }
  EXPECT_LT(estimator.ChanceWithin(Scans(2), 1, FromMillis(27)), 0.05);
  for (int i = 0; i < 5; ++i) estimator.Observe(Scans(2), 1, normal());
  EXPECT_GT(estimator.ChanceWithin(Scans(2), 1, FromMillis(27)), 0.95);
  EXPECT_LT(ToMillis(estimator.Mean(Scans(2), 1)), 4);
}

TEST(EstimatorTest, AnyNumberOfWrongSeedsIsForgottenAfterFourRuns) {
  for (const int seeds : {4, 10, 20, 50, 100, 1000}) {
    Estimator estimator;
    for (int i = 0; i < seeds; ++i) {
      estimator.Seed(Scans(1), 1, std::chrono::seconds(2));
    }
    for (int i = 0; i < 4; ++i) {
      estimator.Observe(Scans(1), 1, FromMillis(3 + 0.1 * i));
    }
    EXPECT_GT(estimator.ChanceWithin(Scans(1), 1, FromMillis(27)), 0.95)
        << seeds;
    EXPECT_LT(ToMillis(estimator.Mean(Scans(1), 1)), 5) << seeds;
  }
}

TEST(EstimatorTest, BelievesInASlowdownWithinADozenRuns) {
  Estimator estimator;
  for (int i = 0; i < 500; ++i) estimator.Observe(Scans(2), 1, FromMillis(3));
  for (int i = 0; i < 3; ++i) estimator.Observe(Scans(2), 1, FromMillis(90));
  EXPECT_GT(estimator.ChanceWithin(Scans(2), 1, FromMillis(27)), 0.9);
  for (int i = 0; i < 9; ++i) estimator.Observe(Scans(2), 1, FromMillis(90));
  EXPECT_LT(estimator.ChanceWithin(Scans(2), 1, FromMillis(27)), 0.5);
}

TEST(EstimatorTest, OneOutlierDoesNotMoveTheChances) {
  Estimator estimator;
  for (int i = 0; i < 200; ++i) estimator.Observe(Scans(1), 1, FromMillis(3));
  estimator.Observe(Scans(1), 1, FromMillis(500));
  EXPECT_GT(estimator.ChanceWithin(Scans(1), 1, FromMillis(10)), 0.98);
}

TEST(EstimatorTest, AWrongSeedIsForgottenByTheFirstRuns) {
  Estimator estimator;
  estimator.Seed(Scans(1), 1, FromMillis(5000));
  for (int i = 0; i < 8; ++i) estimator.Observe(Scans(1), 1, FromMillis(3));
  EXPECT_GT(estimator.ChanceWithin(Scans(1), 1, FromMillis(27)), 0.6);
}

TEST(EstimatorTest, ReportsItsCalibration) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Estimator estimator;
    base::Rng rng(seed);
    constexpr int kRuns = 5000;
    for (int i = 0; i < kRuns; ++i) {
      const auto scans = static_cast<uint32_t>(1 + rng.Below(4));
      estimator.Observe(Scans(scans), 1,
                        FromMillis(1.5 * scans * rng.LogNormal(0, 0.2)));
    }
    const Calibration calibration = estimator.CalibrationOf(kGroup);
    EXPECT_EQ(calibration.runs, static_cast<uint64_t>(kRuns));
    const double within = static_cast<double>(calibration.within_p99) / kRuns;
    EXPECT_NEAR(within, 0.985, 0.01);
    EXPECT_NEAR(calibration.within_p99_decayed, within, 0.01);
    EXPECT_NEAR(ToMillis(calibration.predicted_mean),
                ToMillis(calibration.actual_mean), 0.1);
    EXPECT_GT(calibration.predicted_p99, calibration.predicted_mean);
  }
}

TEST(EstimatorTest, SeedsAreNotJudged) {
  Estimator estimator;
  estimator.Seed(Scans(1), 1, FromMillis(3));
  EXPECT_EQ(estimator.CalibrationOf(kGroup).runs, 0U);
}

TEST(EstimatorTest, TakesEveryShapeAndTime) {
  Estimator estimator;
  base::Rng rng(9);
  for (int i = 0; i < 3000; ++i) {
    const JobShape shape{GroupId{static_cast<uint32_t>(rng.Below(3))},
                         static_cast<uint32_t>(rng.Next()),
                         static_cast<uint32_t>(rng.Below(100))};
    const auto batch = static_cast<uint32_t>(rng.Below(300));
    const Duration time(static_cast<int64_t>(rng.Next() >> rng.Below(64)));
    estimator.Observe(shape, batch, rng.Chance(0.1) ? -time : time);
    ASSERT_GE(estimator.Mean(shape, batch), Duration::zero());
    ASSERT_GE(estimator.ChanceWithin(shape, batch, kForever), 0.999);
    ASSERT_EQ(estimator.ChanceWithin(shape, batch, Duration(-1)), 0);
    ASSERT_LE(estimator.Quantile(shape, batch, 0.1),
              estimator.Quantile(shape, batch, 0.9));
  }
  // Beyond groups_max nothing is learned.
  estimator.Observe({GroupId{4'000'000'000}, 1, 1}, 1, FromMillis(1));
  EXPECT_NEAR(ToMillis(estimator.Mean({GroupId{4'000'000'000}, 1, 1}, 1)), 5,
              0.01);
}

TEST(EstimatorTest, TellsItsListenerInOrder) {
  Estimator estimator;
  std::vector<std::tuple<uint32_t, uint32_t, Duration, bool>> told;
  estimator.SetListener([&](const Observation& run) {
    told.push_back({run.shape.scans, run.batch, run.time, run.is_seed});
  });
  estimator.Seed(Scans(1), 2, FromMillis(3));
  estimator.Observe(Scans(4), 1, FromMillis(5));
  estimator.SetListener({});
  estimator.Observe(Scans(4), 1, FromMillis(6));
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0], std::make_tuple(1U, 2U, FromMillis(3), true));
  EXPECT_EQ(told[1], std::make_tuple(4U, 1U, FromMillis(5), false));
}

// A run that waited for the processor says nothing of its work.
TEST(EstimatorTest, StarvedRunsAreForgottenWithinAFewRuns) {
  Estimator estimator;
  const base::JobShape shape{base::GroupId{0}, 8, 1};
  for (int i = 0; i < 200; ++i) {
    estimator.Observe(
        {shape, 1, milliseconds(2), {}, {}, false, milliseconds(2)});
  }
  const Duration mean = estimator.Mean(shape, 1);
  const Duration p99 = estimator.Quantile(shape, 1, 0.99);
  for (int i = 0; i < 50; ++i) {
    estimator.Observe(
        {shape, 1, milliseconds(700), {}, {}, false, milliseconds(2)});
  }
  EXPECT_EQ(estimator.starved(), 50U);
  EXPECT_GT(estimator.Mean(shape, 1), 10 * mean);  // while it lasts
  EXPECT_LT(estimator.ChanceWithin(shape, 1, milliseconds(27)), 0.1);
  for (int i = 0; i < 25; ++i) {
    estimator.Observe(
        {shape, 1, milliseconds(2), {}, {}, false, milliseconds(2)});
  }
  EXPECT_EQ(estimator.contention(), 1);
  EXPECT_NEAR(base::ToMillis(estimator.Mean(shape, 1)), base::ToMillis(mean),
              0.1);
  EXPECT_LE(estimator.Quantile(shape, 1, 0.99), p99 + p99 / 4);
  EXPECT_EQ(estimator.CalibrationOf(base::GroupId{0}).runs, 225U);
}

// What a size is learned to wait for is not put on it a second time.
TEST(EstimatorTest, StarvedRunsCountBesideWhatTheirSizeWaitsForAnyway) {
  Estimator estimator;
  const base::JobShape shape{base::GroupId{0}, 8, 1};
  for (int i = 0; i < 200; ++i) {
    estimator.Observe(
        {shape, 1, milliseconds(9), {}, {}, false, milliseconds(2)});
  }
  EXPECT_EQ(estimator.starved(), 0U);
  for (int i = 0; i < 50; ++i) {
    estimator.Observe(
        {shape, 1, milliseconds(18), {}, {}, false, milliseconds(2)});
  }
  EXPECT_EQ(estimator.starved(), 50U);
  EXPECT_NEAR(base::ToMillis(estimator.Mean(shape, 1)), 18, 1);
}

// What other threads' time slices do to a run is part of its distribution.
TEST(EstimatorTest, ARunThatWasPreemptedForATickIsLearned) {
  Estimator estimator;
  const base::JobShape shape{base::GroupId{0}, 8, 1};
  for (int i = 0; i < 100; ++i) {
    estimator.Observe(
        {shape, 1, milliseconds(6), {}, {}, false, milliseconds(2)});
  }
  EXPECT_EQ(estimator.starved(), 0U);
  EXPECT_NEAR(base::ToMillis(estimator.Mean(shape, 1)), 6, 0.5);
}

}  // namespace
}  // namespace freshline::estimate
