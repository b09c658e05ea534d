// SPDX-License-Identifier: Apache-2.0
// Answers of many rows, of long rows, and of rows that are given twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "featurize/aggregate/aggregate.h"
#include "registry/validate.h"
#include "serve/feature_server.h"
#include "serve/pending_answer.h"
#include "serve/repeated_rows.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace freshline::serve {
namespace {

using absl::StatusCode;
using ingest::ColumnInput;
using registry::Scalar;
using std::chrono::microseconds;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kDefinitions[] = R"pb(
  entity {
    name: "till"
    key { name: "code" type: STRING }
  }
  source {
    name: "sales"
    entity: "till"
    column { name: "note" type: STRING }
    retention: "30d"
  }
  feature_group {
    name: "g"
    source: "sales"
    feature {
      name: "n"
      type { scalar: INT64 }
      aggregate { fn: COUNT over: "1d" }
    }
    feature {
      name: "notes"
      type { list: STRING }
      aggregate { fn: LAST_N column: "note" over: "1d" n: 3 }
    }
  }
  feature_service { name: "all" feature: "g:*" slo: "30ms" }
  feature_service { name: "count" feature: "g:n" slo: "30ms" }
)pb";

class Outcome final : public Completion {
 public:
  void OnEvents(const ingest::PreparedEvents&,
                std::span<const ingest::EventResult>) override {}
  bool OnWaiting(base::TicketId) override { return true; }
  void OnAnswer(const Answer& given) override { answer.emplace(given); }
  void OnError(const absl::Status& status) override { error = status; }

  std::optional<Answer> answer;
  std::optional<absl::Status> error;
};

// Counts the rows that another function computes.
class CountedFunction final : public featurize::FeatureFunction {
 public:
  explicit CountedFunction(std::unique_ptr<featurize::FeatureFunction> inner)
      : inner_(std::move(inner)) {}
  uint32_t events_needed() const override { return inner_->events_needed(); }
  base::JobShape Shape(const featurize::Input& input,
                       featurize::Scratch* scratch) const override {
    return inner_->Shape(input, scratch);
  }
  bool always_inline() const override { return inner_->always_inline(); }
  std::unique_ptr<featurize::Scratch> MakeScratch() const override {
    return inner_->MakeScratch();
  }
  absl::Status Compute(std::span<const featurize::Input> inputs,
                       std::span<registry::RowBytes* const> outputs,
                       featurize::Scratch* scratch) const override {
    rows += static_cast<int>(inputs.size());
    return inner_->Compute(inputs, outputs, scratch);
  }
  mutable int rows = 0;

 private:
  const std::unique_ptr<featurize::FeatureFunction> inner_;
};

