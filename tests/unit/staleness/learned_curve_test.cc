// SPDX-License-Identifier: Apache-2.0
#include "staleness/learned_curve.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>
#include <vector>

#include "base/random.h"

namespace freshline::staleness {
namespace {

TEST(LearnedCurveTest, BeginsAsThePendingShareOrAsTheCurveGiven) {
  const LearnedCurve share{std::nullopt};
  EXPECT_DOUBLE_EQ(share.Loss(4, 1), .25);
  EXPECT_DOUBLE_EQ(share.Loss(4, 0), 0);
  EXPECT_DOUBLE_EQ(share.Loss(1, 5), 1);  // it has no more than it has
  const auto curve = ValueCurve::Parse(
      "freshline-value-curve 1\n1 1 .1\n3 1 .2\n3 2 .3\n", "test");
  ASSERT_TRUE(curve.ok());
  const LearnedCurve given{*curve};
  EXPECT_DOUBLE_EQ(given.Loss(1, 1), .1);
  EXPECT_DOUBLE_EQ(given.Loss(3, 2), .3);
  EXPECT_DOUBLE_EQ(given.Loss(100, 90), .3);
}

// Callers lose .1 for whole rows, .4 more without the last event and .5 more
// without two or more, whatever n is.
TEST(LearnedCurveTest, ConvergesToWhatCallersReport) {
  LearnedCurve curve{std::nullopt};
  base::Rng rng(7);
  for (int i = 0; i < 300'000; ++i) {
    const uint64_t events = 1 + rng.Below(30);
    const uint64_t missing = rng.Below(std::min<uint64_t>(events, 4) + 1);
    const double mean = missing == 0 ? .1 : missing == 1 ? .5 : .6;
    curve.Observe(events, missing, rng.Uniform() < mean ? 1 : 0);
  }
  for (const uint64_t events : {4, 10, 28}) {
    EXPECT_NEAR(curve.Loss(events, 1), .4, .05) << events;
    EXPECT_NEAR(curve.Loss(events, 2), .5, .05) << events;
    EXPECT_GE(curve.Loss(events, 16), curve.Loss(events, 2));
  }
}

TEST(LearnedCurveTest, WithoutWholeRowsNothingIsKnownOfStaleOnes) {
  LearnedCurve curve{std::nullopt};
  for (int i = 0; i < 1000; ++i) curve.Observe(4, 1, 1);
  EXPECT_DOUBLE_EQ(curve.Loss(4, 1), .25);
}

TEST(LearnedCurveTest, StaysSoundUnderHostileLosses) {
  LearnedCurve curve{std::nullopt};
  for (const double loss :
       {std::numeric_limits<double>::quiet_NaN(),
        std::numeric_limits<double>::infinity(), -1e9, 1e9, 0.0}) {
    for (int i = 0; i < 200; ++i) {
      curve.Observe(3, static_cast<uint64_t>(i) % 4, loss);
      curve.Observe(UINT64_MAX, UINT64_MAX, loss);
    }
  }
  double before = 0;
  for (uint64_t j = 0; j < 40; ++j) {
    const double loss = curve.Loss(100, j);
    EXPECT_TRUE(std::isfinite(loss));
    EXPECT_GE(loss, before);
    before = loss;
  }
}

TEST(LearnedCurveTest, IsReadWhileItLearns) {
  LearnedCurve curve{std::nullopt};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&curve] {
      for (uint64_t i = 0; i < 5000; ++i) curve.Observe(i % 9, i % 3, .5);
    });
  }
  for (uint64_t i = 0; i < 5000; ++i) {
    const double loss = curve.Loss(1 + i % 9, 1);
    ASSERT_GE(loss, 0);
    ASSERT_LE(loss, 1);
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace freshline::staleness
