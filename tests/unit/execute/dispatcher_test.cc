// SPDX-License-Identifier: Apache-2.0
#include "execute/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "execute/row_assessor.h"
#include "registry/entity_key.h"
#include "registry/validate.h"
#include "schedule/policies.h"
#include "schedule/recorder.h"
#include "tests/support/fake_execution.h"
#include "tests/support/status_matchers.h"

namespace freshline::execute {
namespace {

using base::Duration;
using base::MonoTime;
using base::Obtained;
using std::chrono::milliseconds;
using std::chrono::seconds;
using test::QueryOutcome;

constexpr char kDefinitions[] = R"pb(
  entity {
    name: "user"
    key { name: "user_id" type: INT64 }
  }
  source {
    name: "clicks"
    entity: "user"
    column { name: "item" type: INT64 }
    retention: "30d"
  }
  feature_group {
    name: "clicks_seen"
    source: "clicks"
    placement: SCHEDULED
    feature {
      name: "n"
      type { scalar: INT64 }
      aggregate { fn: COUNT over: "1d" }
    }
  }
)pb";

constexpr base::GroupId kGroup{0};

// A dispatcher on a fake clock, with the real table, policy and estimator.
class DispatcherTest : public ::testing::Test {
 protected:
  void SetUp() override { Build("slo_aware", 1); }

  // What a fresh estimator knows when a dispatcher begins.
  static std::unique_ptr<estimate::Estimator> SeededEstimator() {
    auto estimator = std::make_unique<estimate::Estimator>();
    for (int i = 0; i < 50; ++i) {
      estimator->Seed({kGroup, 1, 1}, 1, milliseconds(5));
    }
    return estimator;
  }

