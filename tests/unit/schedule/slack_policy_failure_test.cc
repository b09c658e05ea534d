// SPDX-License-Identifier: Apache-2.0
// Failures, quarantine, and predictions that are wrong.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "schedule/slack_policy.h"
#include "tests/unit/schedule/policy_harness.h"

namespace freshline::schedule {
namespace {

using test::PolicyHarness;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The times below are worked out with these.
PolicyConfig SloAware() {
  PolicyConfig config = *FindPolicy("slo_aware");
  config.backoff_min = std::chrono::milliseconds(100);
  config.quarantine_failures = 8;
  return config;
}

TEST(SlackPolicyFailureTest, AFailedRowIsAnsweredAsErrorAndBacksOff) {
  PolicyHarness h(SloAware());
  h.Arrive(0, 1, 50, {{7}});
  h.Arrive(1, 2, 50, {{7}});
  EXPECT_THAT(h.Done(3, 1, false), ElementsAre("settle 1/7 ERROR", "answer 1",
                                               "settle 2/7 ERROR", "answer 2"));
  EXPECT_EQ(h.Stats().jobs_failed, 1U);
  // 100 ms; other rows go on.
  EXPECT_THAT(h.Arrive(102, 3, 150, {{7}}),
              ElementsAre("settle 3/7 ERROR", "answer 3"));
  EXPECT_THAT(h.Arrive(102, 4, 150, {{8}}), ElementsAre("start 8"));
  h.Done(103, 1);
  EXPECT_THAT(h.Arrive(103, 5, 150, {{7}}), ElementsAre("start 7"));
  h.Done(106, 1, false);
  // Twice as long.
  EXPECT_THAT(h.Arrive(305, 6, 350, {{7}}),
              ElementsAre("settle 6/7 ERROR", "answer 6"));
  EXPECT_THAT(h.Arrive(306, 7, 350, {{7}}), ElementsAre("start 7"));
  h.Done(309, 1);
  // One success forgives.
  EXPECT_THAT(h.Arrive(310, 8, 350, {{7}}), ElementsAre("start 7"));
}

TEST(SlackPolicyFailureTest, BackoffIsBounded) {
  PolicyConfig config = SloAware();
  config.backoff_max = std::chrono::milliseconds(400);
  config.quarantine_failures = 1000;
  PolicyHarness h(config);
  double at = 0;
  for (uint64_t i = 1; i <= 40; ++i) {
    EXPECT_THAT(h.Arrive(at, i, at + 30, {{7}}), ElementsAre("start 7")) << i;
    h.Done(at + 1, 1, false);
    at += 401;
  }
}

TEST(SlackPolicyFailureTest, ABackoffAboveTheBoundStaysWhatItIs) {
  PolicyConfig config = SloAware();
  config.backoff_min = std::chrono::milliseconds(500);
  config.backoff_max = std::chrono::milliseconds(400);
  PolicyHarness h(config);
  for (uint64_t i = 1; i <= 5; ++i) {
    const double at = static_cast<double>(i) * 1000;
    EXPECT_THAT(h.Arrive(at, 2 * i, at + 30, {{7}}), ElementsAre("start 7"));
    h.Done(at + 1, 1, false);
    EXPECT_THAT(h.Arrive(at + 500, 2 * i + 1, at + 530, {{7}}),
                ElementsAre(HasSubstr("ERROR"), HasSubstr("answer")));
  }
}

TEST(SlackPolicyFailureTest, WithoutBackoffTheNextQueryTriesAgain) {
  PolicyConfig config = SloAware();
  config.backoff_min = {};
  config.quarantine_failures = 1000;
  PolicyHarness h(config);
  for (uint64_t i = 1; i <= 40; ++i) {
    const double at = static_cast<double>(i) * 2;
    EXPECT_THAT(h.Arrive(at, i, at + 30, {{7}}), ElementsAre("start 7")) << i;
    h.Done(at + 1, 1, false);
  }
}

TEST(SlackPolicyFailureTest, ARowThatFailedIsComputedAlone) {
  PolicyHarness h(SloAware(), 1, 4);
  h.Arrive(0, 1, 50, {{7}});
  h.Done(3, 1, false);
  h.Arrive(104, 2, 190, {{1}});
  h.Arrive(104, 3, 200, {{7}});
  h.Arrive(104, 4, 201, {{8}});
  h.Arrive(104, 5, 202, {{9}});
  EXPECT_THAT(h.Done(107, 1),
              ElementsAre("settle 2/1 REFRESHED", "answer 2", "start 7"));
  EXPECT_THAT(h.Done(110, 1),
              ElementsAre("settle 3/7 REFRESHED", "answer 3", "start 8 9"));
}

TEST(SlackPolicyFailureTest, AGroupThatKeepsFailingIsQuarantinedAndProbed) {
  PolicyHarness h(SloAware());
  for (uint64_t i = 1; i <= 8; ++i) {
    EXPECT_THAT(h.Arrive(0, i, 50, {{i}}),
                ElementsAre("start " + std::to_string(i)));
    h.Done(0, 1, false);
  }
  // The first query after it is a probe's excuse, and is answered at once.
  EXPECT_THAT(h.Arrive(1, 20, 50, {{20}}),
              ElementsAre("settle 20/20 ERROR", "answer 20", "background 20"));
  EXPECT_THAT(h.Arrive(1, 21, 50, {{21}}),
              ElementsAre("settle 21/21 ERROR", "answer 21"));
  EXPECT_THAT(h.Done(2, 1, false), IsEmpty());
  EXPECT_THAT(h.Arrive(101, 22, 150, {{22}}),
              ElementsAre("settle 22/22 ERROR", "answer 22"));
  EXPECT_THAT(h.Arrive(102, 23, 150, {{23}}),
              ElementsAre("settle 23/23 ERROR", "answer 23", "background 23"));
  // Other groups are not touched.
  EXPECT_THAT(h.Arrive(102, 24, 150, {{24, 1, 1, 1, /*group=*/1}}), IsEmpty());
  EXPECT_THAT(h.Done(103, 1), ElementsAre("start 24.1"));
  // It works again.
  h.Done(106, 1);
  EXPECT_THAT(h.Arrive(106, 25, 150, {{25}}), ElementsAre("start 25"));
  EXPECT_EQ(h.Stats().probes, 2U);
}

TEST(SlackPolicyFailureTest, AnEstimateAboveEveryBudgetNeverLocksOut) {
  PolicyHarness h("slo_aware", 2);
  h.costs.cost_ms = 5000;
  EXPECT_THAT(h.Arrive(0, 1, 27, {{1}}),
              ElementsAre("settle 1/1 SHED", "answer 1", "background 1"));
  EXPECT_THAT(h.Arrive(1, 2, 28, {{2}}),
              ElementsAre("settle 2/2 SHED", "answer 2"));
  h.Done(3, 1);
  // One more after an interval, also while the other worker is busy.
  h.costs.cost_ms = 4000;
  EXPECT_THAT(h.Arrive(102, 3, 130, {{3}}),
              ElementsAre("settle 3/3 SHED", "answer 3"));
  EXPECT_THAT(h.Arrive(104, 4, 131, {{4}}),
              ElementsAre("settle 4/4 SHED", "answer 4", "background 4"));
  EXPECT_EQ(h.Stats().probes, 2U);
  // The estimator has learned from the probes.
  h.costs.cost_ms = 3;
  EXPECT_THAT(h.Done(105, 1), ElementsAre("background 3"));
  EXPECT_THAT(h.Done(106, 1), IsEmpty());
  EXPECT_THAT(h.Arrive(107, 5, 134, {{5}}), ElementsAre("start 5"));
}

TEST(SlackPolicyFailureTest, ALongJobDoesNotSpoilTheOtherWorker) {
  PolicyHarness h("slo_aware", 2);
  EXPECT_THAT(h.Arrive(0, 1, 9000, {{1, 1, 1, 1000}}), ElementsAre("start 1"));
  // Three seconds on one worker; three rows of 3 ms on the other.
  EXPECT_THAT(h.Arrive(1, 2, 11, {{2}}), ElementsAre("start 2"));
  EXPECT_THAT(h.Arrive(1, 3, 11, {{3}}), IsEmpty());
  EXPECT_THAT(h.Arrive(1, 4, 11, {{4}}), IsEmpty());
  EXPECT_THAT(h.Arrive(1, 5, 11, {{5, 1, 0.5}}),
              ElementsAre("settle 5/5 SHED", "answer 5"));
}

TEST(SlackPolicyFailureTest, AProbeGoesBeforeTheWholeQueue) {
  PolicyHarness h("slo_aware", 1);
  h.Arrive(0, 1, 30, {{1}});
  h.Arrive(0, 2, 30, {{2}});
  // 20 scans take 60 ms by prediction.
  EXPECT_THAT(h.Arrive(1, 3, 28, {{3, 1, 1, 20}}),
              ElementsAre("settle 3/3 SHED", "answer 3"));
  EXPECT_THAT(h.Done(3, 1),
              ElementsAre("settle 1/1 REFRESHED", "answer 1", "background 3"));
  EXPECT_THAT(h.Done(6, 1), ElementsAre("start 2"));
}

TEST(SlackPolicyFailureTest, AGroupThatIsAlwaysOutbidIsProbed) {
  PolicyConfig config = SloAware();
  PolicyHarness h(config, 1);
  uint64_t ticket = 0;
  uint64_t key = 100;
  bool probed = false;
  // Group 1 is thought to take 24 ms for the gain of group 0's 3 ms, and
  // group 0 alone fills the worker.
  for (double at = 0; at < 1000 && !probed; at += 3) {
    for (int i = 0; i < 3; ++i) {
      h.Arrive(at, ++ticket, at + 27, {{++key, 1, 1}});
    }
    h.Arrive(at, ++ticket, at + 27, {{++key, 1, 1, 8, /*group=*/1}});
    if (h.running() > 0) {
      for (const std::string& action : h.Done(at + 2.9, 1)) {
        probed = probed || action == "background " + std::to_string(key) + ".1";
      }
    }
  }
  EXPECT_TRUE(probed);
}

TEST(SlackPolicyFailureTest, RemembersABoundedNumberOfFailures) {
  PolicyConfig config = SloAware();
  config.rows_max = 3;
  config.quarantine_failures = 1000;
  PolicyHarness h(config);
  for (uint64_t i = 1; i <= 5; ++i) {
    h.Arrive(0, i, 50, {{i}});
    h.Done(0, 1, false);
  }
  // The first two are forgotten, the last three still back off.
  EXPECT_THAT(h.Arrive(1, 11, 50, {{1}}), ElementsAre("start 1"));
  h.Done(2, 1);
  EXPECT_THAT(h.Arrive(3, 12, 50, {{5}}),
              ElementsAre("settle 12/5 ERROR", "answer 12"));
}

TEST(SlackPolicyFailureTest, FewerWorkersStillFinishWhatTheOthersRun) {
  PolicyHarness h("slo_aware", 3);
  h.Arrive(0, 1, 50, {{1}});
  h.Arrive(0, 2, 50, {{2}});
  h.Arrive(0, 3, 50, {{3}});
  ASSERT_EQ(h.running(), 3U);
  h.SetWorkers(1, 2);
  h.Arrive(1, 4, 50, {{4}});
  // Two still run, as many as there are workers: the first that ends makes no
  // room.
  EXPECT_THAT(h.Done(3, 1), ElementsAre("settle 1/1 REFRESHED", "answer 1"));
  EXPECT_THAT(h.Done(4, 1),
              ElementsAre("settle 2/2 REFRESHED", "answer 2", "start 4"));
}

TEST(SlackPolicyFailureTest, AProbeRunsWhenAWorkerIdlesAndNotTooOften) {
  PolicyHarness h("slo_aware", 1);
  EXPECT_THAT(h.Probe(0, 7), ElementsAre("background 7"));
  EXPECT_EQ(h.Stats().probes, 1U);
  EXPECT_THAT(h.Probe(1, 8), IsEmpty());  // all workers run
  h.Done(3, 1);
  EXPECT_THAT(h.Probe(4, 8), IsEmpty());  // probes have had their share
  EXPECT_THAT(h.Probe(200, 8), ElementsAre("background 8"));
  h.Done(203, 1, false);
  EXPECT_THAT(h.Probe(290, 8), IsEmpty());  // it failed a moment ago
}

TEST(SlackPolicyFailureTest, TheFastestIdleWorkerIsTaken) {
  PolicyHarness h("slo_aware", 3);
  h.costs.worker_factors = {2, 1, 9};
  h.costs.cost_ms = 5;
  h.Arrive(0, 1, 50, {{1}});
  EXPECT_EQ(h.started_on(), 1U);
  h.Arrive(0, 2, 50, {{2}});
  EXPECT_EQ(h.started_on(), 0U);
}

}  // namespace
}  // namespace freshline::schedule
