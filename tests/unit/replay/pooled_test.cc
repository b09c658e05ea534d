// SPDX-License-Identifier: Apache-2.0
#include "bench/replay/pooled.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshline::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

RunReport SomeRun(const char* policy, double slo_ms, uint64_t violations,
                  uint64_t echo_requests, uint64_t echo_violations) {
  RunReport run;
  run.policy = policy;
  run.slo_ms = slo_ms;
  run.queries = 10'000;
  run.violations = violations;
  run.violation_episodes = violations > 0 ? 1 : 0;
  run.echo = {echo_requests, echo_violations, 1};
  run.guard_us = 1500;
  return run;
}

TEST(PooledTest, AddsUpLoadsOfOnePolicyAndSlo) {
  const auto pools = PoolViolations({SomeRun("slo_aware", 30, 1, 10'000, 0),
                                     SomeRun("fifo", 30, 50, 0, 0),
                                     SomeRun("slo_aware", 30, 2, 10'000, 1),
                                     SomeRun("slo_aware", 10, 0, 10'000, 0)});
  ASSERT_THAT(pools, SizeIs(3));
  EXPECT_EQ(pools[0].served.queries, 20'000U);
  EXPECT_EQ(pools[0].served.violations, 3U);
  EXPECT_EQ(pools[0].served.episodes, 2U);
  EXPECT_DOUBLE_EQ(pools[0].served.rate, 3.0 / 20'000);
  EXPECT_GT(pools[0].served.upper95, pools[0].served.rate);
  EXPECT_EQ(pools[0].echo.violations, 1U);
  EXPECT_EQ(pools[1].policy, "fifo");
  EXPECT_EQ(pools[2].slo_ms, 10);
}

TEST(PooledTest, TheTargetIsTheEchosRateAndAnAllowance) {
  const auto met = [](double slo_ms, uint64_t violations) {
    return PoolViolations({SomeRun("p", slo_ms, violations, 10'000, 1)})[0]
        .met();
  };
  EXPECT_TRUE(met(30, 2));
  EXPECT_FALSE(met(30, 3));
  EXPECT_TRUE(met(10, 3));
  EXPECT_FALSE(met(10, 4));
}

TEST(PooledTest, SimulatedRunsSayNothingOfAMachine) {
  RunReport run = SomeRun("slo_aware", 30, 0, 0, 0);
  run.kind = "simulated";
  EXPECT_THAT(PoolViolations({run}), SizeIs(0));
}

TEST(PooledTest, TheTableGivesAVerdictOnlyBesideAnEcho) {
  EXPECT_THAT(PooledTable(PoolViolations({SomeRun("p", 30, 9, 10'000, 0)})),
              HasSubstr("echo + 0.01 points: MISSED"));
  const std::string alone =
      PooledTable(PoolViolations({SomeRun("p", 30, 0, 0, 0)}));
  EXPECT_THAT(alone, HasSubstr("no echo"));
  EXPECT_THAT(alone, Not(HasSubstr("met")));
}

}  // namespace
}  // namespace freshline::bench