// Aggregates alone: everything is computed while answering.
class LargeAnswerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto revision = registry::ParseDefinitions(kDefinitions, "test");
    ASSERT_THAT(revision, test::IsOk());
    revision_ = *revision;
    table_ = std::make_unique<table::Table>(revision_, table::TableOptions{});
    auto counted = std::make_unique<CountedFunction>(
        std::make_unique<featurize::AggregateFunction>(
            revision_->groups()[0], revision_->sources()[0]));
    counted_ = counted.get();
    functions_.push_back(std::move(counted));
    metrics_ = *staleness::MakeMetrics(*revision_, "");
    scratch_ = std::make_unique<execute::ScratchPool>(functions_);
    ingest_ = std::make_unique<ingest::EventIngest>(
        revision_, table_.get(), &clock_, ingest::EventIngest::Options{},
        nullptr);
    outcomes_ = std::make_unique<outcome::OutcomeBook>(
        outcome::OutcomeOptions{},
        outcome::OutcomeBook::Rooms{&clock_, revision_, table_.get(),
                                    &metrics_});
    server_ = std::make_unique<FeatureServer>(
        FeatureServer::Options{.rows_max = 1000, .answer_bytes_max = 100'000},
        FeatureServer::Rooms{.clock = &clock_,
                             .revision = revision_,
                             .table = table_.get(),
                             .ingest = ingest_.get(),
                             .metrics = &metrics_,
                             .full = {&functions_, scratch_.get(), &costs_},
                             .approximate = std::nullopt,
                             .dispatcher = nullptr,
                             .outcomes = outcomes_.get()});
  }

  static ColumnInput Codes(const std::vector<absl::string_view>& codes) {
    return {"code", Scalar::kString, std::span(codes), {}};
  }
  void Sell(absl::string_view code, size_t note_bytes) {
    const std::string note(note_bytes, 'n');
    const std::vector<absl::string_view> notes = {note};
    const std::vector<absl::string_view> codes = {code};
    const std::vector<int64_t> time = {clock_.WallNowMicros()};
    const std::vector<ColumnInput> columns = {
        Codes(codes), {"note", Scalar::kString, std::span(notes), {}}};
    const ingest::DecodedBatch batch = {"sales", columns, time, "", {}};
    const auto events = ingest_->Prepare({&batch, 1}, "events");
    ASSERT_THAT(events, test::IsOk());
    ingest_->Apply(*events);
  }
  Outcome Get(const std::string& service,
              const std::vector<absl::string_view>& codes,
              absl::string_view request_id = "") {
    Outcome outcome;
    const ColumnInput column = Codes(codes);
    Query query;
    query.plan = *server_->Resolve(service, {});
    query.entities = {&column, 1};
    query.received = clock_.Now();
    query.request_id = request_id;
    server_->Get(query, &outcome);
    return outcome;
  }
  static int64_t Count(const Outcome& outcome, uint32_t row) {
    return registry::RowView(outcome.answer->group(0).layout,
                             outcome.answer->bytes(0, row))
        .Int64(0);
  }
  int Computations() const { return counted_->rows; }

  test::FakeClock clock_;
  std::shared_ptr<const registry::Revision> revision_;
  std::unique_ptr<table::Table> table_;
  execute::FunctionSet functions_;
  staleness::MetricSet metrics_;
  std::unique_ptr<execute::ScratchPool> scratch_;
  CountedFunction* counted_ = nullptr;
  estimate::InlineCosts costs_{1, std::chrono::microseconds(10)};
  std::unique_ptr<ingest::EventIngest> ingest_;
  std::unique_ptr<outcome::OutcomeBook> outcomes_;
  std::unique_ptr<FeatureServer> server_;
};

TEST_F(LargeAnswerTest, RepeatedKeysAreComputedOnce) {
  Sell("a", 5);
  Sell("b", 5);
  Sell("b", 5);
  const Outcome outcome = Get("all", {"a", "b", "x", "a", "b", "x", "a"});
  ASSERT_TRUE(outcome.answer.has_value());
  EXPECT_EQ(Computations(), 2);
  const int64_t counts[] = {1, 2, 0, 1, 2, 0, 1};
  for (uint32_t row = 0; row < std::size(counts); ++row) {
    const bool known = counts[row] > 0;
    EXPECT_EQ(
        outcome.answer->freshness(0, row).obtained,
        known ? base::Obtained::kComputedInline : base::Obtained::kDefaultCold);
    if (known) {
      EXPECT_EQ(Count(outcome, row), counts[row]);
    }
  }
}

TEST_F(LargeAnswerTest, SaysHowManyRowsFitWithoutComputingMore) {
  for (const char* code : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    Sell(code, 30'000);
  }
  const std::vector<absl::string_view> codes = {"a", "b", "c", "d",
                                                "e", "f", "g", "h"};
  EXPECT_THAT(*Get("all", codes).error,
              StatusIs(StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("8 rows"), HasSubstr("100000 bytes"),
                             HasSubstr("the first 3 rows fit"),
                             HasSubstr("rpc.send_bytes_max"))));
  EXPECT_EQ(Computations(), 4);
  EXPECT_TRUE(Get("all", {"a", "b", "c"}).answer.has_value());
  EXPECT_TRUE(Get("all", {"a", "b", "c", "d"}).error.has_value());
  // Of the same rows, who asks for the number alone gets it.
  const Outcome counts = Get("count", codes);
  ASSERT_TRUE(counts.answer.has_value());
  EXPECT_EQ(Count(counts, 7), 1);
}

