// SPDX-License-Identifier: Apache-2.0
#include "outcome/outcome_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "registry/entity_key.h"
#include "registry/validate.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace freshline::outcome {
namespace {

using absl::StatusCode;
using ingest::ColumnInput;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

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
    name: "slow"
    source: "clicks"
    placement: SCHEDULED
    staleness { kind: VALUE_CURVE learn_from_outcomes: true }
    feature {
      name: "n"
      type { scalar: INT64 }
      aggregate { fn: COUNT over: "1d" }
    }
  }
  feature_service { name: "s" feature: "slow:n" slo: "30ms" }
  feature_service { name: "other" feature: "slow:n" slo: "30ms" }
)pb";

class OutcomeBookTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto revision = registry::ParseDefinitions(kDefinitions, "test");
    ASSERT_THAT(revision, test::IsOk());
    revision_ = *revision;
    metrics_ = *staleness::MakeMetrics(*revision_, "");
    table_ = std::make_unique<table::Table>(revision_, table::TableOptions{});
    Make({});
    user_ = AddUser(7);
  }
  void Make(OutcomeOptions options) {
    book_ = std::make_unique<OutcomeBook>(
        options,
        OutcomeBook::Rooms{&clock_, revision_, table_.get(), &metrics_});
  }

  base::KeyId AddUser(int64_t user) {
    registry::EntityKeyBuilder builder;
    builder.AddInt64(user);
    const table::Cell cell = int64_t{1};
    return table_
        ->Append(0, builder.bytes(), {clock_.WallNowMicros(), {&cell, 1}},
                 clock_.WallNowMicros())
        .key;
  }

  void Answer(const std::string& id, uint32_t pending, uint64_t events = 4,
              bool approximate = false) {
    const AnsweredRow row{
        {user_, base::GroupId{0}}, pending, events, approximate};
    book_->Remember(book_->NameOf(revision_->FindService("s")->flow, id),
                    {&row, 1});
  }

  absl::StatusOr<std::vector<OutcomeStatus>> Report(
      const std::vector<absl::string_view>& ids,
      const std::vector<double>& losses, absl::string_view service = "s",
      absl::string_view key = "user_id", std::vector<int64_t> users = {7}) {
    const ColumnInput column{
        key, registry::Scalar::kInt64, std::span<const int64_t>(users), {}};
    OutcomeReport report{service, {&column, 1}, ids, losses};
    if (key.empty()) report.entities = {};
    return book_->Report(report);
  }

  double Regret() const {
    double regret = -1;
    table_->Read(user_, [&](const table::KeyView& key) {
      regret = key.signals(base::GroupId{0}).regret;
    });
    return regret;
  }

  test::FakeClock clock_;
  std::shared_ptr<const registry::Revision> revision_;
  staleness::MetricSet metrics_;
  std::unique_ptr<table::Table> table_;
  std::unique_ptr<OutcomeBook> book_;
  base::KeyId user_{};
};

TEST_F(OutcomeBookTest, TellsLossesToTheRowsThatWereAnswered) {
  EXPECT_EQ(Regret(), 0);
  Answer("a", 2);
  Answer("b", 0);
  Answer("c", 1);
  EXPECT_THAT(*Report({"a", "b"}, {.8, .2}), Each(OutcomeStatus::kAccepted));
  EXPECT_NEAR(Regret(), .8, 1e-6);  // of the stale one alone
  EXPECT_THAT(*Report({"c"}, {0}), ElementsAre(OutcomeStatus::kAccepted));
  EXPECT_NEAR(Regret(), .6, 1e-6);
  const GroupOutcomes group = book_->Groups()[0];
  EXPECT_EQ(group.stale.outcomes, 2U);
  EXPECT_DOUBLE_EQ(group.stale.loss, .4);
  EXPECT_EQ(group.fresh.outcomes, 1U);
  EXPECT_DOUBLE_EQ(group.fresh.loss, .2);
  EXPECT_EQ(book_->Counters().accepted, 3U);
  EXPECT_EQ(book_->Counters().answers, 3U);
}

TEST_F(OutcomeBookTest, AnApproximateRowSaysNothingOfTheStoredOne) {
  Answer("a", 2, 4, /*approximate=*/true);
  EXPECT_THAT(*Report({"a"}, {.8}), ElementsAre(OutcomeStatus::kAccepted));
  EXPECT_EQ(Regret(), 0);
  EXPECT_EQ(book_->Groups()[0].stale.outcomes, 0U);
  EXPECT_EQ(book_->Groups()[0].approximate.outcomes, 1U);
}

