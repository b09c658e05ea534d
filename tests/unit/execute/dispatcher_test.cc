// SPDX-License-Identifier: Apache-2.0
#include "execute/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "tests/unit/execute/dispatcher_harness.h"

namespace freshline::execute {
namespace {

using base::Duration;
using base::MonoTime;
using base::Obtained;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::QueryOutcome;

TEST_F(DispatcherTest, SendsTheRefreshedRowAsSoonAsItsJobEnds) {
  const auto [row, sequence] = Click(1);
  const auto outcome = Ask(row, sequence, milliseconds(30));
  dispatcher_->Step();
  ASSERT_TRUE(pool_->running(0));
  EXPECT_EQ(outcome->sent, 0);

  RunFor(milliseconds(4));
  pool_->Finish(0, milliseconds(4));
  dispatcher_->Step();
  EXPECT_EQ(outcome->sent, 1);
  EXPECT_TRUE(outcome->destroyed);
  EXPECT_EQ(outcome->rows[0].how, Obtained::kRefreshed);
  EXPECT_EQ(outcome->rows[0].value, 1);
  EXPECT_GE(outcome->rows[0].as_of, sequence);
  // And the row is in the table.
  table_->Read(row.key, [&](const table::KeyView& key) {
    EXPECT_EQ(key.signals(kGroup).pending, 0U);
    EXPECT_TRUE(key.row(kGroup).exists());
  });
}

TEST_F(DispatcherTest, AnOverrunningJobCostsWorkNeverLateness) {
  const auto [row, sequence] = Click(1);
  const MonoTime begin = clock_.Now();
  const auto outcome = Ask(row, sequence, milliseconds(30));
  dispatcher_->Step();
  ASSERT_TRUE(pool_->running(0));
  RunFor(milliseconds(500));  // a hundred times its prediction

  EXPECT_EQ(outcome->sent, 1);
  EXPECT_EQ(outcome->sent_at, begin + milliseconds(28));
  // There was no row before: the default stands in.
  EXPECT_EQ(outcome->rows[0].how, Obtained::kStaleDeadline);

  // The work is not lost.
  pool_->Finish(0, milliseconds(500));
  dispatcher_->Step();
  table_->Read(row.key, [&](const table::KeyView& key) {
    EXPECT_TRUE(key.row(kGroup).exists());
  });
}

TEST_F(DispatcherTest, OtherQueriesGoOnBesideAHungWorker) {
  Build("slo_aware", 2);
  const auto [stuck, first] = Click(1);
  const auto hung = Ask(stuck, first, milliseconds(30));
  dispatcher_->Step();
  RunFor(milliseconds(100));
  for (int64_t user = 2; user < 6; ++user) {
    const auto [row, sequence] = Click(user);
    const auto outcome = Ask(row, sequence, milliseconds(30));
    dispatcher_->Step();
    // Worker 0 holds the job that never ends.
    ASSERT_TRUE(pool_->running(1));
    RunFor(milliseconds(5));
    pool_->Finish(1, milliseconds(5));
    dispatcher_->Step();
    EXPECT_EQ(outcome->rows[0].how, Obtained::kRefreshed);
  }
  EXPECT_EQ(hung->sent, 1);
}

TEST_F(DispatcherTest, AFailedJobAnswersStaleAndIsCounted) {
  function_->fail_with = absl::InternalError("broken model");
  const auto [row, sequence] = Click(1);
  const auto outcome = Ask(row, sequence, milliseconds(30));
  dispatcher_->Step();
  pool_->Finish(0, milliseconds(1));
  dispatcher_->Step();
  EXPECT_EQ(outcome->sent, 1);
  EXPECT_EQ(outcome->rows[0].how, Obtained::kStaleError);
  RunFor(seconds(1));
  EXPECT_EQ(dispatcher_->Stats().failures, 1U);
}

TEST_F(DispatcherTest, AnEventDuringTheRunMakesTheQueryWaitForTheNextOne) {
  Build("slo_aware", 1);
  const auto [row, first] = Click(1);
  const auto early = Ask(row, first, milliseconds(100));
  dispatcher_->Step();
  ASSERT_TRUE(pool_->running(0));
  const auto [same, second] = Click(1);
  ASSERT_EQ(same, row);
  const auto late = Ask(row, second, milliseconds(100));
  dispatcher_->Step();
  RunFor(milliseconds(5));
  pool_->Finish(0, milliseconds(5));
  dispatcher_->Step();
  EXPECT_EQ(early->sent, 1);
  EXPECT_EQ(early->rows[0].value, 1);
  EXPECT_EQ(late->sent, 0);

  ASSERT_TRUE(pool_->running(0));
  RunFor(milliseconds(5));
  pool_->Finish(0, milliseconds(5));
  dispatcher_->Step();
  EXPECT_EQ(late->sent, 1);
  EXPECT_EQ(late->rows[0].value, 2);
  EXPECT_GE(late->rows[0].as_of, second);
}

TEST_F(DispatcherTest, ARowThatWasRefreshedMeanwhileIsNotComputedAgain) {
  const auto [row, sequence] = Click(1);
  const auto first = Ask(row, sequence, milliseconds(30));
  dispatcher_->Step();
  pool_->Finish(0, milliseconds(5));
  // Submitted while the result was on its way home.
  const auto second = Ask(row, sequence, milliseconds(30));
  dispatcher_->Step();
  EXPECT_EQ(first->rows[0].how, Obtained::kRefreshed);
  EXPECT_EQ(second->rows[0].how, Obtained::kRefreshed);
  EXPECT_EQ(second->rows[0].value, 1);
  EXPECT_EQ(pool_->started(), 1U);
}

TEST_F(DispatcherTest, ABudgetBelowTheGuardIsAnsweredAtOnce) {
  const auto [row, sequence] = Click(1);
  const auto outcome = Ask(row, sequence, milliseconds(1));
  dispatcher_->Step();
  EXPECT_EQ(outcome->sent, 1);
  EXPECT_EQ(outcome->rows[0].how, Obtained::kStaleDeadline);
}

TEST_F(DispatcherTest, ACancelledQueryIsDestroyedUnsent) {
  const auto [row, sequence] = Click(1);
  base::TicketId ticket;
  const auto outcome = Ask(row, sequence, milliseconds(30), &ticket);
  dispatcher_->Step();
  dispatcher_->Cancel(ticket);
  dispatcher_->Step();
  EXPECT_TRUE(outcome->destroyed);
  EXPECT_EQ(outcome->sent, 0);
  // What it started is committed all the same; nothing else happens to it.
  pool_->Finish(0, milliseconds(5));
  RunFor(milliseconds(100));
  dispatcher_->Cancel(ticket);  // long gone
  dispatcher_->Step();
  EXPECT_EQ(dispatcher_->Stats().cancelled, 1U);
}

TEST_F(DispatcherTest, TheLastChangeIsPublishedThoughNothingFollows) {
  const auto [row, sequence] = Click(1);
  Ask(row, sequence, milliseconds(30));
  dispatcher_->Step();
  pool_->Finish(0, milliseconds(5));
  dispatcher_->Step();
  RunFor(seconds(1));  // wakes by itself; nothing comes
  EXPECT_EQ(dispatcher_->Stats().rows_computed, 1U);
  EXPECT_EQ(dispatcher_->Stats().workers_busy, 0U);
  EXPECT_EQ(dispatcher_->Stats().policy.tickets_waiting, 0U);
}

TEST_F(DispatcherTest, AFullInboxGivesTheQueryBack) {
  Build("slo_aware", 1, /*inbox_max=*/4);
  const auto [row, sequence] = Click(1);
  for (int i = 0; i < 4; ++i) Ask(row, sequence, milliseconds(30));
  auto outcome = std::make_shared<QueryOutcome>();
  schedule::Need need;
  need.row = row;
  std::unique_ptr<WaitingQuery> query = std::make_unique<test::FakeQuery>(
      &clock_, clock_.Now() + milliseconds(30), std::vector{need}, outcome);
  EXPECT_FALSE(dispatcher_->Submit(dispatcher_->NewTicket(), std::move(query)));
  ASSERT_NE(query, nullptr);
  EXPECT_FALSE(outcome->destroyed);
}

TEST_F(DispatcherTest, StopRefusesNewQueriesAndSendsTheWaitingOnes) {
  const auto [row, sequence] = Click(1);
  const auto waiting = Ask(row, sequence, milliseconds(30));
  dispatcher_->Step();
  dispatcher_->Stop();
  auto outcome = std::make_shared<QueryOutcome>();
  schedule::Need need;
  need.row = row;
  std::unique_ptr<WaitingQuery> query = std::make_unique<test::FakeQuery>(
      &clock_, clock_.Now() + milliseconds(30), std::vector{need}, outcome);
  EXPECT_FALSE(dispatcher_->Submit(dispatcher_->NewTicket(), std::move(query)));
  EXPECT_EQ(waiting->sent, 0);
  RunFor(milliseconds(30));
  EXPECT_EQ(waiting->sent, 1);
}

TEST_F(DispatcherTest, WhatNeverWasSentIsSentByTheDestructor) {
  const auto [row, sequence] = Click(1);
  const auto queued = Ask(row, sequence, milliseconds(30));
  dispatcher_->Step();
  const auto in_inbox = Ask(row, sequence, milliseconds(30));
  dispatcher_.reset();
  EXPECT_EQ(queued->sent, 1);
  EXPECT_EQ(in_inbox->sent, 1);
}

TEST_F(DispatcherTest, AnEstimateAboveEveryBudgetIsLearnedAnew) {
  for (int i = 0; i < 200; ++i) {
    estimator_->Seed({kGroup, 1, 1}, 1, seconds(10));
  }
  // Queries that no estimate admits: every run that is started ends after
  // 5 ms, so in the end they must be refreshed.
  int refreshed = 0;
  for (int i = 0; i < 600; ++i) {
    const auto [row, sequence] = Click(i);
    const auto outcome = Ask(row, sequence, milliseconds(30));
    dispatcher_->Step();
    if (pool_->running(0)) {
      RunFor(milliseconds(5));
      pool_->Finish(0, milliseconds(5));
    }
    RunFor(milliseconds(45));
    ASSERT_EQ(outcome->sent, 1);
    if (i >= 500 && outcome->rows[0].how == Obtained::kRefreshed) ++refreshed;
  }
  EXPECT_GE(refreshed, 90);
}

// Five times what the one worker can do, all of the same worth.
TEST_F(DispatcherTest, WhatIsShedComesWithThePriceOfWorkerTime) {
  std::vector<std::shared_ptr<QueryOutcome>> asked;
  for (int ms = 1; ms <= 3000; ++ms) {
    const auto [row, sequence] = Click(ms);
    asked.push_back(Ask(row, sequence, milliseconds(20)));
    RunFor(milliseconds(1));
    if (ms % 5 == 0 && pool_->running(0)) pool_->Finish(0, milliseconds(5));
  }
  RunFor(milliseconds(50));
  size_t shed = 0;
  for (size_t i = 2000; i < asked.size(); ++i) {
    const QueryOutcome::Row& row = asked[i]->rows[0];
    if (row.how == Obtained::kRefreshed) {
      EXPECT_EQ(row.price, 0);
    } else if (row.how == Obtained::kStaleShed) {
      ++shed;
      EXPECT_NEAR(row.price, 1.0 / 5, 0.05);  // gain per millisecond
    }
  }
  EXPECT_GT(shed, 500U);
  EXPECT_NEAR(dispatcher_->Stats().policy.price, 1.0 / 5, 0.05);
}

// Random traffic: whatever the workers do, each query is sent exactly once,
// never later than answer_by, and what is called REFRESHED has seen what was
// asked for.
class DispatcherPropertyTest
    : public DispatcherTest,
      public ::testing::WithParamInterface<const char*> {};

TEST_P(DispatcherPropertyTest, EveryQueryIsAnsweredOnceAndInTime) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    Build(GetParam(), 2);
    base::Rng rng(seed);
    struct Asked {
      MonoTime deadline;
      base::Seq want;
      std::shared_ptr<QueryOutcome> outcome;
    };
    std::vector<Asked> asked;
    std::map<uint32_t, MonoTime> running;  // worker → end
    for (int i = 0; i < 400; ++i) {
      const auto [row, sequence] = Click(static_cast<int64_t>(rng.Below(20)));
      const Duration budget = milliseconds(rng.Below(40));
      asked.push_back(
          {clock_.Now() + budget, sequence, Ask(row, sequence, budget)});
      if (rng.Chance(0.3)) {
        dispatcher_->Changed(row, sequence, {1, 1.0, {kGroup, 1, 1}});
      }
      const MonoTime next_arrival =
          clock_.Now() + base::FromMillis(rng.Exponential(3));
      while (clock_.Now() < next_arrival) {
        MonoTime next = std::min(dispatcher_->Step(), next_arrival);
        for (uint32_t w = 0; w < 2; ++w) {
          if (pool_->running(w) && !running.contains(w)) {
            running[w] = clock_.Now() + base::FromMillis(rng.LogNormal(1, 1));
          }
          if (running.contains(w)) next = std::min(next, running[w]);
        }
        clock_.AdvanceTo(next);
        for (uint32_t w = 0; w < 2; ++w) {
          if (running.contains(w) && running[w] <= clock_.Now()) {
            function_->fail_with = rng.Chance(0.05)
                                       ? absl::InternalError("chance")
                                       : absl::OkStatus();
            pool_->Finish(w, milliseconds(3));
            running.erase(w);
          }
        }
      }
    }
    RunFor(milliseconds(100));
    for (const Asked& a : asked) {
      ASSERT_EQ(a.outcome->sent, 1);
      ASSERT_LE(a.outcome->sent_at, a.deadline);
      if (a.outcome->rows[0].how == Obtained::kRefreshed) {
        ASSERT_GE(a.outcome->rows[0].as_of, a.want);
      }
    }
    // The policy is pure: what it decided beside workers, a table and a clock,
    // it decides again from its inputs alone.
    const std::unique_ptr<estimate::Estimator> estimator = SeededEstimator();
    const auto policy = schedule::MakePolicy(config_, estimator.get(), {{1}});
    const schedule::ReplayResult replayed =
        schedule::Replay(recording_, policy.get(), estimator.get());
    ASSERT_FALSE(replayed.differs_at.has_value()) << replayed.difference;
    ASSERT_GT(replayed.calls, 400U);  // one for each query at least
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, DispatcherPropertyTest,
                         ::testing::Values("slo_aware", "edf", "fifo",
                                           "stale_then_refresh", "eager_fifo"),
                         [](const auto& param) {
                           return std::string(param.param);
                         });

// 200 needs arrive in slices of 64: what came meanwhile is not kept waiting,
// and the answer leaves once, when the last slice is settled.
TEST_F(DispatcherTest, AQueryOfManyRowsArrivesInSlices) {
  std::vector<schedule::Need> needs;
  for (int64_t user = 0; user < 200; ++user) {
    const auto [row, sequence] = Click(user);
    schedule::Need need;
    need.row = row;
    need.want = sequence;
    need.levels.push_back({base::Fidelity::kFull, 1.0, {kGroup, 1, 1}});
    needs.push_back(need);
  }
  std::sort(needs.begin(), needs.end(),
            [](const auto& a, const auto& b) { return a.row < b.row; });
  auto outcome = std::make_shared<QueryOutcome>();
  std::unique_ptr<WaitingQuery> query = std::make_unique<test::FakeQuery>(
      &clock_, clock_.Now() + milliseconds(500), needs, outcome);
  ASSERT_TRUE(dispatcher_->Submit(dispatcher_->NewTicket(), std::move(query)));
  EXPECT_LE(dispatcher_->Step(), clock_.Now());  // there is more to come
  RunFor(milliseconds(500));
  EXPECT_EQ(outcome->sent, 1);
  for (const QueryOutcome::Row& row : outcome->rows) {
    EXPECT_NE(row.how, Obtained::kUnset);
  }
}

TEST_F(DispatcherTest, AQueryOfManyRowsThatIsCancelledWaitsNoMore) {
  std::vector<schedule::Need> needs;
  for (int64_t user = 0; user < 200; ++user) {
    const auto [row, sequence] = Click(user);
    schedule::Need need;
    need.row = row;
    need.want = sequence;
    need.levels.push_back({base::Fidelity::kFull, 1.0, {kGroup, 1, 1}});
    needs.push_back(need);
  }
  std::sort(needs.begin(), needs.end(),
            [](const auto& a, const auto& b) { return a.row < b.row; });
  auto outcome = std::make_shared<QueryOutcome>();
  std::unique_ptr<WaitingQuery> query = std::make_unique<test::FakeQuery>(
      &clock_, clock_.Now() + milliseconds(500), needs, outcome);
  const base::TicketId ticket = dispatcher_->NewTicket();
  ASSERT_TRUE(dispatcher_->Submit(ticket, std::move(query)));
  dispatcher_->Step();
  dispatcher_->Cancel(ticket);
  RunFor(milliseconds(400));
  EXPECT_TRUE(outcome->destroyed);
  EXPECT_EQ(outcome->sent, 0);
  EXPECT_EQ(dispatcher_->Stats().policy.tickets_waiting, 0U);
  EXPECT_EQ(dispatcher_->Stats().cancelled, 1U);
}

}  // namespace
}  // namespace freshline::execute