TEST_F(LargeAnswerTest, ASmallRequestForOneLongKeyIsRefusedAtOnce) {
  Sell("a", 60'000);
  const std::vector<absl::string_view> thousand(1000, "a");
  EXPECT_THAT(*Get("all", thousand).error,
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("the first 1 row fits")));
  EXPECT_EQ(Computations(), 1);
  Sell("a", 60'000);
  EXPECT_THAT(*Get("all", thousand).error,
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("not even the first row fits: ask for fewer "
                                 "features")));
}

TEST_F(LargeAnswerTest, ARefreshMayMakeTheAnswerTooLarge) {
  Sell("a", 5);
  Outcome outcome;
  StaleRow stale;
  stale.need.row = {base::KeyId{1}, base::GroupId{0}};
  std::vector<StaleRow> places(3, stale);
  for (uint32_t row = 0; row < places.size(); ++row) places[row].row = row;
  PendingAnswer pending(
      [&](Answer answer, CompletionHandle done) {
        EXPECT_TRUE(answer.overflown());
        EXPECT_EQ(answer.RowsThatFit(), 2U);
        done.Release()->OnError(absl::OkStatus());
      },
      Answer(revision_, *server_->Resolve("all", {}), 3, {false}, 100'000),
      CompletionHandle(&outcome), base::kInfiniteFuture, base::kInfiniteFuture,
      places);
  registry::RowBytes bytes;
  registry::RowWriter writer(revision_->groups()[0].layout, &bytes);
  const std::string note(40'000, 'n');
  const absl::string_view notes[] = {note};
  writer.SetStringList(1, notes);
  table::StoredRow row;
  row.bytes = bytes;
  pending.Patch(0, row, 0, base::Obtained::kRefreshed);
  pending.Send();
  EXPECT_TRUE(outcome.error.has_value());
}

TEST_F(LargeAnswerTest, OutcomesFindAnswersThatNeededNoScheduling) {
  Sell("a", 5);
  EXPECT_TRUE(Get("all", {"a"}, "inline").answer.has_value());
  const std::vector<absl::string_view> codes = {"a"};
  const ColumnInput column = Codes(codes);
  const std::vector<absl::string_view> ids = {"inline"};
  const std::vector<double> losses = {0.5};
  const auto statuses = outcomes_->Report({"all", {&column, 1}, ids, losses});
  ASSERT_THAT(statuses, test::IsOk());
  EXPECT_THAT(*statuses, ElementsAre(outcome::OutcomeStatus::kAccepted));
  EXPECT_EQ(outcomes_->Groups()[0].fresh.loss, 0.5);
}

TEST_F(LargeAnswerTest, TheFirstRowOfEachKeyIsFound) {
  const auto first_rows = [&](const std::vector<absl::string_view>& codes) {
    const ColumnInput column = Codes(codes);
    const auto keys = ingest::KeyExtractor::Create(
        revision_->entities()[0], {&column, 1}, codes.size(),
        ingest::KeyShape::kOneOrOnePerRow, "entities");
    EXPECT_THAT(keys, test::IsOk());
    return FirstRowsOfKeys(*keys, static_cast<uint32_t>(codes.size()));
  };
  EXPECT_THAT(first_rows({"a", "b", "a", "", "", "b"}),
              ElementsAre(0, 1, 0, 3, 3, 1));
  EXPECT_THAT(first_rows({"a", "b", "c"}), IsEmpty());
  EXPECT_THAT(first_rows({"a"}), IsEmpty());
}

}  // namespace
}  // namespace freshline::serve
