// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "execute/dispatcher.h"
#include "execute/row_assessor.h"
#include "registry/entity_key.h"
#include "registry/validate.h"
#include "schedule/policies.h"
#include "schedule/recorder.h"
#include "tests/support/fake_execution.h"
#include "tests/support/status_matchers.h"

namespace freshline::execute {

inline constexpr char kDefinitions[] = R"pb(
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

inline constexpr base::GroupId kGroup{0};

// A dispatcher on a fake clock, with the real table, policy and estimator.
class DispatcherTest : public ::testing::Test {
 protected:
  using Duration = base::Duration;
  using MonoTime = base::MonoTime;
  using QueryOutcome = test::QueryOutcome;

  void SetUp() override { Build("slo_aware", 1); }

  // What a fresh estimator knows when a dispatcher begins.
  static std::unique_ptr<estimate::Estimator> SeededEstimator() {
    auto estimator = std::make_unique<estimate::Estimator>();
    for (int i = 0; i < 50; ++i) {
      estimator->Seed({kGroup, 1, 1}, 1, std::chrono::milliseconds(5));
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
    config->background = background_;
    config_ = *config;
    recording_ = schedule::Recording(100'000);
    inner_policy_ = schedule::MakePolicy(config_, estimator_.get(), {{1}});
    policy_ = std::make_unique<schedule::PolicyRecorder>(inner_policy_.get(),
                                                         &recording_);
    policy_->ListenTo(estimator_.get());
    pool_ = std::make_unique<test::FakeWorkerPool>(workers, 1);
    Dispatcher::Options options;
    options.guard.floor = std::chrono::milliseconds(2);
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
                                   {std::chrono::milliseconds(50)}});
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
                                    uint32_t events = 1) {
    schedule::Need need;
    need.row = row;
    need.want = want;
    need.levels.push_back({base::Fidelity::kFull, 1.0, {kGroup, events, 1}});
    auto outcome = std::make_shared<QueryOutcome>();
    std::unique_ptr<WaitingQuery> query = std::make_unique<test::FakeQuery>(
        &clock_, clock_.Now() + budget, std::vector{need}, outcome);
    const base::TicketId id = dispatcher_->NewTicket();
    EXPECT_TRUE(dispatcher_->Submit(id, std::move(query)));
    if (ticket != nullptr) *ticket = id;
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

  bool background_ = false;  // of what is built next
  test::FakeClock clock_;
  test::FakeWaker waker_;
  std::shared_ptr<const registry::Revision> revision_;
  std::unique_ptr<table::Table> table_;
  FunctionSet functions_;
  test::CountingFunction* function_ = nullptr;
  std::unique_ptr<estimate::Estimator> estimator_;
  schedule::PolicyConfig config_;
  std::unique_ptr<schedule::Policy> inner_policy_;
  schedule::Recording recording_{100'000};
  std::unique_ptr<schedule::PolicyRecorder> policy_;
  std::unique_ptr<test::FakeWorkerPool> pool_;
  estimate::InlineCosts costs_{1, std::chrono::milliseconds(5)};
  std::unique_ptr<Dispatcher> dispatcher_;
};

}  // namespace freshline::execute