  void Build(absl::string_view policy_name, uint32_t workers,
             size_t inbox_max = 1000) {
    dispatcher_.reset();
    auto revision = registry::ParseDefinitions(kDefinitions, "test");
    ASSERT_THAT(revision, test::IsOk());
    revision_ = *revision;
    table_ = std::make_unique<table::Table>(revision_, table::TableOptions{});
    functions_.clear();
    auto function = std::make_unique<test::CountingFunction>(
        revision_->group(kGroup), false);
    function_ = function.get();
    functions_.push_back(std::move(function));
    estimator_ = SeededEstimator();
    auto config = schedule::FindPolicy(policy_name);
    ASSERT_THAT(config, test::IsOk());
    config->background = false;
    config_ = *config;
    inner_policy_ = schedule::MakePolicy(config_, estimator_.get(), {{1}});
    policy_ = std::make_unique<schedule::PolicyRecorder>(inner_policy_.get(),
                                                         100'000);
    policy_->ListenTo(estimator_.get());
    pool_ = std::make_unique<test::FakeWorkerPool>(workers, 1);
    Dispatcher::Options options;
    options.guard.floor = milliseconds(2);
    options.inbox_max = inbox_max;
    dispatcher_ = std::make_unique<Dispatcher>(
        options, Dispatcher::Rooms{&clock_,
                                   &waker_,
                                   table_.get(),
                                   &functions_,
                                   estimator_.get(),
                                   policy_.get(),
                                   pool_.get(),
                                   &costs_,
                                   {0},
                                   {milliseconds(50)}});
  }

  // Appends one click of a user; returns its row and sequence.
  std::pair<base::RowId, base::Seq> Click(int64_t user) {
    registry::EntityKeyBuilder key;
    key.AddInt64(user);
    const table::Cell cell = int64_t{7};
    const auto appended =
        table_->Append(0, key.bytes(), {clock_.WallNowMicros(), {&cell, 1}},
                       clock_.WallNowMicros());
    EXPECT_EQ(appended.result, table::AppendResult::kAccepted);
    return {{appended.key, kGroup}, appended.sequence};
  }

  std::shared_ptr<QueryOutcome> Ask(base::RowId row, base::Seq want,
                                    Duration budget,
                                    base::TicketId* ticket = nullptr,
                                    std::optional<int64_t> overhead_us = {}) {
    schedule::Need need;
    need.row = row;
    need.want = want;
    need.levels.push_back({base::Fidelity::kFull, 1.0, {kGroup, 1, 1}});
    auto outcome = std::make_shared<QueryOutcome>();
    std::unique_ptr<WaitingQuery> query = std::make_unique<test::FakeQuery>(
        &clock_, clock_.Now() + budget, std::vector{need}, outcome,
        Duration::zero(), overhead_us);
    const auto id = dispatcher_->Submit(std::move(query));
    EXPECT_TRUE(id.has_value());
    if (ticket != nullptr && id.has_value()) *ticket = *id;
    return outcome;
  }

  // Steps at every wake-up until `until`.
  void RunUntil(MonoTime until) {
    MonoTime next = dispatcher_->Step();
    while (next <= until) {
      clock_.AdvanceTo(next);
      next = dispatcher_->Step();
    }
    clock_.AdvanceTo(until);
    dispatcher_->Step();
  }
  void RunFor(Duration d) { RunUntil(clock_.Now() + d); }

  test::FakeClock clock_;
  test::FakeWaker waker_;
  std::shared_ptr<const registry::Revision> revision_;
  std::unique_ptr<table::Table> table_;
  FunctionSet functions_;
  test::CountingFunction* function_ = nullptr;
  std::unique_ptr<estimate::Estimator> estimator_;
  schedule::PolicyConfig config_;
  std::unique_ptr<schedule::Policy> inner_policy_;
  std::unique_ptr<schedule::PolicyRecorder> policy_;
  std::unique_ptr<test::FakeWorkerPool> pool_;
  InlineCosts costs_{1, milliseconds(5)};
  std::unique_ptr<Dispatcher> dispatcher_;
};

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
  EXPECT_FALSE(dispatcher_->Submit(std::move(query)).has_value());
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
  EXPECT_FALSE(dispatcher_->Submit(std::move(query)).has_value());
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

TEST_F(DispatcherTest, AHungRunIsGivenUpAndASpareTakesItsPlace) {
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

TEST_F(DispatcherTest, TheGroupThatTookTheLastSpareIsDisabledUntilOneReturns) {
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

TEST_F(DispatcherTest, WithoutAnySpareEverythingIsAnsweredStale) {
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

TEST_F(DispatcherTest, ARunOfAHundredTimesItsPredictionIsNotHung) {
  const auto [row, sequence] = Click(1);
  Ask(row, sequence, milliseconds(30));
  dispatcher_->Step();
  RunFor(milliseconds(500));
  pool_->Finish(0, milliseconds(500));
  RunFor(seconds(1));
  EXPECT_EQ(dispatcher_->Stats().runs_hung, 0U);
  EXPECT_EQ(dispatcher_->Stats().rows_computed, 1U);
}

TEST_F(DispatcherTest, AGroupThatNobodyAsksForIsProfiledAnew) {
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

TEST_F(DispatcherTest, ReportsOfCallersMoveTheGuard) {
  const auto [row, sequence] = Click(1);
  EXPECT_EQ(dispatcher_->guard(base::FlowId{0}), milliseconds(2));
  for (int i = 0; i < 200; ++i) {
    Ask(row, sequence, milliseconds(1), nullptr, int64_t{4000});
    Ask(row, sequence, milliseconds(1), nullptr, int64_t{-7});
    dispatcher_->Step();
  }
  EXPECT_GT(dispatcher_->guard(base::FlowId{0}), milliseconds(4));
  EXPECT_LT(dispatcher_->guard(base::FlowId{0}), milliseconds(5));
  RunFor(seconds(1));
  const Guard::FlowState flow = dispatcher_->FlowStats()[0];
  EXPECT_EQ(flow.overhead_reports, 200U);
  EXPECT_EQ(flow.overhead_implausible, 200U);
  EXPECT_EQ(flow.answers, 400U);
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
        schedule::Replay(policy_->recording(), policy.get(), estimator.get());
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

}  // namespace
}  // namespace freshline::execute
