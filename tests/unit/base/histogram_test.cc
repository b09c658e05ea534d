// SPDX-License-Identifier: Apache-2.0
#include "base/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace freshline::base {
namespace {

constexpr double kQuantiles[] = {0, 0.01, 0.5, 0.9, 0.99, 0.999, 1};
// One of 64 steps per power of two, rounded up.
constexpr double kError = 1.0 / 64;

// Values over many magnitudes, as run times are.
std::vector<int64_t> SomeValues(Rng* rng) {
  std::vector<int64_t> values(1 + rng->Below(2000));
  const double spread = 0.1 + 4 * rng->Uniform();
  for (int64_t& value : values) {
    value = static_cast<int64_t>(std::min(1e15, rng->LogNormal(8, spread)));
  }
  return values;
}

Histogram Of(const std::vector<int64_t>& values) {
  Histogram histogram;
  for (const int64_t value : values) histogram.Record(value);
  return histogram;
}

// The smallest value that a share q of all does not exceed.
int64_t ExactQuantile(const std::vector<int64_t>& sorted, double q) {
  const auto rank = static_cast<size_t>(
      std::max(1.0, std::ceil(q * static_cast<double>(sorted.size()))));
  return sorted[rank - 1];
}

TEST(HistogramTest, QuantilesAreExactToOneStepAndNeverTooSmall) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Rng rng(seed);
    std::vector<int64_t> values = SomeValues(&rng);
    const Histogram histogram = Of(values);
    std::sort(values.begin(), values.end());
    int64_t last = 0;
    for (const double q : kQuantiles) {
      const int64_t exact = ExactQuantile(values, q);
      const int64_t found = histogram.Quantile(q);
      ASSERT_GE(found, exact) << "seed " << seed << " q " << q;
      ASSERT_LE(static_cast<double>(found),
                static_cast<double>(exact) * (1 + kError))
          << "seed " << seed << " q " << q;
      ASSERT_GE(found, last) << "seed " << seed << " q " << q;
      last = found;
    }
    ASSERT_EQ(histogram.Quantile(1), values.back()) << "seed " << seed;
    ASSERT_EQ(histogram.max(), values.back()) << "seed " << seed;
    ASSERT_EQ(histogram.count(), values.size()) << "seed " << seed;
  }
}

TEST(HistogramTest, SmallValuesAreExact) {
  for (int64_t value = 0; value < 128; ++value) {
    Histogram histogram;
    histogram.Record(value);
    histogram.Record(1'000'000);
    EXPECT_EQ(histogram.Quantile(0.5), value);
  }
}

TEST(HistogramTest, CountAboveIsExactToTheStepOfItsBound) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Rng rng(seed);
    const std::vector<int64_t> values = SomeValues(&rng);
    const Histogram histogram = Of(values);
    for (int i = 0; i < 20; ++i) {
      const int64_t bound = values[rng.Below(values.size())];
      const auto above = [&](double limit) {
        return static_cast<uint64_t>(std::count_if(
            values.begin(), values.end(),
            [&](int64_t v) { return static_cast<double>(v) > limit; }));
      };
      const uint64_t found = histogram.CountAbove(bound);
      ASSERT_LE(found, above(static_cast<double>(bound))) << "seed " << seed;
      ASSERT_GE(found, above(static_cast<double>(bound) * (1 + kError)))
          << "seed " << seed;
    }
    ASSERT_EQ(histogram.CountAbove(-1), values.size()) << "seed " << seed;
    ASSERT_EQ(histogram.CountAbove(histogram.max()), 0) << "seed " << seed;
  }
}

TEST(HistogramTest, MergedIsAsIfRecordedInOne) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    Rng rng(seed);
    const std::vector<int64_t> a = SomeValues(&rng), b = SomeValues(&rng);
    std::vector<int64_t> both = a;
    both.insert(both.end(), b.begin(), b.end());
    Histogram merged = Of(a);
    merged.Merge(Of(b));
    const Histogram whole = Of(both);
    for (const double q : kQuantiles) {
      ASSERT_EQ(merged.Quantile(q), whole.Quantile(q)) << "seed " << seed;
    }
    ASSERT_EQ(merged.count(), whole.count()) << "seed " << seed;
    ASSERT_EQ(merged.max(), whole.max()) << "seed " << seed;
    ASSERT_NEAR(merged.mean(), whole.mean(), 1e-9 * whole.mean())
        << "seed " << seed;
  }
}

TEST(HistogramTest, ACountIsThatManyRecords) {
  Histogram once, often;
  once.Record(7, 3);
  for (int i = 0; i < 3; ++i) often.Record(7);
  EXPECT_EQ(once.count(), often.count());
  EXPECT_EQ(once.mean(), often.mean());
  EXPECT_EQ(once.Quantile(0.5), often.Quantile(0.5));
}

TEST(HistogramTest, AnswersWhenEmptyAndAfterReset) {
  Histogram histogram;
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(histogram.count(), 0);
    EXPECT_EQ(histogram.Quantile(0.99), 0);
    EXPECT_EQ(histogram.mean(), 0);
    EXPECT_EQ(histogram.max(), 0);
    EXPECT_EQ(histogram.CountAbove(0), 0);
    histogram.Record(1000);
    histogram.Reset();
  }
}

TEST(HistogramTest, TakesEveryInteger) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  Histogram histogram;
  histogram.Record(kMax);
  histogram.Record(kMax - 1);
  EXPECT_EQ(histogram.Quantile(1), kMax);
  EXPECT_EQ(histogram.CountAbove(kMax), 0);
  histogram.Reset();
  histogram.Record(std::numeric_limits<int64_t>::min());
  EXPECT_EQ(histogram.Quantile(1), 0);
  EXPECT_EQ(histogram.mean(), 0);
}

TEST(HistogramTest, SharesOutsideZeroToOneAreTheNearestInside) {
  Histogram histogram;
  histogram.Record(3);
  histogram.Record(50);
  EXPECT_EQ(histogram.Quantile(-1), histogram.Quantile(0));
  EXPECT_EQ(histogram.Quantile(2), histogram.Quantile(1));
}

}  // namespace
}  // namespace freshline::base
