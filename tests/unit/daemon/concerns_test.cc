// SPDX-License-Identifier: Apache-2.0
#include "daemon/concerns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshline::daemon {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr base::MonoTime At(int64_t seconds) {
  return base::MonoTime(std::chrono::seconds(seconds));
}

std::vector<std::string> Sentences(
    const std::vector<Concerns::Concern>& concerns) {
  std::vector<std::string> sentences;
  for (const auto& concern : concerns) sentences.push_back(concern.sentence);
  return sentences;
}

TEST(ConcernsTest, AFreshDaemonHasNone) {
  Concerns concerns;
  EXPECT_THAT(concerns.Look({}, At(0)), IsEmpty());
}

TEST(ConcernsTest, ARefusalCountsForFiveMinutesAfterTheLast) {
  Concerns concerns;
  v1::GetStatusResponse status;
  auto& refused = (*status.mutable_refused())["rpc.requests_in_flight_max"];
  refused = 3;
  EXPECT_THAT(Sentences(concerns.Look(status, At(10))),
              ElementsAre(AllOf(HasSubstr("3 requests were refused"),
                                HasSubstr("rpc.requests_in_flight_max"))));
  EXPECT_THAT(concerns.Look(status, At(310)), testing::SizeIs(1));
  refused = 4;
  EXPECT_THAT(Sentences(concerns.Look(status, At(310))),
              ElementsAre(HasSubstr("4 requests")));
  EXPECT_THAT(concerns.Look(status, At(610)), testing::SizeIs(1));
  EXPECT_THAT(concerns.Look(status, At(611)), IsEmpty());
  // The next episode counts its own.
  refused = 5;
  EXPECT_THAT(Sentences(concerns.Look(status, At(1000))),
              ElementsAre(HasSubstr("1 requests")));
}

TEST(ConcernsTest, EveryBoundAndLossIsSaid) {
  Concerns concerns;
  v1::GetStatusResponse status;
  (*status.mutable_refused())["rpc.intake_bytes_max"] = 1;
  status.mutable_scheduler()->set_tickets_refused_full(1);
  status.mutable_scheduler()->set_tickets_refused_policy(1);
  status.mutable_scheduler()->set_rows_refused_full(1);
  status.mutable_table()->set_appends_refused(1);
  status.mutable_events()->set_producers_evicted(1);
  status.mutable_outcomes()->set_refused(1);
  status.mutable_log()->set_lost(1);
  EXPECT_THAT(Sentences(concerns.Look(status, At(1))),
              ElementsAre(HasSubstr("rpc.intake_bytes_max"),
                          HasSubstr("2 queries were answered as they stood"),
                          HasSubstr("scheduler.background_rows_max"),
                          HasSubstr("table.keys_max"),
                          HasSubstr("ingest.producers_max"),
                          HasSubstr("outcomes.per_second_max"),
                          HasSubstr("lines of the log were lost")));
  // A drain refuses what it should.
  v1::GetStatusResponse draining;
  (*draining.mutable_refused())["draining"] = 7;
  EXPECT_THAT(Concerns().Look(draining, At(1)), IsEmpty());
}

TEST(ConcernsTest, StatesCountWhileTheyLastAndABugForEver) {
  Concerns concerns;
  v1::GetStatusResponse status;
  status.set_bugs(2);
  status.mutable_scheduler()->set_workers_hung(1);
  v1::FeaturizerStatus& group = *status.add_featurizers();
  group.set_group("next_items");
  group.set_disabled(true);
  group.set_quarantined(true);
  group.set_failures(5);
  status.mutable_decision_log()->set_ended("the disk is full");
  v1::ThreadStatus& thread = *status.add_threads();
  thread.set_name("dispatcher");
  thread.set_sched_class("normal");
  thread.set_wanted("realtime-high");
  EXPECT_THAT(
      Sentences(concerns.Look(status, At(0))),
      ElementsAre(HasSubstr("a bug"), HasSubstr("1 threads hang"),
                  HasSubstr("next_items is disabled"),
                  HasSubstr("only probed: next_items"),
                  HasSubstr("the decision log ended early: the disk is full"),
                  AllOf(HasSubstr("dispatcher runs as normal instead of "
                                  "realtime-high"),
                        HasSubstr("CAP_SYS_NICE")),
                  HasSubstr("5 runs of feature group next_items failed")));
  status.clear_scheduler();
  group.set_disabled(false);
  group.set_quarantined(false);
  thread.set_sched_class("realtime-high");
  EXPECT_THAT(Sentences(concerns.Look(status, At(10'000))),
              ElementsAre(HasSubstr("a bug"), HasSubstr("decision log")));
}

TEST(ConcernChangesTest, ALogHasALineWhereOneComesAndWhereItGoes) {
  ConcernChanges changes;
  EXPECT_THAT(changes.Since({{"a", "1 lost"}, {"b", "hung"}}).came,
              ElementsAre("1 lost", "hung"));
  // Another number is no news.
  EXPECT_THAT(changes.Since({{"a", "9 lost"}, {"b", "hung"}}).came, IsEmpty());
  const auto last = changes.Since({{"b", "hung"}});
  EXPECT_THAT(last.came, IsEmpty());
  EXPECT_THAT(last.went, ElementsAre("9 lost"));
}

TEST(ConcernsTest, AClockThatJumpedIsSaidWhileItIsNotFollowed) {
  Concerns concerns;
  v1::GetStatusResponse status;
  status.mutable_clock()->set_jumps(1);
  EXPECT_THAT(concerns.Look(status, At(0)), IsEmpty());
  status.mutable_clock()->set_pending_us(-3'600'000'000);
  status.mutable_clock()->set_pending_for_s(7);
  EXPECT_THAT(Sentences(concerns.Look(status, At(1))),
              ElementsAre(HasSubstr("jumped by -3600 s 7 s ago")));
}

TEST(ConcernsTest, WorkersThatStarveAreSaid) {
  Concerns concerns;
  v1::GetStatusResponse status;
  status.mutable_scheduler()->set_relief_refused(2);
  EXPECT_THAT(Sentences(concerns.Look(status, At(1))),
              ElementsAre(AllOf(HasSubstr("2 runs of workers starved"),
                                HasSubstr("worker_class"))));
}

}  // namespace
}  // namespace freshline::daemon
