// SPDX-License-Identifier: Apache-2.0
#include "serve/feature_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "featurize/aggregate/aggregate.h"
#include "registry/validate.h"
#include "schedule/policies.h"
#include "serve/change_router.h"
#include "tests/support/fake_execution.h"
#include "tests/support/status_matchers.h"

namespace freshline::serve {
namespace {

using base::Obtained;
using ingest::ColumnInput;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Optional;

constexpr char kDefinitions[] = R"pb(
  entity {
    name: "user"
    key { name: "user_id" type: INT64 }
  }
  entity {
    name: "item"
    key { name: "item_id" type: INT64 }
  }
  source {
    name: "clicks"
    entity: "user"
    column { name: "item" type: INT64 }
    retention: "30d"
  }
  source {
    name: "prices"
    entity: "item"
    column { name: "price" type: FLOAT64 }
    retention: "30d"
  }
  feature_group {
    name: "slow"
    source: "clicks"
    placement: SCHEDULED
    max_age: "1h"
    feature {
      name: "n"
      type { scalar: INT64 }
      default { int64: -1 }
      aggregate { fn: COUNT over: "1d" }
    }
  }
  feature_group {
    name: "quick"
    source: "clicks"
    feature {
      name: "n"
      type { scalar: INT64 }
      aggregate { fn: COUNT over: "1d" }
    }
  }
  feature_group {
    name: "price"
    source: "prices"
    feature {
      name: "last"
      type { scalar: FLOAT64 }
      aggregate { fn: LAST column: "price" over: "1d" }
    }
  }
  feature_service { name: "slow_only" feature: "slow:n" slo: "30ms" }
  feature_service { name: "quick_only" feature: "quick:n" slo: "30ms" }
  feature_service {
    name: "rank"
    feature: "quick:n"
    feature: "price:last"
    slo: "30ms"
  }
)pb";

// Keeps a copy of what came.
class Outcome final : public Completion {
 public:
  void OnEvents(const ingest::PreparedEvents&,
                std::span<const ingest::EventResult> results) override {
    events.assign(results.begin(), results.end());
  }
  void OnAnswer(const Answer& given) override {
    ASSERT_FALSE(answer.has_value() || error.has_value());
    answer.emplace(given);
  }
  void OnError(const absl::Status& status) override {
    ASSERT_FALSE(answer.has_value() || error.has_value());
    error = status;
  }
  // INT64 feature 0 of group g.
  int64_t Int(size_t g, uint32_t row = 0) const {
    return registry::RowView(answer->group(g).layout, answer->bytes(g, row))
        .Int64(0);
  }
  Obtained How(size_t g, uint32_t row = 0) const {
    return answer->freshness(g, row).obtained;
  }
  bool OnWaiting(base::TicketId under) override {
    ticket = under;
    return wanted;
  }
  bool wanted = true;
  std::optional<base::TicketId> ticket;
  std::vector<ingest::EventResult> events;
  std::optional<Answer> answer;
  std::optional<absl::Status> error;
};

class FeatureServerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto revision = registry::ParseDefinitions(kDefinitions, "test");
    ASSERT_THAT(revision, test::IsOk());
    revision_ = *revision;
    table_ = std::make_unique<table::Table>(revision_, table::TableOptions{});
    auto slow = std::make_unique<test::CountingFunction>(
        revision_->groups()[0], /*always_inline=*/false);
    slow_ = slow.get();
    functions_.push_back(std::move(slow));
    for (size_t g = 1; g < 3; ++g) {
      const registry::FeatureGroup& group = revision_->groups()[g];
      functions_.push_back(std::make_unique<featurize::AggregateFunction>(
          group, revision_->sources()[group.source]));
    }
    metrics_ = *staleness::MakeMetrics(*revision_, "");
    scratch_ = std::make_unique<execute::ScratchPool>(functions_);
    policy_ = schedule::MakePolicy(*schedule::FindPolicy("slo_aware"),
                                   &estimator_, {});
    router_ = std::make_unique<ChangeRouter>(ChangeRouter::Rooms{
        &clock_, revision_, table_.get(), &functions_, &metrics_,
        scratch_.get(), &costs_, microseconds(200)});
    ingest_ = std::make_unique<ingest::EventIngest>(
        revision_, table_.get(), &clock_, ingest::EventIngest::Options{},
        router_.get());
    for (int i = 0; i < 50; ++i) {
      estimator_.Seed({base::GroupId{0}, 1, 1}, 1, milliseconds(3));
    }
    dispatcher_ = std::make_unique<execute::Dispatcher>(
        execute::Dispatcher::Options{},
        execute::Dispatcher::Rooms{&clock_,
                                   &waker_,
                                   table_.get(),
                                   &functions_,
                                   &estimator_,
                                   policy_.get(),
                                   &pool_,
                                   &costs_,
                                   {0, 0, 1},
                                   {milliseconds(30), milliseconds(30)}});
    outcomes_ = std::make_unique<outcome::OutcomeBook>(
        outcome::OutcomeOptions{},
        outcome::OutcomeBook::Rooms{&clock_, revision_, table_.get(),
                                    &metrics_});
    MakeServer();
  }

  void MakeServer() {
    server_ = std::make_unique<FeatureServer>(
        FeatureServer::Options{/*rows_max=*/100, microseconds(200)},
        FeatureServer::Rooms{.clock = &clock_,
                             .revision = revision_,
                             .table = table_.get(),
                             .ingest = ingest_.get(),
                             .metrics = &metrics_,
                             .full = {&functions_, scratch_.get(), &costs_},
                             .approximate = approximate_,
                             .dispatcher = dispatcher_.get(),
                             .fan_out = &fan_out_,
                             .outcomes = outcomes_.get()});
  }

  // A query of `service` about user 7, that carries a click of the first user
  // unless told not to.
  struct Ask {
    std::string service = "slow_only";
    bool click = true;
    std::optional<int64_t> budget_us = {};
    std::optional<uint32_t> max_pending = {};
    base::MonoTime caller_deadline = base::kInfiniteFuture;
    std::vector<int64_t> users = {7};
    std::vector<int64_t> items = {};
    std::string request_id = {};
    base::Duration waited = {};  // before the poller turned to it
    std::optional<int64_t> overhead_us = {};
  };
  std::optional<base::TicketId> Get(const Ask& ask, Outcome* outcome) {
    auto plan = server_->Resolve(ask.service, {});
    EXPECT_THAT(plan, test::IsOk());
    std::vector<ColumnInput> entities = {
        {"user_id", registry::Scalar::kInt64, std::span(ask.users), {}}};
    if (!ask.items.empty()) {
      entities.push_back(
          {"item_id", registry::Scalar::kInt64, std::span(ask.items), {}});
    }
    const std::vector<int64_t> item = {3};
    const std::vector<int64_t> user = {ask.users.empty() ? 7 : ask.users[0]};
    const std::vector<int64_t> time = {clock_.WallNowMicros()};
    const std::vector<ColumnInput> columns = {
        {"user_id", registry::Scalar::kInt64, std::span(user), {}},
        {"item", registry::Scalar::kInt64, std::span(item), {}}};
    std::vector<ingest::DecodedBatch> events;
    if (ask.click) events.push_back({"clicks", columns, time, "", {}});
    Query query;
    query.plan = *plan;
    query.entities = entities;
    query.events = events;
    query.received = clock_.Now() - ask.waited;
    query.caller = 7;
    query.overhead_us = ask.overhead_us;
    query.caller_deadline = ask.caller_deadline;
    query.budget_us = ask.budget_us;
    query.max_pending = ask.max_pending;
    query.request_id = ask.request_id;
    server_->Get(query, outcome);
    if (fan_out_at_once_) fan_out_.RunAll();
    return outcome->ticket;
  }

  // A click of each user, and the users.
  std::vector<int64_t> Users(int64_t n) {
    std::vector<int64_t> users;
    for (int64_t user = 1000; user < 1000 + n; ++user) users.push_back(user);
    const std::vector<int64_t> item(users.size(), 3);
    const std::vector<int64_t> time(users.size(), clock_.WallNowMicros());
    const std::vector<ColumnInput> columns = {
        {"user_id", registry::Scalar::kInt64, std::span(users), {}},
        {"item", registry::Scalar::kInt64, std::span(item), {}}};
    const std::vector<ingest::DecodedBatch> batch = {
        {"clicks", columns, time, "", {}}};
    auto prepared = ingest_->Prepare(batch, "events");
    EXPECT_THAT(prepared, test::IsOk());
    ingest_->Apply(*prepared);
    return users;
  }

  // From now on stale rows of "slow" are approximated.
  void Approximate() {
    approximations_.push_back(std::make_unique<test::CountingFunction>(
        revision_->groups()[0], /*always_inline=*/false));
    approximations_.resize(3);
    approximate_scratch_ =
        std::make_unique<execute::ScratchPool>(approximations_);
    approximate_ = {&approximations_, approximate_scratch_.get(),
                    &approximate_costs_};
    MakeServer();
  }

  void RunFor(base::Duration d) {
    const base::MonoTime until = clock_.Now() + d;
    base::MonoTime next = dispatcher_->Step();
    while (next <= until) {
      clock_.AdvanceTo(next);
      next = dispatcher_->Step();
    }
    clock_.AdvanceTo(until);
  }

  test::FakeClock clock_;
  test::FakeWaker waker_;
  std::shared_ptr<const registry::Revision> revision_;
  std::unique_ptr<table::Table> table_;
  execute::FunctionSet functions_;
  test::CountingFunction* slow_ = nullptr;
  staleness::MetricSet metrics_;
  std::unique_ptr<execute::ScratchPool> scratch_;
  estimate::InlineCosts costs_{3, microseconds(10)};
  estimate::Estimator estimator_;
  std::unique_ptr<schedule::Policy> policy_;
  std::unique_ptr<ChangeRouter> router_;
  std::unique_ptr<ingest::EventIngest> ingest_;
  test::FakeWorkerPool pool_{1, 1};
  std::unique_ptr<execute::Dispatcher> dispatcher_;
  execute::FunctionSet approximations_;
  std::unique_ptr<execute::ScratchPool> approximate_scratch_;
  estimate::InlineCosts approximate_costs_{3, microseconds(10)};
  std::unique_ptr<outcome::OutcomeBook> outcomes_;
  std::optional<InlineComputer> approximate_;
  test::FakeFanOut fan_out_;
  bool fan_out_at_once_ = true;
  std::unique_ptr<FeatureServer> server_;
};

