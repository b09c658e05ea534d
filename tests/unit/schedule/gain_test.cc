// SPDX-License-Identifier: Apache-2.0
#include "schedule/gain.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace freshline::schedule {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

TEST(GainTest, PendingShareIsWhatTheRowHasNotSeen) {
  const GainFunction share{GainMetric::kPendingShare, 2};
  EXPECT_DOUBLE_EQ(Gain(share, {0, 10, {}}), 0);
  EXPECT_DOUBLE_EQ(Gain(share, {1, 3, {}}), 0.5);
  EXPECT_DOUBLE_EQ(Gain(share, {3, 1, {}}), 1.5);
  EXPECT_DOUBLE_EQ(Gain(share, {5, 0, {}}), 2);  // cold: the largest
}

TEST(GainTest, PendingEventsCountsThem) {
  EXPECT_DOUBLE_EQ(Gain({GainMetric::kPendingEvents, 0.5}, {7, 100, {}}), 3.5);
}

TEST(GainTest, AgeIsSecondsUpToADay) {
  const GainFunction age{GainMetric::kAge, 1};
  EXPECT_DOUBLE_EQ(Gain(age, {1, 1, seconds(90)}), 90);
  EXPECT_DOUBLE_EQ(Gain(age, {1, 1, hours(100)}), 86400);
  EXPECT_DOUBLE_EQ(Gain(age, {1, 1, -seconds(5)}), 0);
  EXPECT_DOUBLE_EQ(Gain(age, {1, 0, seconds(0)}), 86400);
}

TEST(GainTest, AWeightThatIsNoWeightGainsNothing) {
  for (const double weight :
       {0.0, -1.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(Gain({GainMetric::kPendingEvents, weight}, {3, 3, {}}), 0)
        << weight;
  }
}

}  // namespace
}  // namespace freshline::schedule
