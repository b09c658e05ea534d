// SPDX-License-Identifier: Apache-2.0
#include "schedule/slack_policy.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/schedule/policy_harness.h"

namespace freshline::schedule {
namespace {

using test::PolicyHarness;
using testing::ElementsAre;
using testing::IsEmpty;

// Jobs take 3 ms on one worker where nothing else is said.

TEST(SlackPolicyTest, RefreshesAQueryThatWaitsAndAnswersIt) {
  PolicyHarness h("slo_aware");
  EXPECT_EQ(h.NextWake(), -1);
  EXPECT_THAT(h.Arrive(0, 1, 27, {{7}}), ElementsAre("start 7"));
  EXPECT_EQ(h.NextWake(), 27);
  EXPECT_EQ(h.Stats().tickets_waiting, 1U);
  EXPECT_THAT(h.Done(3, 1), ElementsAre("settle 1/7 REFRESHED", "answer 1"));
  EXPECT_EQ(h.NextWake(), -1);
  EXPECT_EQ(h.Stats().tickets_waiting, 0U);
}

TEST(SlackPolicyTest, AnswersWithWhatStandsAtAnswerBy) {
  for (const char* name : {"slo_aware", "edf", "fifo"}) {
    SCOPED_TRACE(name);
    PolicyHarness h(name);
    EXPECT_THAT(h.Arrive(0, 1, 10, {{7}, {8}}), ElementsAre("start 7"));
    EXPECT_THAT(h.Done(4, 1), ElementsAre("settle 1/7 REFRESHED", "start 8"));
    EXPECT_THAT(h.Tick(9.99), IsEmpty());
    EXPECT_THAT(h.Tick(10), ElementsAre("settle 1/8 DEADLINE", "answer 1"));
    // The overrunning job costs work, never lateness, and is committed.
    EXPECT_THAT(h.Done(30, 1), IsEmpty());
  }
}

TEST(SlackPolicyTest, ATicketWithNothingToWaitForIsAnsweredAtOnce) {
  PolicyHarness h("slo_aware");
  EXPECT_THAT(h.Arrive(0, 1, 27, {}), ElementsAre("answer 1"));
  EXPECT_THAT(h.Arrive(5, 2, 5, {{7}}),
              ElementsAre("settle 2/7 DEADLINE", "answer 2", "background 7"));
}

TEST(SlackPolicyTest, QueriesOfARowShareOneJob) {
  PolicyHarness h("slo_aware");
  EXPECT_THAT(h.Arrive(0, 1, 50, {{1}}), ElementsAre("start 1"));
  EXPECT_THAT(h.Arrive(0, 2, 50, {{7, 4}}), IsEmpty());
  EXPECT_THAT(h.Arrive(1, 3, 40, {{7, 5}}), IsEmpty());
  EXPECT_EQ(h.Stats().rows_queued, 1U);
  EXPECT_THAT(h.Done(3, 9),
              ElementsAre("settle 1/1 REFRESHED", "answer 1", "start 7"));
  // Joined while it runs: the job had been told of 5.
  EXPECT_THAT(h.Arrive(4, 4, 50, {{7, 5}}), IsEmpty());
  EXPECT_THAT(h.Done(6, 9), ElementsAre("settle 3/7 REFRESHED", "answer 3",
                                        "settle 2/7 REFRESHED", "answer 2",
                                        "settle 4/7 REFRESHED", "answer 4"));
  EXPECT_EQ(h.Stats().jobs_started, 2U);
}

TEST(SlackPolicyTest, AJobSatisfiesOnlyWhatItHasSeen) {
  PolicyHarness h("slo_aware");
  EXPECT_THAT(h.Arrive(0, 1, 50, {{7, 4}}), ElementsAre("start 7"));
  EXPECT_THAT(h.Arrive(1, 2, 50, {{7, 6}}), IsEmpty());
  EXPECT_THAT(h.Done(3, 5),
              ElementsAre("settle 1/7 REFRESHED", "answer 1", "start 7"));
  EXPECT_THAT(h.Done(6, 6), ElementsAre("settle 2/7 REFRESHED", "answer 2"));
}

TEST(SlackPolicyTest, WhenOneDeadlineIsOutOfReachTheRowGoesOnWithTheNext) {
  PolicyHarness h("slo_aware");
  EXPECT_THAT(h.Arrive(0, 1, 50, {{1, 1, 1, 10}}), ElementsAre("start 1"));
  // 30 ms of work ahead of it.
  EXPECT_THAT(h.Arrive(0, 2, 31, {{7, 1, 5}}),
              ElementsAre("settle 2/7 SHED", "answer 2"));
  EXPECT_THAT(h.Arrive(0, 3, 31, {{7, 1, 5}}),
              ElementsAre("settle 3/7 SHED", "answer 3"));
  EXPECT_THAT(h.Arrive(0, 4, 60, {{7, 1, 5}}), IsEmpty());
  EXPECT_THAT(h.Arrive(0, 5, 31, {{7, 1, 5}}),
              ElementsAre("settle 5/7 SHED", "answer 5"));
  EXPECT_THAT(h.Done(30, 1),
              ElementsAre("settle 1/1 REFRESHED", "answer 1", "start 7"));
}

TEST(SlackPolicyTest, ShedsTheLowestGainPerTimeWhenNotAllFits) {
  PolicyHarness h("slo_aware");
  EXPECT_THAT(h.Arrive(0, 1, 10, {{1, 1, 1}}), ElementsAre("start 1"));
  EXPECT_THAT(h.Arrive(0, 2, 10, {{2, 1, 2}}), IsEmpty());
  EXPECT_THAT(h.Arrive(0, 3, 10, {{3, 1, 1}}), IsEmpty());
  // A fourth of 3 ms does not end by 10.
  EXPECT_THAT(h.Arrive(0, 4, 10, {{4, 1, 3}}),
              ElementsAre("settle 3/3 SHED", "answer 3"));
  EXPECT_EQ(h.Stats().needs_shed, 1U);
  EXPECT_EQ(h.Stats().background_queued, 1U);
  // The same gain in less time is worth more.
  h.costs.cost_ms = 2;
  EXPECT_THAT(h.Arrive(0, 5, 10, {{5, 1, 2}}),
              ElementsAre("settle 2/2 SHED", "answer 2"));
}

TEST(SlackPolicyTest, WhatIsWorthLessThanThePriceIsTriedWhileAWorkerIdles) {
  schedule::PolicyConfig config = *schedule::FindPolicy("slo_aware");
  config.background = false;
  PolicyHarness h(config, 2);
  // Two seconds of work and more within the second that the price remembers.
  for (uint64_t ticket = 1; ticket <= 800; ++ticket) {
    h.Arrive(0, ticket, 5000, {{ticket, 1, 100}});
  }
  for (uint64_t ticket = 1; ticket <= 800; ++ticket) h.Cancel(1, ticket);
  EXPECT_GT(h.Stats().price, 1);
  h.costs.certain = 0.5;
  EXPECT_THAT(h.Arrive(2, 1001, 30, {{1001, 1, 0.1}}),
              ElementsAre("settle 1001/1001 SHED", "answer 1001"));
  h.Done(3, 1);
  EXPECT_THAT(h.Arrive(3, 1002, 30, {{1002, 1, 0.1}}),
              ElementsAre("start 1002"));
  EXPECT_THAT(h.Arrive(3, 1003, 30, {{1003, 1, 0.1}}),
              ElementsAre("settle 1003/1003 SHED", "answer 1003"));
}

TEST(SlackPolicyTest, FifoAndEdfOrderAsTheyAreCalled) {
  PolicyHarness fifo("fifo");
  fifo.Arrive(0, 1, 90, {{1}});
  fifo.Arrive(0, 2, 80, {{2}});
  fifo.Arrive(0, 3, 70, {{3}});
  EXPECT_THAT(fifo.Done(3, 1), testing::Contains("start 2"));
  PolicyHarness edf("edf");
  edf.Arrive(0, 1, 90, {{1}});
  edf.Arrive(0, 2, 80, {{2}});
  edf.Arrive(0, 3, 70, {{3}});
  EXPECT_THAT(edf.Done(3, 1), testing::Contains("start 3"));
}

TEST(SlackPolicyTest, PoliciesThatAnswerAtOnceQueueByTheirTrigger) {
  PolicyHarness eager("eager_fifo");
  EXPECT_THAT(eager.Changed(0, 7, 1), ElementsAre("start 7"));
  EXPECT_THAT(eager.Changed(0, 8, 2), IsEmpty());
  EXPECT_THAT(eager.Changed(0, 8, 3), IsEmpty());  // coalesced
  EXPECT_THAT(eager.Changed(1, 7, 4), IsEmpty());  // again, after this run
  EXPECT_THAT(eager.Arrive(1, 1, 27, {{7, 4}}),
              ElementsAre("settle 1/7 SHED", "answer 1"));
  EXPECT_THAT(eager.Done(3, 3), ElementsAre("start 8"));
  EXPECT_THAT(eager.Done(6, 4), ElementsAre("start 7"));
  EXPECT_THAT(eager.Done(9, 4), IsEmpty());
  EXPECT_EQ(eager.NextWake(), -1);

  PolicyHarness lazy("stale_then_refresh");
  EXPECT_THAT(lazy.Changed(0, 7, 1), IsEmpty());
  EXPECT_THAT(lazy.Arrive(0, 1, 27, {{7, 1}}),
              ElementsAre("settle 1/7 SHED", "answer 1", "start 7"));
  EXPECT_THAT(lazy.Arrive(0, 2, 27, {{7, 1}}),
              ElementsAre("settle 2/7 SHED", "answer 2"));
  EXPECT_THAT(lazy.Done(3, 1), IsEmpty());
}

TEST(SlackPolicyTest, ARunThatSawTheEventIsNotRepeated) {
  PolicyHarness eager("eager_fifo");
  eager.Changed(0, 7, 1);
  eager.Changed(1, 7, 2);
  // The job began late enough to see event 2 after all.
  EXPECT_THAT(eager.Done(3, 2), IsEmpty());
  EXPECT_EQ(eager.Stats().rows_queued, 0U);
}

TEST(SlackPolicyTest, CancellingTheLastTicketLeavesBackgroundWork) {
  PolicyHarness h("slo_aware");
  h.Arrive(0, 1, 50, {{1}});
  h.Arrive(0, 2, 50, {{7}});
  h.Arrive(0, 3, 50, {{7}});
  EXPECT_THAT(h.Cancel(1, 2), IsEmpty());
  EXPECT_EQ(h.Stats().rows_queued, 1U);
  EXPECT_THAT(h.Cancel(1, 3), IsEmpty());
  EXPECT_EQ(h.Stats().rows_queued, 0U);
  EXPECT_EQ(h.Stats().background_queued, 1U);
  EXPECT_EQ(h.Stats().tickets_waiting, 1U);
  EXPECT_THAT(h.Cancel(1, 99), IsEmpty());
  // A started one goes on.
  EXPECT_THAT(h.Cancel(2, 1), IsEmpty());
  EXPECT_EQ(h.Stats().tickets_waiting, 0U);
  EXPECT_EQ(h.running(), 1U);

  PolicyHarness fifo("fifo");
  fifo.Arrive(0, 1, 50, {{1}});
  fifo.Arrive(0, 2, 50, {{7}});
  EXPECT_THAT(fifo.Cancel(1, 2), IsEmpty());
  EXPECT_THAT(fifo.Done(3, 1), ElementsAre("settle 1/1 REFRESHED", "answer 1"));
}

TEST(SlackPolicyTest, IdleWorkersRefreshByGainPerSecond) {
  PolicyHarness h("slo_aware");
  EXPECT_THAT(h.Changed(0, 1, 1, 1), ElementsAre("background 1"));
  EXPECT_THAT(h.Changed(0, 2, 2, 1), IsEmpty());
  EXPECT_THAT(h.Changed(0, 3, 3, 5), IsEmpty());
  EXPECT_THAT(h.Changed(0, 4, 4, 2), IsEmpty());
  EXPECT_THAT(h.Changed(0, 2, 5, 0, 0), IsEmpty());  // fresh by other means
  EXPECT_EQ(h.Stats().background_queued, 2U);
  EXPECT_THAT(h.Done(3, 9), ElementsAre("background 3"));
  // A query comes before what nobody waits for.
  EXPECT_THAT(h.Arrive(4, 1, 30, {{7}}), IsEmpty());
  EXPECT_THAT(h.Done(6, 9), ElementsAre("start 7"));
  EXPECT_EQ(h.Stats().background_rows, 2U);
}

// Rows that were asked for a moment ago are asked for again, others are not.
TEST(SlackPolicyTest, IdleWorkersRefreshWhatWillBeAskedFor) {
  PolicyHarness h("slo_aware");
  h.Arrive(0, 9999, 30, {{9999}});  // runs all the time
  double at = 0;
  base::Seq seq = 0;
  for (uint64_t ticket = 1; ticket <= 800; ++ticket) {
    // The event, and 50 ms later the query for it.
    at += 100;
    const uint64_t key = 1 + ticket % 8;
    h.Changed(at, key, ++seq);
    h.Arrive(at + 50, ticket, at + 80, {{key, seq}});
  }
  // Long ago, of higher gain; and just now.
  h.Changed(at + 100, 1001, ++seq, 1.2);
  h.Changed(at + 60'000, 1002, ++seq, 1);
  EXPECT_THAT(h.Done(at + 60'050, 0), ElementsAre("background 1002"));
}

TEST(SlackPolicyTest, BackgroundRowsShareAPass) {
  PolicyConfig config = *FindPolicy("slo_aware");
  PolicyHarness h(config, 0, 4);
  for (uint64_t key = 1; key <= 6; ++key) {
    EXPECT_THAT(h.Changed(0, key, key, 7.0 - static_cast<double>(key)),
                IsEmpty());
  }
  EXPECT_THAT(h.SetWorkers(1, 1), ElementsAre("background 1 2 3 4"));
  EXPECT_THAT(h.Done(20, 6), ElementsAre("background 5 6"));
  EXPECT_EQ(h.Stats().background_rows, 6U);
}

TEST(SlackPolicyTest, BackgroundWorkWaitsWhileQueriesAreExpected) {
  PolicyHarness h("slo_aware");
  double at = 0;
  for (uint64_t i = 1; i <= 400; ++i, at += 4) {
    h.Arrive(at, i, at + 27, {{i, i}});
    h.Done(at + 3, i);
  }
  // 250 queries a second: the next comes within 3 ms as likely as not.
  EXPECT_THAT(h.Changed(at, 9999, 1000), IsEmpty());
  EXPECT_EQ(h.Stats().background_queued, 1U);
  EXPECT_NEAR(h.NextWake(), at + 10, 1e-6);
  // Seconds without one, and it may.
  EXPECT_THAT(h.Tick(at + 6000), ElementsAre("background 9999"));
  EXPECT_EQ(h.NextWake(), -1);
}

TEST(SlackPolicyTest, BatchesFormFromWhatWaitsWhileAllEndInTime) {
  PolicyConfig config = *FindPolicy("slo_aware");
  PolicyHarness h(config, /*workers=*/1, /*batch_max=*/4);
  // Alone, though more could be computed at once: nobody waits for company.
  EXPECT_THAT(h.Arrive(0, 1, 40, {{1}}), ElementsAre("start 1"));
  for (uint64_t key = 2; key <= 6; ++key) {
    EXPECT_THAT(h.Arrive(0, key, 40, {{key}}), IsEmpty());
  }
  EXPECT_THAT(h.Done(3, 1),
              ElementsAre("settle 1/1 REFRESHED", "answer 1", "start 2 3 4 5"));
  h.Done(11, 1);
  EXPECT_EQ(h.running(), 1U);

  // The first of two has only time for itself (a batch of two takes 4.5 ms).
  PolicyHarness tight(config, 1, 4);
  tight.Arrive(0, 1, 40, {{1}});
  tight.Arrive(0, 2, 7, {{2}});
  tight.Arrive(0, 3, 40, {{3}});
  EXPECT_THAT(tight.Done(3, 1),
              ElementsAre("settle 1/1 REFRESHED", "answer 1", "start 2"));
}

TEST(SlackPolicyTest, IdleWorkersShareTheQueueBeforeTheyBatch) {
  PolicyConfig config = *FindPolicy("slo_aware");
  PolicyHarness h(config, /*workers=*/2, /*batch_max=*/4);
  EXPECT_THAT(h.Arrive(0, 1, 40, {{1}, {2}}),
              ElementsAre("start 1", "start 2"));
  EXPECT_THAT(h.Arrive(1, 2, 40, {{3}, {4}, {5}}), IsEmpty());
  EXPECT_THAT(h.SetWorkers(2, 4), ElementsAre("start 3 4", "start 5"));
}

TEST(SlackPolicyTest, WithoutWorkersEverythingIsAnsweredStale) {
  PolicyHarness h("slo_aware", 1);
  h.Arrive(0, 1, 30, {{1}});
  h.Arrive(0, 2, 30, {{2}});
  EXPECT_THAT(h.SetWorkers(1, 0), ElementsAre("settle 1/1 SHED", "answer 1",
                                              "settle 2/2 SHED", "answer 2"));
  EXPECT_THAT(h.Arrive(1, 3, 30, {{3}}),
              ElementsAre("settle 3/3 SHED", "answer 3"));
  EXPECT_THAT(h.Done(3, 1), IsEmpty());
  // What was shed still waits for an idle worker.
  EXPECT_THAT(h.SetWorkers(3, 1), ElementsAre("background 2"));
}

TEST(SlackPolicyTest, TicketsBeyondTheBoundAreAnsweredAtOnceAndCounted) {
  PolicyConfig config = *FindPolicy("fifo");
  config.tickets_max = 2;
  PolicyHarness h(config);
  h.Arrive(0, 1, 30, {{1}});
  h.Arrive(0, 2, 30, {{2}});
  EXPECT_THAT(h.Arrive(0, 3, 30, {{3}}),
              ElementsAre("settle 3/3 SHED", "answer 3"));
  EXPECT_EQ(h.Stats().tickets_refused, 1U);
}

TEST(SlackPolicyTest, RowsBeyondTheBoundsAreRefusedAndCounted) {
  PolicyConfig config = *FindPolicy("eager_fifo");
  config.rows_max = 2;
  PolicyHarness eager(config);
  for (uint64_t key = 1; key <= 5; ++key) eager.Changed(0, key, key);
  EXPECT_EQ(eager.Stats().rows_queued, 2U);
  EXPECT_EQ(eager.Stats().rows_refused, 2U);

  config = *FindPolicy("fifo");
  config.rows_max = 1;
  PolicyHarness fifo(config);
  fifo.Arrive(0, 1, 30, {{1}, {2}});
  EXPECT_THAT(fifo.Arrive(0, 2, 30, {{2}, {3}}),
              ElementsAre("settle 2/3 SHED"));

  config = *FindPolicy("slo_aware");
  config.background_max = 2;
  PolicyHarness background(config);
  background.Changed(0, 1, 1);
  for (uint64_t key = 2; key <= 5; ++key) {
    background.Changed(0, key, key, static_cast<double>(key));
  }
  EXPECT_EQ(background.Stats().background_queued, 2U);
  // The better ones were kept.
  EXPECT_THAT(background.Done(3, 9), ElementsAre("background 5"));
}

TEST(SlackPolicyTest, ANeedWithoutLevelsIsShed) {
  for (const char* name : {"slo_aware", "stale_then_refresh"}) {
    test::FixedCosts costs;
    const auto policy = MakePolicy(*FindPolicy(name), &costs, {});
    Actions actions;
    policy->SetWorkers(1, PolicyHarness::At(0), &actions);
    const Need need{{base::KeyId{7}, base::GroupId{0}}, 1, {}};
    policy->Arrive(
        {base::TicketId{1}, base::FlowId{0}, PolicyHarness::At(9), {&need, 1}},
        PolicyHarness::At(0), &actions);
    ASSERT_EQ(actions.list.size(), 2U) << name;
    EXPECT_EQ(actions.list[0].reason, base::Obtained::kStaleShed);
    EXPECT_EQ(actions.list[1].kind, Action::Kind::kAnswer);
  }
}

TEST(SlackPolicyTest, GainsThatAreNoNumbersCountAsNothing) {
  PolicyHarness h("slo_aware");
  h.Arrive(0, 1, 10, {{1}});
  h.Arrive(0, 2, 10, {{2, 1, std::nan("")}});
  h.Arrive(0, 3, 10, {{3, 1, 1}});
  EXPECT_THAT(h.Arrive(0, 4, 10, {{4, 1, 1}}),
              ElementsAre("settle 2/2 SHED", "answer 2"));
}

}  // namespace
}  // namespace freshline::schedule