TEST_F(FeatureServerTest, TheClickThatCameWithTheQueryIsInTheAnswer) {
  Outcome outcome;
  EXPECT_TRUE(Get({}, &outcome).has_value());
  EXPECT_EQ(outcome.events.size(), 1U);
  EXPECT_FALSE(outcome.answer.has_value());
  dispatcher_->Step();
  ASSERT_TRUE(pool_.running(0));
  pool_.Finish(0, milliseconds(3));
  dispatcher_->Step();
  ASSERT_TRUE(outcome.answer.has_value());
  EXPECT_EQ(outcome.How(0), Obtained::kRefreshed);
  EXPECT_EQ(outcome.Int(0), 1);
  EXPECT_GE(outcome.answer->freshness(0, 0).as_of.sequence,
            outcome.events[0].sequence);
  EXPECT_EQ(outcome.answer->freshness(0, 0).pending, 0U);
  EXPECT_EQ(server_->Counters().answered, 1U);

  // Nothing happened since: fresh, at once.
  Outcome again;
  EXPECT_FALSE(Get({.click = false}, &again).has_value());
  ASSERT_TRUE(again.answer.has_value());
  EXPECT_EQ(again.How(0), Obtained::kAlreadyFresh);
  EXPECT_EQ(again.Int(0), 1);
}

