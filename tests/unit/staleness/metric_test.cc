// SPDX-License-Identifier: Apache-2.0
#include "staleness/metric.h"

#include <cmath>
#include <limits>
#include <utility>

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace freshline::staleness {
namespace {

using ::freshline::test::IsOk;

using std::chrono::hours;
using std::chrono::seconds;

TEST(StalenessMetricTest, PendingShareIsWhatTheRowHasNotSeen) {
  const StalenessMetric share = StalenessMetric::PendingShare(2);
  EXPECT_DOUBLE_EQ(share.Gain({0, 10, {}}), 0);
  EXPECT_DOUBLE_EQ(share.Gain({1, 3, {}}), 0.5);
  EXPECT_DOUBLE_EQ(share.Gain({3, 1, {}}), 1.5);
  EXPECT_DOUBLE_EQ(share.Gain({5, 0, {}}), 2);  // cold: the largest
}

TEST(StalenessMetricTest, PendingEventsCountsThem) {
  EXPECT_DOUBLE_EQ(StalenessMetric::PendingEvents(0.5).Gain({7, 100, {}}), 3.5);
}

TEST(StalenessMetricTest, AgeIsSecondsUpToADay) {
  const StalenessMetric age = StalenessMetric::Age();
  EXPECT_DOUBLE_EQ(age.Gain({1, 1, seconds(90)}), 90);
  EXPECT_DOUBLE_EQ(age.Gain({1, 1, hours(100)}), 86400);
  EXPECT_DOUBLE_EQ(age.Gain({1, 1, -seconds(5)}), 0);
  EXPECT_DOUBLE_EQ(age.Gain({1, 0, seconds(0)}), 86400);
}

TEST(StalenessMetricTest, CurveLooksUpTheKeysEventsAndWhatTheRowLacks) {
  auto curve = ValueCurve::Parse(
      "freshline-value-curve 1\n1 1 .5\n4 1 .25\n4 2 .3\n", "c");
  ASSERT_THAT(curve, IsOk());
  const StalenessMetric metric = StalenessMetric::Curve(*std::move(curve), 2);
  EXPECT_DOUBLE_EQ(metric.Gain({1, 2, {}}), 1);    // n 3, j 1
  EXPECT_DOUBLE_EQ(metric.Gain({2, 2, {}}), 0.6);  // n 4, j 2
  EXPECT_DOUBLE_EQ(metric.Gain({0, 9, {}}), 0);
}

TEST(StalenessMetricTest, ExpressionWithoutAValueCountsAsPendingShare) {
  auto metric = StalenessMetric::Expression(
      "case when pending < 3 then pending * 10 end", 2);
  ASSERT_THAT(metric, IsOk());
  EXPECT_DOUBLE_EQ(metric->Gain({2, 2, {}}), 40);
  EXPECT_EQ(metric->fallbacks(), 0u);
  EXPECT_DOUBLE_EQ(metric->Gain({3, 1, {}}), 1.5);
  EXPECT_DOUBLE_EQ(metric->Gain({6, 2, {}}), 1.5);
  EXPECT_EQ(metric->fallbacks(), 2u);
}

TEST(StalenessMetricTest, AnExpressionThatIsNoneIsRefused) {
  EXPECT_FALSE(StalenessMetric::Expression("pending +").ok());
}

TEST(StalenessMetricTest, AWeightThatIsNoWeightGainsNothing) {
  for (const double weight :
       {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(StalenessMetric::PendingEvents(weight).Gain({3, 3, {}}), 0)
        << weight;
  }
}

TEST(StalenessMetricTest, AGainIsNeverInfinite) {
  auto metric = StalenessMetric::Expression("1e308", 1e10);
  ASSERT_THAT(metric, IsOk());
  EXPECT_TRUE(std::isfinite(metric->Gain({1, 1, {}})));
}

}  // namespace
}  // namespace freshline::staleness
