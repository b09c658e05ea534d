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
  health.JobEnded({kB, 1, 1}, false, kStart);
  health.JobEnded({kB, 1, 1}, false, kStart);
  health.JobEnded({kB, 1, 1}, true, kStart);
  health.JobEnded({kB, 1, 1}, false, kStart);
  health.JobEnded({kB, 1, 1}, false, kStart);
  EXPECT_FALSE(health.quarantined(kB));
  health.JobEnded({kB, 1, 1}, false, kStart);
  EXPECT_TRUE(health.quarantined(kB));
  EXPECT_FALSE(health.quarantined(kA));
  EXPECT_EQ(health.Quarantined(), std::vector<GroupId>{kB});
  health.JobEnded({kB, 1, 1}, true, kStart);
  EXPECT_FALSE(health.quarantined(kB));
  EXPECT_TRUE(health.Quarantined().empty());
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

TEST(GroupHealthTest, ASizeThatIsShedStarvesAfterIntervalsWithoutARun) {
  GroupHealth health(FromMillis(100), 3);
  const base::JobShape small{kA, 5, 1};
  const base::JobShape large{kA, 5, 4};
  EXPECT_FALSE(health.ProbeDueWhenShed(small, At(0)));
  EXPECT_FALSE(health.ProbeDueWhenShed(large, At(0)));
  EXPECT_FALSE(health.ProbeDueWhenShed(small, At(499)));
  health.JobEnded(small, true, At(499));
  EXPECT_FALSE(health.ProbeDueWhenShed(small, At(998)));
  EXPECT_TRUE(health.ProbeDueWhenShed(large, At(998)));
  EXPECT_TRUE(health.ProbeDueWhenShed(small, At(999)));
  // Without scans, by events; any number of either.
  EXPECT_FALSE(health.ProbeDueWhenShed({kA, UINT32_MAX, 0}, At(999)));
  EXPECT_TRUE(health.ProbeDueWhenShed({kA, UINT32_MAX, 0}, At(1499)));
  EXPECT_FALSE(health.ProbeDueWhenShed({kA, 1, 0}, At(1499)));
  EXPECT_FALSE(health.ProbeDueWhenShed({kA, 1, UINT32_MAX}, At(1499)));
}

}  // namespace
}  // namespace freshline::schedule