TEST_F(FeatureServerTest, AColdRowFallsBackToTheDefaultAtItsDeadline) {
  Outcome outcome;
  Get({}, &outcome);
  RunFor(milliseconds(30));
  ASSERT_TRUE(outcome.answer.has_value());
  EXPECT_EQ(outcome.How(0), Obtained::kDefaultCold);
  EXPECT_EQ(outcome.Int(0), -1);
  const registry::RowView row(outcome.answer->group(0).layout,
                              outcome.answer->bytes(0, 0));
  EXPECT_EQ(row.status(0), registry::ValueStatus::kDefaulted);
}

TEST_F(FeatureServerTest, AStaleRowComesWithItsPendingEvents) {
  Outcome first;
  Get({}, &first);
  dispatcher_->Step();
  pool_.Finish(0, milliseconds(3));
  dispatcher_->Step();
  Outcome second;
  Get({}, &second);
  RunFor(milliseconds(30));  // its job never ends
  ASSERT_TRUE(second.answer.has_value());
  EXPECT_EQ(second.How(0), Obtained::kStaleDeadline);
  EXPECT_EQ(second.Int(0), 1);
  EXPECT_EQ(second.answer->freshness(0, 0).pending, 1U);
}

// One answer with a fresh row and one with a row that misses a click.
TEST_F(FeatureServerTest, OutcomesFindTheRowsThatWereAnswered) {
  Outcome fresh;
  Get({.request_id = "fresh"}, &fresh);
  dispatcher_->Step();
  pool_.Finish(0, milliseconds(3));
  dispatcher_->Step();
  Outcome stale;
  Get({.request_id = "stale"}, &stale);
  RunFor(milliseconds(30));  // its job never ends
  ASSERT_EQ(stale.How(0), Obtained::kStaleDeadline);
  Outcome nameless;
  Get({.click = false, .budget_us = 0}, &nameless);
  EXPECT_EQ(outcomes_->Counters().answers, 2U);

  const std::vector<int64_t> user = {7};
  const ColumnInput column = {
      "user_id", registry::Scalar::kInt64, std::span(user), {}};
  const std::vector<absl::string_view> ids = {"fresh", "stale", "never"};
  const std::vector<double> losses = {0.25, 0.75, 1};
  const auto statuses =
      outcomes_->Report({"slow_only", {&column, 1}, ids, losses});
  ASSERT_THAT(statuses, test::IsOk());
  EXPECT_THAT(*statuses,
              ::testing::ElementsAre(outcome::OutcomeStatus::kAccepted,
                                     outcome::OutcomeStatus::kAccepted,
                                     outcome::OutcomeStatus::kUnknown));
  const outcome::GroupOutcomes slow = outcomes_->Groups()[0];
  EXPECT_EQ(slow.fresh.loss, 0.25);
  EXPECT_EQ(slow.stale.loss, 0.75);
}