TEST_F(OutcomeBookTest, UnknownAndRepeatedOutcomesAreToldAndTeachNothing) {
  Answer("a", 2);
  AddUser(8);
  EXPECT_THAT(*Report({"a"}, {1}, "s", "user_id", {8}),
              ElementsAre(OutcomeStatus::kUnknown));
  EXPECT_THAT(*Report({"a"}, {1}, "s", "user_id", {99}),
              ElementsAre(OutcomeStatus::kUnknown));
  EXPECT_THAT(*Report({"a"}, {1}, "other"),
              ElementsAre(OutcomeStatus::kUnknown));
  EXPECT_THAT(*Report({"never", "a", "a"}, {1, .5, 1}),
              ElementsAre(OutcomeStatus::kUnknown, OutcomeStatus::kAccepted,
                          OutcomeStatus::kRepeated));
  EXPECT_NEAR(Regret(), .5, 1e-6);
  const OutcomeCounters counters = book_->Counters();
  EXPECT_EQ(counters.accepted, 1U);
  EXPECT_EQ(counters.unknown, 4U);
  EXPECT_EQ(counters.repeated, 1U);
}

TEST_F(OutcomeBookTest, BadReportsNameWhatIsWrongAndTeachNothing) {
  Answer("a", 2);
  const auto refused = [&](const auto& report, const char* what) {
    EXPECT_THAT(report,
                test::StatusIs(StatusCode::kInvalidArgument, HasSubstr(what)));
  };
  refused(Report({}, {}), "0 outcomes");
  refused(Report({"a"}, {1, 1}), "2 values for 1");
  refused(Report({"a", ""}, {1, 1}), "request_id[1]: 0 bytes");
  const std::string longest(OutcomeBook::kRequestIdBytesMax + 1, 'x');
  refused(Report({longest}, {1}), "129 bytes");
  for (const double loss :
       {-1.0, 2e9, std::nan(""), std::numeric_limits<double>::infinity()}) {
    refused(Report({"a", "a"}, {0, loss}), "loss[1]");
  }
  refused(Report({"a"}, {1}, "s", "user"), "no join key \"user\"");
  refused(Report({"a"}, {1}, "s", ""), "give the join keys");
  refused(Report({"a"}, {1}, "s", "user_id", {7, 8}), "user_id");
  const std::vector<absl::string_view> many(OutcomeBook::kOutcomesMax + 1, "a");
  refused(Report(many, std::vector<double>(many.size(), 1)), "257 outcomes");
  EXPECT_THAT(Report({"a"}, {1}, "nope"),
              test::StatusIs(StatusCode::kNotFound, HasSubstr("s, other")));
  EXPECT_EQ(Regret(), 0);
  EXPECT_EQ(book_->Counters().accepted, 0U);
}

TEST_F(OutcomeBookTest, AFloodIsRefusedAndPasses) {
  Make({.answers_max = 1000, .per_second_max = 500});
  const std::vector<absl::string_view> ids(250, "flood");
  const std::vector<double> losses(ids.size(), 1);
  EXPECT_THAT(Report(ids, losses), test::IsOk());
  EXPECT_THAT(Report(ids, losses), test::IsOk());
  EXPECT_THAT(Report(ids, losses),
              test::StatusIs(StatusCode::kResourceExhausted,
                             HasSubstr("per_second_max")));
  EXPECT_EQ(book_->Counters().refused, 250U);
  clock_.Advance(std::chrono::milliseconds(500));
  EXPECT_THAT(Report(ids, losses), test::IsOk());
  EXPECT_FALSE(Report(ids, losses).ok());
}

TEST_F(OutcomeBookTest, TakesNoneWhereNoneAreRemembered) {
  Make({.answers_max = 0});
  EXPECT_EQ(book_->NameOf(base::FlowId{0}, "a"), 0U);
  EXPECT_EQ(Report({"a"}, {1}).status().code(),
            StatusCode::kFailedPrecondition);
}

// Stale answers lose everything here, whole ones nothing.
TEST_F(OutcomeBookTest, MovesTheCurveOfItsGroup) {
  const staleness::StalenessMetric& metric = metrics_[0];
  EXPECT_DOUBLE_EQ(metric.Gain({1, 3, {}}), .25);
  for (int i = 0; i < 4000; ++i) {
    const std::string id = absl::StrCat(i);
    Answer(id, i % 2);
    ASSERT_THAT(Report({id}, {static_cast<double>(i % 2)}), test::IsOk());
    clock_.Advance(std::chrono::milliseconds(1));
  }
  EXPECT_GT(metric.Gain({1, 3, {}}), .9);
}

}  // namespace
}  // namespace freshline::outcome
