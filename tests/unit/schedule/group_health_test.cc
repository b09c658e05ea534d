// SPDX-License-Identifier: Apache-2.0
#include "schedule/group_health.h"

#include "gtest/gtest.h"

namespace freshline::schedule {
namespace {

using base::FromMillis;
using base::GroupId;
using base::MonoTime;

constexpr MonoTime kStart{std::chrono::hours(1)};
constexpr GroupId kA{0};
constexpr GroupId kB{5};

MonoTime At(double ms) { return kStart + FromMillis(ms); }

TEST(GroupHealthTest, QuarantinesAfterFailuresInARowOnly) {
  GroupHealth health(FromMillis(100), 3);
  health.JobEnded(kB, false, kStart);
  health.JobEnded(kB, false, kStart);
  health.JobEnded(kB, true, kStart);
  health.JobEnded(kB, false, kStart);
  health.JobEnded(kB, false, kStart);
  EXPECT_FALSE(health.quarantined(kB));
  health.JobEnded(kB, false, kStart);
  EXPECT_TRUE(health.quarantined(kB));
  EXPECT_FALSE(health.quarantined(kA));
  health.JobEnded(kB, true, kStart);
  EXPECT_FALSE(health.quarantined(kB));
}

TEST(GroupHealthTest, SpacesTheProbesOfAGroup) {
  GroupHealth health(FromMillis(100), 3);
  EXPECT_TRUE(health.ProbeDue(kA, kStart));
  health.ProbeQueued(kA);
  EXPECT_FALSE(health.ProbeDue(kA, At(1000)));
  EXPECT_TRUE(health.ProbeDue(kB, At(1000)));
  health.ProbeEnded(kA, FromMillis(1), 2, At(1000));
  EXPECT_FALSE(health.ProbeDue(kA, At(1099)));
  EXPECT_TRUE(health.ProbeDue(kA, At(1100)));
  health.ProbeQueued(kA);
  health.ProbeAbandoned(kA);
  EXPECT_TRUE(health.ProbeDue(kA, At(1100)));
}

TEST(GroupHealthTest, ProbesTakeATwentiethOfTheWorkersTogether) {
  GroupHealth health(FromMillis(100), 3);
  health.ProbeQueued(kA);
  health.ProbeEnded(kA, FromMillis(200), 2, kStart);
  EXPECT_FALSE(health.ProbeDue(kB, At(1999)));
  EXPECT_TRUE(health.ProbeDue(kB, At(2000)));
}

TEST(GroupHealthTest, AGroupThatIsShedStarvesAfterAnIntervalWithoutARun) {
  GroupHealth health(FromMillis(100), 3);
  EXPECT_FALSE(health.ProbeDueWhenShed(kA, At(0)));
  EXPECT_FALSE(health.ProbeDueWhenShed(kA, At(99)));
  health.JobEnded(kA, true, At(99));
  EXPECT_FALSE(health.ProbeDueWhenShed(kA, At(198)));
  EXPECT_TRUE(health.ProbeDueWhenShed(kA, At(199)));
}

}  // namespace
}  // namespace freshline::schedule