TEST_F(FeatureServerTest, WhatIsNotRefreshedIsApproximated) {
  Approximate();
  Outcome outcome;
  Get({}, &outcome);
  RunFor(milliseconds(30));  // its job never ends
  ASSERT_TRUE(outcome.answer.has_value());
  EXPECT_EQ(outcome.How(0), Obtained::kApproximated);
  EXPECT_EQ(outcome.Int(0), 1);
  const RowFreshness& freshness = outcome.answer->freshness(0, 0);
  EXPECT_EQ(freshness.fidelity, base::Fidelity::kApproximate);
  EXPECT_EQ(freshness.pending, 1U);
  EXPECT_GE(freshness.as_of.sequence, outcome.events[0].sequence);
  EXPECT_EQ(server_->Counters()
                .rows_by_obtained[static_cast<size_t>(Obtained::kApproximated)],
            1U);
  // It is nobody's stored row.
  Outcome stored;
  Get({.click = false, .budget_us = 0}, &stored);
  EXPECT_EQ(stored.How(0), Obtained::kDefaultCold);
}

// Three times what the one worker can do.
TEST_F(FeatureServerTest, AnAnswerThatWasDeniedARefreshTellsThePrice) {
  std::vector<Outcome> outcomes(1500);
  for (size_t ms = 0; ms < outcomes.size(); ++ms) {
    Get({.users = {static_cast<int64_t>(ms)}}, &outcomes[ms]);
    RunFor(milliseconds(1));
    if (ms % 3 == 0 && pool_.running(0)) pool_.Finish(0, milliseconds(3));
  }
  RunFor(milliseconds(50));
  size_t priced = 0;
  for (const Outcome& outcome : outcomes) {
    ASSERT_TRUE(outcome.answer.has_value());
    const double price = outcome.answer->price();
    if (outcome.How(0) == Obtained::kRefreshed) {
      EXPECT_EQ(price, 0);
    } else if (price > 0) {
      ++priced;
      EXPECT_NEAR(price, 1.0 / 3, 0.1);  // a cold row gains 1 in 3 ms
    }
  }
  EXPECT_GT(priced, 200U);
}

