// SPDX-License-Identifier: Apache-2.0
// What the dispatcher does of itself: hung runs, profiles, guards.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "tests/unit/execute/dispatcher_harness.h"

namespace freshline::execute {
namespace {

using base::Duration;
using base::MonoTime;
using base::Obtained;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::QueryOutcome;

class DispatcherUpkeepTest : public DispatcherTest {};

TEST_F(DispatcherUpkeepTest, AHungRunIsGivenUpAndASpareTakesItsPlace) {
  Build("slo_aware", 2);
  const auto [row, sequence] = Click(1);
  const auto hung = Ask(row, sequence, milliseconds(30));
  dispatcher_->Step();
  RunFor(milliseconds(1999));
  EXPECT_EQ(hung->rows[0].how, Obtained::kStaleDeadline);
  EXPECT_EQ(pool_->hung(), 0U);
  RunFor(milliseconds(1));  // nothing comes but the time
  EXPECT_EQ(pool_->hung(), 1U);
  // Both places work; what hung is not tried again at once.
  std::vector<std::shared_ptr<QueryOutcome>> outcomes;
  for (int64_t user = 2; user <= 3; ++user) {
    const auto [other, want] = Click(user);
    outcomes.push_back(Ask(other, want, milliseconds(30)));
  }
  const auto same = Ask(row, sequence, milliseconds(30));
  dispatcher_->Step();
  EXPECT_EQ(same->rows[0].how, Obtained::kStaleError);
  for (uint32_t worker = 0; worker < 2; ++worker) {
    ASSERT_TRUE(pool_->running(worker));
    pool_->Finish(worker, milliseconds(3));
  }
  dispatcher_->Step();
  for (const auto& outcome : outcomes) {
    EXPECT_EQ(outcome->rows[0].how, Obtained::kRefreshed);
  }
  RunFor(milliseconds(100));
  const DispatcherStats stats = dispatcher_->Stats();
  EXPECT_EQ(stats.runs_hung, 1U);
  EXPECT_EQ(stats.failures, 1U);
  EXPECT_EQ(stats.workers_hung, 1U);
  EXPECT_EQ(stats.workers_usable, 2U);
  EXPECT_EQ(stats.spares_left, 1U);
  EXPECT_EQ(dispatcher_->GroupStats()[0].hung, 1U);
  EXPECT_FALSE(dispatcher_->GroupStats()[0].disabled);
  // Its result is dropped.
  pool_->Return();
  RunFor(milliseconds(100));
  EXPECT_EQ(dispatcher_->Stats().rows_computed, 2U);
  table_->Read(row.key, [&](const table::KeyView& key) {
    EXPECT_FALSE(key.row(kGroup).exists());
  });
}

TEST_F(DispatcherUpkeepTest,
       TheGroupThatTookTheLastSpareIsDisabledUntilOneReturns) {
  Build("slo_aware", 2);
  for (int64_t user = 1; user <= 2; ++user) {
    const auto [row, sequence] = Click(user);
    Ask(row, sequence, milliseconds(30));
  }
  RunFor(seconds(3));
  ASSERT_EQ(dispatcher_->Stats().runs_hung, 2U);
  EXPECT_TRUE(dispatcher_->GroupStats()[0].disabled);
  EXPECT_EQ(dispatcher_->Stats().workers_usable, 2U);
  const auto [row, sequence] = Click(3);
  const auto refused = Ask(row, sequence, milliseconds(30));
  dispatcher_->Step();
  EXPECT_EQ(pool_->started(), 2U);
  EXPECT_EQ(refused->sent, 1);  // and at once
  EXPECT_EQ(refused->rows[0].how, Obtained::kStaleError);

  pool_->Return();
  RunFor(seconds(1));
  EXPECT_FALSE(dispatcher_->GroupStats()[0].disabled);
  EXPECT_EQ(dispatcher_->Stats().rows_refused, 1U);
  const auto [again, next] = Click(4);
  const auto served = Ask(again, next, milliseconds(30));
  dispatcher_->Step();
  ASSERT_EQ(pool_->started(), 3U);
  const uint32_t worker = pool_->running(0) ? 0 : 1;
  pool_->Finish(worker, milliseconds(4));
  dispatcher_->Step();
  EXPECT_EQ(served->rows[0].how, Obtained::kRefreshed);
}

TEST_F(DispatcherUpkeepTest, WithoutAnySpareEverythingIsAnsweredStale) {
  Build("slo_aware", 2);
  // Four runs hang before any bound is reached: two, and those that their
  // spares take over while the group is enabled.
  for (int round = 0; round < 2; ++round) {
    for (int64_t user = 1; user <= 2; ++user) {
      const auto [row, sequence] = Click(10 * round + user);
      Ask(row, sequence, seconds(60));
    }
  }
  RunFor(seconds(10));
  const DispatcherStats stats = dispatcher_->Stats();
  EXPECT_EQ(stats.workers_hung, stats.runs_hung);
  EXPECT_EQ(stats.workers_usable, std::min<uint64_t>(2, 4 - stats.runs_hung));
  const auto [row, sequence] = Click(99);
  const auto outcome = Ask(row, sequence, milliseconds(30));
  RunFor(milliseconds(30));
  EXPECT_EQ(outcome->sent, 1);
  // All come back, late: everything is as before.
  while (pool_->hung() > 0) pool_->Return();
  RunFor(seconds(120));
  EXPECT_EQ(dispatcher_->Stats().workers_usable, 2U);
  EXPECT_FALSE(dispatcher_->GroupStats()[0].disabled);
}

TEST_F(DispatcherUpkeepTest, ARunOfAHundredTimesItsPredictionIsNotHung) {
  const auto [row, sequence] = Click(1);
  Ask(row, sequence, milliseconds(30));
  dispatcher_->Step();
  RunFor(milliseconds(500));
  pool_->Finish(0, milliseconds(500));
  RunFor(seconds(1));
  EXPECT_EQ(dispatcher_->Stats().runs_hung, 0U);
  EXPECT_EQ(dispatcher_->Stats().rows_computed, 1U);
}

TEST_F(DispatcherUpkeepTest, AGroupThatNobodyAsksForIsProfiledAnew) {
  const auto [row, sequence] = Click(1);
  Ask(row, sequence, milliseconds(30));
  dispatcher_->Step();
  pool_->Finish(0, milliseconds(5));
  dispatcher_->Step();
  const auto finish_all_until = [&](MonoTime until, Duration time) {
    MonoTime next = dispatcher_->Step();
    while (next <= until) {
      clock_.AdvanceTo(next);
      dispatcher_->Step();
      if (pool_->running(0)) pool_->Finish(0, time);
      next = dispatcher_->Step();
    }
    clock_.AdvanceTo(until);
  };
  const MonoTime begin = clock_.Now();
  finish_all_until(begin + seconds(599), milliseconds(20));
  EXPECT_EQ(pool_->started(), 1U);
  // What it costs has changed meanwhile.
  finish_all_until(begin + seconds(660), milliseconds(20));
  EXPECT_EQ(dispatcher_->Stats().reprofiles, 2U);
  EXPECT_EQ(pool_->started(), 3U);
  finish_all_until(begin + seconds(6000), milliseconds(20));
  EXPECT_GE(pool_->started(), 15U);
  EXPECT_LE(pool_->started(), 21U);
  // Believed by and by: there were fifty runs of 5 ms before.
  EXPECT_GT(base::ToMillis(estimator_->Mean({kGroup, 1, 1}, 1)), 14);
}

// A query that leaves 0.5 ms after its time, as a slow send makes it.
void AskAndSendLate(Dispatcher* dispatcher, test::FakeClock* clock,
                    base::RowId row, base::Seq want) {
  schedule::Need need;
  need.row = row;
  need.want = want;
  need.levels.push_back({base::Fidelity::kFull, 1.0, {kGroup, 1, 1}});
  std::unique_ptr<WaitingQuery> query = std::make_unique<test::FakeQuery>(
      clock, clock->Now() + milliseconds(30), std::vector{need},
      std::make_shared<QueryOutcome>(), std::chrono::microseconds(500));
  EXPECT_TRUE(dispatcher->Submit(dispatcher->NewTicket(), std::move(query)));
}

TEST_F(DispatcherUpkeepTest, ALateSendRaisesTheGuardOfItsFlow) {
  const auto [row, sequence] = Click(1);
  AskAndSendLate(dispatcher_.get(), &clock_, row, sequence);
  RunFor(milliseconds(40));
  const Guard::FlowState flow = dispatcher_->guard().States(clock_.Now())[0];
  EXPECT_EQ(flow.answers, 1U);
  EXPECT_GT(flow.overshoot, std::chrono::microseconds(200));
}

TEST_F(DispatcherUpkeepTest, AStopOfTheProcessAnswersAtOnceAndTeachesNothing) {
  std::vector<std::shared_ptr<QueryOutcome>> outcomes;
  for (int64_t user = 1; user <= 40; ++user) {
    // They would have left one after the other, the last just at the end.
    const auto [row, sequence] = Click(user);
    outcomes.push_back(
        Ask(row, sequence, milliseconds(25) + 125 * user * milliseconds(1)));
  }
  dispatcher_->Step();
  const Duration before =
      dispatcher_->guard().States(clock_.Now())[0].overshoot;
  clock_.Advance(seconds(5));
  dispatcher_->Step();
  uint64_t due = 0;
  for (const auto& outcome : outcomes) {
    if (outcome->sent == 0) continue;
    ++due;
    EXPECT_EQ(outcome->sent_at, clock_.Now());
  }
  EXPECT_GE(due, 38U);
  RunFor(seconds(1));
  const Guard::FlowState flow = dispatcher_->guard().States(clock_.Now())[0];
  EXPECT_EQ(flow.overshoot, before);
  EXPECT_EQ(flow.answers, 40U);
  EXPECT_EQ(dispatcher_->Stats().stalls, 1U);
}

// What comes after the stop is guarded, and teaches, as ever.
TEST_F(DispatcherUpkeepTest, AfterAStopTheGuardLearnsAgain) {
  const auto [row, sequence] = Click(1);
  Ask(row, sequence, milliseconds(30));
  dispatcher_->Step();
  clock_.Advance(seconds(5));
  RunFor(milliseconds(10));
  AskAndSendLate(dispatcher_.get(), &clock_, row, sequence);
  RunFor(milliseconds(40));
  const Guard::FlowState flow = dispatcher_->guard().States(clock_.Now())[0];
  EXPECT_GT(flow.overshoot, std::chrono::microseconds(200));
}

TEST_F(DispatcherUpkeepTest, ALongWaitWithNothingToDoIsNoStop) {
  const auto [row, sequence] = Click(1);
  Ask(row, sequence, milliseconds(30));
  RunFor(seconds(100));
  const auto [again, next] = Click(2);
  Ask(again, next, milliseconds(30));
  RunFor(seconds(100));
  EXPECT_EQ(dispatcher_->Stats().stalls, 0U);
}

}  // namespace
}  // namespace freshline::execute
