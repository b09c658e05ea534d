// SPDX-License-Identifier: Apache-2.0
#include "estimate/time_sketch.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace freshline::estimate {
namespace {

using base::Duration;
using base::FromMicros;
using base::ToMicros;

// The largest relative error of a step.
constexpr double kStep = 1.0 / 8;

TEST(TimeSketchTest, AgreesWithTheWeightedSampleItWasGiven) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Rng rng(seed);
    const double half_life = 20 + 200 * rng.Uniform();
    TimeSketch sketch(half_life);
    std::vector<std::pair<double, double>> sample;  // time, weight
    const double mu = 2 + 8 * rng.Uniform();
    for (int i = 0; i < 1000; ++i) {
      const double us = std::max(1.0, rng.LogNormal(mu, 0.7));
      sketch.Add(FromMicros(us));
      sample.push_back({us, std::exp2((i - 999) / half_life)});
    }
    std::sort(sample.begin(), sample.end());
    double total = 0;
    double sum = 0;
    for (const auto& [us, weight] : sample) {
      total += weight;
      sum += weight * us;
    }
    EXPECT_NEAR(ToMicros(sketch.mean()), sum / total, 0.001 * sum / total);
    EXPECT_NEAR(sketch.weight(), total, 1e-3 * total);
    double below = 0;
    for (const auto& [us, weight] : sample) {
      below += weight;
      // The true share lies between those one step down and one up.
      EXPECT_GE(sketch.ChanceWithin(FromMicros(us * (1 + kStep))),
                below / total - 1e-4);
      EXPECT_LE(sketch.ChanceWithin(FromMicros(us / (1 + 2 * kStep))),
                below / total + 1e-4);
    }
  }
}

TEST(TimeSketchTest, QuantileAndChanceAreInverse) {
  base::Rng rng(7);
  TimeSketch sketch(100);
  for (int i = 0; i < 500; ++i) sketch.Add(FromMicros(rng.LogNormal(7, 0.5)));
  for (const double q : {0.01, 0.1, 0.5, 0.9, 0.99}) {
    EXPECT_NEAR(sketch.ChanceWithin(sketch.Quantile(q)), q, 0.01) << q;
  }
  EXPECT_LE(sketch.Quantile(0.1), sketch.Quantile(0.2));
}

TEST(TimeSketchTest, OldRunsFadeByTheHalfLife) {
  TimeSketch sketch(50);
  for (int i = 0; i < 1000; ++i) sketch.Add(FromMicros(100));
  for (int i = 0; i < 50; ++i) sketch.Add(FromMicros(10'000));
  EXPECT_NEAR(sketch.ChanceWithin(FromMicros(1000)), 0.5, 0.01);
}

TEST(TimeSketchTest, SurvivesTheRescalingOfItsWeights) {
  TimeSketch sketch(1);  // doubles with every run: rescales often
  for (int i = 0; i < 10'000; ++i) sketch.Add(FromMicros(100));
  sketch.Add(FromMicros(400));
  EXPECT_NEAR(sketch.weight(), 2, 1e-6);
  EXPECT_NEAR(ToMicros(sketch.mean()), 250, 1);
}

TEST(TimeSketchTest, CountsTimesOutsideItsRangeAtTheEdge) {
  TimeSketch sketch(100);
  sketch.Add(Duration::zero());
  EXPECT_EQ(sketch.ChanceWithin(FromMicros(0.5)), 0);
  EXPECT_EQ(sketch.ChanceWithin(FromMicros(2)), 1);
  sketch.Add(std::chrono::hours(10));
  EXPECT_LE(sketch.Quantile(1), std::chrono::seconds(135));
  EXPECT_GE(sketch.Quantile(1), std::chrono::seconds(100));
  EXPECT_NEAR(ToMicros(sketch.mean()), 0.5 * 3.6e10, 1e8);
}

TEST(TimeSketchTest, CopiesScaledAndDiscounted) {
  base::Rng rng(3);
  TimeSketch sketch(100);
  for (int i = 0; i < 500; ++i) sketch.Add(FromMicros(rng.LogNormal(6, 0.4)));
  TimeSketch copy(100);
  copy.CopyScaled(sketch, 3, 2);
  EXPECT_NEAR(copy.weight(), 2, 1e-3);
  EXPECT_NEAR(ToMicros(copy.mean()), 3 * ToMicros(sketch.mean()), 1);
  EXPECT_NEAR(ToMicros(copy.Quantile(0.5)), 3 * ToMicros(sketch.Quantile(0.5)),
              2 * kStep * 3 * ToMicros(sketch.Quantile(0.5)));
  const Duration mean = sketch.mean();
  sketch.Discount(8);
  EXPECT_NEAR(sketch.weight(), 8, 1e-3);
  EXPECT_NEAR(ToMicros(sketch.mean()), ToMicros(mean), 0.1);
}

}  // namespace
}  // namespace freshline::estimate