TEST_F(FeatureServerTest, ARefreshInTimeReplacesTheApproximation) {
  Approximate();
  Outcome outcome;
  Get({}, &outcome);
  dispatcher_->Step();
  pool_.Finish(0, milliseconds(3));
  dispatcher_->Step();
  ASSERT_TRUE(outcome.answer.has_value());
  EXPECT_EQ(outcome.How(0), Obtained::kRefreshed);
  EXPECT_EQ(outcome.answer->freshness(0, 0).fidelity, base::Fidelity::kFull);
  EXPECT_EQ(outcome.answer->freshness(0, 0).pending, 0U);
}

TEST_F(FeatureServerTest, AnApproximationThatCostsTooMuchIsNotComputed) {
  Approximate();
  approximate_costs_.Set(base::GroupId{0}, 1, microseconds(201));
  Outcome outcome;
  Get({}, &outcome);
  RunFor(milliseconds(30));
  ASSERT_TRUE(outcome.answer.has_value());
  EXPECT_EQ(outcome.How(0), Obtained::kDefaultCold);
}

TEST_F(FeatureServerTest, ABudgetOfZeroAsksForTheStoredAnswer) {
  Outcome outcome;
  EXPECT_FALSE(Get({.budget_us = 0}, &outcome).has_value());
  ASSERT_TRUE(outcome.answer.has_value());
  EXPECT_EQ(outcome.How(0), Obtained::kDefaultCold);
  EXPECT_EQ(outcome.events.size(), 1U);
}

TEST_F(FeatureServerTest, ANegativeBudgetIsRefusedAndAppliesNothing) {
  Outcome outcome;
  Get({.budget_us = -5}, &outcome);
  EXPECT_THAT(*outcome.error,
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             HasSubstr("budget_us: -5 is negative")));
  EXPECT_TRUE(outcome.events.empty());
  EXPECT_EQ(table_->newest_sequence(), 0U);
}

TEST_F(FeatureServerTest, AHugeBudgetIsCutToTheServicesMaximum) {
  Outcome outcome;
  Get({.budget_us = INT64_MAX}, &outcome);
  RunFor(milliseconds(299));  // ten times the SLO, less the guard
  EXPECT_TRUE(outcome.answer.has_value());
}

TEST_F(FeatureServerTest, TimeCountsFromArrival) {
  Outcome soon;
  Get({.waited = milliseconds(20)}, &soon);
  EXPECT_FALSE(soon.answer.has_value());
  RunFor(milliseconds(6));  // of the 10 that are left
  EXPECT_TRUE(soon.answer.has_value());
  EXPECT_EQ(server_->Counters().late, 0U);
  Outcome late;
  EXPECT_FALSE(Get({.waited = milliseconds(31)}, &late).has_value());
  ASSERT_TRUE(late.answer.has_value());
  EXPECT_EQ(late.events.size(), 1U);
  EXPECT_EQ(server_->Counters().late, 1U);
  Outcome stored;
  Get({.budget_us = 0, .waited = milliseconds(1)}, &stored);
  EXPECT_EQ(server_->Counters().late, 1U);
}

