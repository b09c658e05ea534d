// SPDX-License-Identifier: Apache-2.0
#include "bench/load/self_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshline::bench {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// 1,000 queries of which `late` took `late_ms`, in one episode.
LoadResult Result(uint64_t late, int64_t late_ms, double lag_ms = 0.05) {
  LoadResult result;
  for (uint64_t i = 0; i < 1000; ++i) {
    result.latency_ns.Record((i < late ? late_ms : 5) * 1'000'000);
    result.dispatch_lag_ns.Record(static_cast<int64_t>(lag_ms * 1e6));
  }
  result.violations.queries = 1000;
  result.violations.violations = late;
  result.violations.rate = static_cast<double>(late) / 1000;
  result.violations.episodes = late > 0 ? 1 : 0;
  return result;
}

// As it should be: 100 queries/s, of which 17 are due in each of two freezes
// and still late after the SLO.
SelfCheckRuns Sound() {
  SelfCheckRuns runs;
  runs.calm = Result(0, 0);
  runs.frozen = Result(34, 180);
  runs.crowded = Result(1, 40);
  runs.frozen_span = seconds(10);
  runs.freezes = 2;
  runs.freeze = milliseconds(200);
  runs.slo = milliseconds(30);
  return runs;
}

std::vector<bool> Passed(const SelfCheckRuns& runs) {
  std::vector<bool> passed;
  for (const Verdict& verdict : JudgeSelfCheck(runs)) {
    passed.push_back(verdict.passed);
  }
  return passed;
}

using Verdicts = std::vector<bool>;

TEST(SelfCheckTest, PassesASoundInstrument) {
  EXPECT_EQ(Passed(Sound()), Verdicts({true, true, true, true}));
}

TEST(SelfCheckTest, AFreezeThatDoesNotShowMeansABlindInstrument) {
  SelfCheckRuns runs = Sound();
  runs.frozen = Result(0, 0);
  EXPECT_EQ(Passed(runs), Verdicts({false, false, true, true}));
}

TEST(SelfCheckTest, CoordinatedOmissionCountsTooFewLateOnes) {
  SelfCheckRuns runs = Sound();
  // p99 sees them still, but most of what was due was never sent.
  runs.frozen = Result(15, 180);
  EXPECT_EQ(Passed(runs), Verdicts({true, false, true, true}));
}

TEST(SelfCheckTest, AClientThatWaitsForTheServerIsFound) {
  SelfCheckRuns runs = Sound();
  runs.frozen = Result(34, 180, /*lag_ms=*/3);
  EXPECT_EQ(Passed(runs), Verdicts({true, true, false, true}));
  // Unless the machine did the same to it in the calm blocks.
  runs.calm = Result(0, 0, /*lag_ms=*/2);
  EXPECT_EQ(Passed(runs), Verdicts({true, true, true, true}));
}

TEST(SelfCheckTest, ABrokenGuardIsComparedWithTheCalmBlocks) {
  SelfCheckRuns runs = Sound();
  runs.crowded = Result(6, 40);
  EXPECT_EQ(Passed(runs), Verdicts({true, true, true, false}));
  runs.calm = Result(2, 40);
  EXPECT_EQ(Passed(runs), Verdicts({true, true, true, true}));
}

TEST(SelfCheckTest, NothingMeasuredProvesNothing) {
  EXPECT_EQ(Passed(SelfCheckRuns{}), Verdicts({false, false, false, false}));
}

TEST(SelfCheckTest, EveryVerdictTellsItsFigures) {
  const std::vector<Verdict> verdicts = JudgeSelfCheck(Sound());
  ASSERT_THAT(verdicts, SizeIs(4));
  EXPECT_THAT(verdicts[1].figures, HasSubstr("34 of 1000 late (3.400 %)"));
  EXPECT_THAT(verdicts[1].figures, HasSubstr("about 34 were due"));
  EXPECT_THAT(verdicts[3].figures, HasSubstr("1 of 1000 late (0.100 %)"));
}

}  // namespace
}  // namespace freshline::bench
