// SPDX-License-Identifier: Apache-2.0
#include "serve/feature_server.h"

#include "tests/unit/serve/feature_server_harness.h"

namespace freshline::serve {
namespace {

using base::Obtained;
using ingest::ColumnInput;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::Optional;

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