TEST_F(FeatureServerTest, EveryQuerysReportIsTaken) {
  Outcome waits;
  Get({.overhead_us = 700}, &waits);
  Outcome stored;
  Get({.budget_us = 0, .overhead_us = 800}, &stored);
  Outcome bad;
  Get({.budget_us = 5000, .overhead_us = 30'001}, &bad);
  const auto state = dispatcher_->guard().States(clock_.Now())[0];
  EXPECT_EQ(state.overhead_reports, 2U);
  EXPECT_EQ(state.overhead_implausible, 1U);
  RunFor(milliseconds(30));
}

TEST_F(FeatureServerTest, APastDeadlineIsAnErrorButKeepsTheEvents) {
  Outcome outcome;
  Get({.caller_deadline = clock_.Now() - milliseconds(1)}, &outcome);
  EXPECT_THAT(*outcome.error,
              test::StatusIs(absl::StatusCode::kDeadlineExceeded,
                             HasSubstr("events were applied")));
  EXPECT_EQ(table_->newest_sequence(), 1U);
}

TEST_F(FeatureServerTest, AnAcceptableRowIsAnsweredWithoutWork) {
  Outcome first;
  Get({}, &first);
  dispatcher_->Step();
  pool_.Finish(0, milliseconds(3));
  dispatcher_->Step();
  Outcome second;
  EXPECT_FALSE(Get({.max_pending = 1}, &second).has_value());
  ASSERT_TRUE(second.answer.has_value());
  EXPECT_EQ(second.answer->freshness(0, 0).pending, 1U);
  Outcome third;  // two are pending now
  EXPECT_TRUE(Get({.max_pending = 1}, &third).has_value());
  RunFor(milliseconds(30));
  EXPECT_TRUE(third.answer.has_value());
}

TEST_F(FeatureServerTest, ARowBeyondItsMaxAgeIsStaleAndSaysSo) {
  Outcome first;
  Get({}, &first);
  dispatcher_->Step();
  pool_.Finish(0, milliseconds(3));
  dispatcher_->Step();
  clock_.Advance(std::chrono::hours(2));
  Outcome second;
  EXPECT_TRUE(Get({.click = false}, &second).has_value());
  RunFor(milliseconds(30));
  ASSERT_TRUE(second.answer.has_value());
  EXPECT_TRUE(second.answer->freshness(0, 0).outside_max_age);
  EXPECT_EQ(second.answer->freshness(0, 0).pending, 0U);

  // The refresh that it started makes the next one fresh, though no event
  // came in between.
  ASSERT_TRUE(pool_.running(0));
  pool_.Finish(0, milliseconds(3));
  dispatcher_->Step();
  Outcome third;
  EXPECT_FALSE(Get({.click = false}, &third).has_value());
  ASSERT_TRUE(third.answer.has_value());
  EXPECT_EQ(third.How(0), Obtained::kAlreadyFresh);
}

TEST_F(FeatureServerTest, RanksManyItemsForOneUser) {
  const std::vector<int64_t> item = {1, 2};
  const std::vector<double> price = {1.5, 2.5};
  const std::vector<int64_t> time(2, clock_.WallNowMicros());
  const std::vector<ColumnInput> columns = {
      {"item_id", registry::Scalar::kInt64, std::span(item), {}},
      {"price", registry::Scalar::kFloat64, std::span(price), {}}};
  const std::vector<ingest::DecodedBatch> batch = {
      {"prices", columns, time, "", {}}};
  auto prepared = ingest_->Prepare(batch, "events");
  ASSERT_THAT(prepared, test::IsOk());
  ingest_->Apply(*prepared);

  Outcome outcome;
  Get({.service = "rank", .items = {2, 1, 9}}, &outcome);
  ASSERT_TRUE(outcome.answer.has_value());
  EXPECT_EQ(outcome.answer->rows(), 3U);
  EXPECT_EQ(outcome.answer->rows(0), 1U);  // the user's, shared
  EXPECT_EQ(outcome.answer->rows(1), 3U);
  EXPECT_EQ(outcome.Int(0), 1);
  EXPECT_EQ(outcome.How(0), Obtained::kComputedInline);
  const registry::RowView second(outcome.answer->group(1).layout,
                                 outcome.answer->bytes(1, 1));
  EXPECT_EQ(second.Float64(0), 1.5);
  EXPECT_EQ(outcome.How(1, 2), Obtained::kDefaultCold);
}

// 100 rows of a predicted 150 us each are more than the caller's thread may do.
TEST_F(FeatureServerTest, CheapRowsBeyondTheCallersThreadAreFannedOut) {
  const std::vector<int64_t> users = Users(100);
  costs_.Set(base::GroupId{1}, 1, microseconds(150));
  Outcome outcome;
  Get({.service = "quick_only", .click = false, .users = users}, &outcome);
  EXPECT_EQ(fan_out_.posted, 1);
  ASSERT_TRUE(outcome.answer.has_value());
  for (uint32_t row = 0; row < 100; ++row) {
    ASSERT_EQ(outcome.How(0, row), Obtained::kComputedInline) << row;
    ASSERT_EQ(outcome.Int(0, row), 1) << row;
  }
  EXPECT_FALSE(outcome.ticket.has_value());
}

// 0 asks for the stored answer, and of what is made anew nothing is stored.
TEST_F(FeatureServerTest, ABudgetOfZeroStillMakesCheapRows) {
  const std::vector<int64_t> users = Users(100);
  Outcome outcome;
  Get({.service = "quick_only", .click = false, .budget_us = 0, .users = users},
      &outcome);
  ASSERT_TRUE(outcome.answer.has_value());
  for (uint32_t row = 0; row < 100; ++row) {
    ASSERT_EQ(outcome.How(0, row), Obtained::kComputedInline) << row;
  }
}

// What was given up for want of time is refreshed by an idle worker, and the
// next query finds it.
TEST_F(FeatureServerTest, ARowThatTimeDidNotSufficeForIsFreshTheNextTime) {
  const std::vector<int64_t> users = Users(100);
  costs_.Set(base::GroupId{1}, 1, microseconds(150));
  fan_out_at_once_ = false;
  Outcome late;
  Get({.service = "quick_only", .click = false, .users = users}, &late);
  EXPECT_FALSE(late.answer.has_value());
  clock_.Advance(milliseconds(31));
  fan_out_.RunAll();
  ASSERT_TRUE(late.answer.has_value());
  EXPECT_EQ(late.How(0, 0), Obtained::kComputedInline);
  EXPECT_EQ(late.How(0, 99), Obtained::kDefaultCold);

  for (int i = 0; i < 100; ++i) {
    RunFor(milliseconds(10));
    if (pool_.running(0)) pool_.Finish(0, microseconds(6));
  }
  RunFor(milliseconds(10));
  fan_out_.full = true;  // so that nothing but what is stored can answer
  Outcome again;
  Get({.service = "quick_only", .click = false, .users = {users[99]}}, &again);
  ASSERT_TRUE(again.answer.has_value());
  EXPECT_EQ(again.How(0), Obtained::kAlreadyFresh);
  EXPECT_EQ(again.Int(0), 1);
}

TEST_F(FeatureServerTest, AFullFanOutLosesNoQuery) {
  const std::vector<int64_t> users = Users(100);
  costs_.Set(base::GroupId{1}, 1, microseconds(150));
  fan_out_.full = true;
  Outcome outcome;
  Get({.service = "quick_only", .click = false, .users = users}, &outcome);
  ASSERT_TRUE(outcome.answer.has_value());
  EXPECT_EQ(outcome.How(0, 0), Obtained::kComputedInline);
  EXPECT_EQ(outcome.How(0, 99), Obtained::kDefaultCold);
}

TEST_F(FeatureServerTest, EveryStaleRowOfALargeQueryIsOneForTheScheduler) {
  const std::vector<int64_t> users = Users(100);
  Outcome outcome;
  EXPECT_TRUE(
      Get({.click = false, .budget_us = 290'000, .users = users}, &outcome)
          .has_value());
  for (int i = 0; i < 100 && !outcome.answer.has_value(); ++i) {
    dispatcher_->Step();
    if (!pool_.running(0)) continue;
    clock_.Advance(microseconds(100));
    pool_.Finish(0, microseconds(100));
  }
  dispatcher_->Step();
  RunFor(milliseconds(290));
  ASSERT_TRUE(outcome.answer.has_value());
  size_t refreshed = 0;
  for (uint32_t row = 0; row < 100; ++row) {
    refreshed += outcome.How(0, row) == Obtained::kRefreshed ? 1 : 0;
  }
  // All that fitted into the time as it was predicted at first, 3 ms a row.
  EXPECT_GE(refreshed, 90U);
}

TEST_F(FeatureServerTest, WhoeverGoesAwayWhileRowsAreMadeIsNotWaitedFor) {
  Outcome outcome;
  outcome.wanted = false;
  Get({}, &outcome);
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->code(), absl::StatusCode::kCancelled);
  dispatcher_->Step();
  EXPECT_EQ(dispatcher_->Stats().policy.tickets_waiting, 0U);
}

// A window empties without an event: the row is as stale as with one.
TEST_F(FeatureServerTest, ARowThatTimeHasChangedIsStale) {
  slow_->holds_us = 5'000'000;
  Outcome first;
  Get({}, &first);
  dispatcher_->Step();
  pool_.Finish(0, milliseconds(3));
  dispatcher_->Step();
  ASSERT_EQ(first.How(0), Obtained::kRefreshed);
  const base::UnixMicros until = first.answer->freshness(0, 0).holds_until_us;
  EXPECT_GT(until, clock_.WallNowMicros());

  clock_.Advance(microseconds(until - clock_.WallNowMicros() - 1));
  Outcome held;
  EXPECT_FALSE(Get({.click = false}, &held).has_value());
  EXPECT_EQ(held.How(0), Obtained::kAlreadyFresh);
  EXPECT_EQ(held.answer->freshness(0, 0).holds_until_us, until);

  clock_.Advance(microseconds(1));
  Outcome acceptable;  // a pending event would be, and this is no worse
  EXPECT_FALSE(
      Get({.click = false, .max_pending = 1}, &acceptable).has_value());
  Outcome stale;
  EXPECT_TRUE(Get({.click = false, .max_pending = 0}, &stale).has_value());
  dispatcher_->Step();
  ASSERT_TRUE(pool_.running(0));  // it has a gain, though nothing is pending
  pool_.Finish(0, milliseconds(3));
  dispatcher_->Step();
  ASSERT_TRUE(stale.answer.has_value());
  EXPECT_EQ(stale.How(0), Obtained::kRefreshed);
  EXPECT_GT(stale.answer->freshness(0, 0).holds_until_us, until);
}

TEST_F(FeatureServerTest, HostileEntitiesGetPreciseErrors) {
  const auto error_of = [&](const Ask& ask) {
    Outcome outcome;
    Get(ask, &outcome);
    return outcome.error.value_or(absl::OkStatus());
  };
  EXPECT_THAT(error_of({.users = {}}),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             HasSubstr("\"user_id\" has no values")));
  EXPECT_THAT(error_of({.users = std::vector<int64_t>(101, 1)}),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             HasSubstr("101 rows; at most 100")));
  EXPECT_THAT(error_of({.items = {1}}),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             HasSubstr("no feature asked for has a join key "
                                       "\"item_id\"")));
  EXPECT_THAT(
      error_of({.service = "rank", .users = {1, 2}, .items = {1, 2, 3}}),
      test::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("user_id")));
  EXPECT_EQ(table_->newest_sequence(), 0U);
}

