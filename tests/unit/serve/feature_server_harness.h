// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "featurize/aggregate/aggregate.h"
#include "registry/validate.h"
#include "schedule/policies.h"
#include "serve/change_router.h"
#include "serve/feature_server.h"
#include "tests/support/fake_execution.h"
#include "tests/support/status_matchers.h"

namespace freshline::serve {

inline constexpr char kDefinitions[] = R"pb(
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
  base::Obtained How(size_t g, uint32_t row = 0) const {
    return answer->freshness(g, row).obtained;
  }
  bool OnWaiting(base::TicketId under) override {
    ticket = under;
    return wanted;
  }
  bool wanted = true;
  std::shared_ptr<void> held;
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
        scratch_.get(), &costs_, std::chrono::microseconds(200)});
    ingest_ = std::make_unique<ingest::EventIngest>(
        revision_, table_.get(), &clock_, ingest::EventIngest::Options{},
        router_.get());
    for (int i = 0; i < 50; ++i) {
      estimator_.Seed({base::GroupId{0}, 1, 1}, 1,
                      std::chrono::milliseconds(3));
    }
    dispatcher_ = std::make_unique<execute::Dispatcher>(
        execute::Dispatcher::Options{},
        execute::Dispatcher::Rooms{
            &clock_,
            &waker_,
            table_.get(),
            &functions_,
            &estimator_,
            policy_.get(),
            &pool_,
            &costs_,
            {0, 0, 1},
            {std::chrono::milliseconds(30), std::chrono::milliseconds(30)}});
    outcomes_ = std::make_unique<outcome::OutcomeBook>(
        outcome::OutcomeOptions{},
        outcome::OutcomeBook::Rooms{&clock_, revision_, table_.get(),
                                    &metrics_});
    MakeServer();
  }

  void MakeServer() {
    server_ = std::make_unique<FeatureServer>(
        FeatureServer::Options{/*rows_max=*/100,
                               std::chrono::microseconds(200)},
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
  std::optional<base::TicketId> Get(const Ask& asked, Outcome* outcome) {
    // What the query is made of stays where it is until the outcome came.
    struct Held {
      Ask ask;
      std::vector<ingest::ColumnInput> entities;
    };
    const auto held = std::make_shared<Held>(Held{asked, {}});
    outcome->held = held;
    const Ask& ask = held->ask;
    std::vector<ingest::ColumnInput>& entities = held->entities;
    auto plan = server_->Resolve(ask.service, {});
    EXPECT_THAT(plan, test::IsOk());
    entities.push_back(
        {"user_id", registry::Scalar::kInt64, std::span(ask.users), {}});
    if (!ask.items.empty()) {
      entities.push_back(
          {"item_id", registry::Scalar::kInt64, std::span(ask.items), {}});
    }
    const std::vector<int64_t> item = {3};
    const std::vector<int64_t> user = {ask.users.empty() ? 7 : ask.users[0]};
    const std::vector<int64_t> time = {clock_.WallNowMicros()};
    const std::vector<ingest::ColumnInput> columns = {
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
    const std::vector<ingest::ColumnInput> columns = {
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
  estimate::InlineCosts costs_{3, std::chrono::microseconds(10)};
  estimate::Estimator estimator_;
  std::unique_ptr<schedule::Policy> policy_;
  std::unique_ptr<ChangeRouter> router_;
  std::unique_ptr<ingest::EventIngest> ingest_;
  test::FakeWorkerPool pool_{1, 1};
  std::unique_ptr<execute::Dispatcher> dispatcher_;
  execute::FunctionSet approximations_;
  std::unique_ptr<execute::ScratchPool> approximate_scratch_;
  estimate::InlineCosts approximate_costs_{3, std::chrono::microseconds(10)};
  std::unique_ptr<outcome::OutcomeBook> outcomes_;
  std::optional<InlineComputer> approximate_;
  test::FakeFanOut fan_out_;
  bool fan_out_at_once_ = true;
  std::unique_ptr<FeatureServer> server_;
};

}  // namespace freshline::serve