TEST_F(FeatureServerTest, AKeyAskedForTwiceIsComputedOnce) {
  Outcome outcome;
  Get({.users = {7, 7}}, &outcome);
  dispatcher_->Step();
  pool_.Finish(0, milliseconds(3));
  dispatcher_->Step();
  ASSERT_TRUE(outcome.answer.has_value());
  EXPECT_EQ(outcome.Int(0, 0), 1);
  EXPECT_EQ(outcome.Int(0, 1), 1);
  EXPECT_EQ(pool_.started(), 1U);
}

TEST_F(FeatureServerTest, UnknownNamesListTheKnownOnes) {
  EXPECT_THAT(server_->Resolve("nope", {}),
              test::StatusIs(absl::StatusCode::kNotFound,
                             HasSubstr("slow_only, quick_only, rank")));
  EXPECT_THAT(server_->Resolve("", {}),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             HasSubstr("exactly one of")));
  const std::vector<std::string> references = {"slow:nn"};
  EXPECT_THAT(server_->Resolve("", references),
              test::StatusIs(absl::StatusCode::kNotFound, HasSubstr("slow")));
}

TEST_F(FeatureServerTest, ACancelledQueryIsTold) {
  Outcome outcome;
  const auto ticket = Get({}, &outcome);
  ASSERT_TRUE(ticket.has_value());
  dispatcher_->Step();
  server_->Cancel(*ticket);
  dispatcher_->Step();
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace freshline::serve
