// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/validate.h"
#include "rpc/decode.h"
#include "rpc/encode.h"
#include "rpc/encode_schema.h"
#include "tests/support/status_matchers.h"

namespace freshline::rpc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kDefinitions[] = R"pb(
  entity {
    name: "user"
    key { name: "user_id" type: INT64 }
  }
  source {
    name: "clicks"
    entity: "user"
    column { name: "item" type: INT64 }
    column { name: "brand" type: STRING }
    column { name: "price" type: FLOAT64 }
    retention: "30d"
  }
  feature_group {
    name: "g"
    source: "clicks"
    feature {
      name: "n"
      type { scalar: INT64 }
      default { int64: -1 }
      aggregate { fn: COUNT over: "1d" }
    }
    feature {
      name: "mean"
      type { scalar: FLOAT64 }
      default { float64: 0.5 }
      aggregate { fn: MEAN column: "price" over: "1d" }
    }
    feature {
      name: "brand"
      type { scalar: STRING }
      aggregate { fn: LAST column: "brand" }
    }
    feature {
      name: "items"
      type { list: INT64 }
      aggregate { fn: LAST_N column: "item" n: 5 over: "1d" }
    }
    feature {
      name: "brands"
      type { list: STRING }
      aggregate { fn: LAST_N column: "brand" n: 5 over: "1d" }
    }
  }
  feature_service { name: "s" feature: "g:*" slo: "30ms" }
)pb";

class EncodeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto revision = registry::ParseDefinitions(kDefinitions, "test");
    ASSERT_THAT(revision, test::IsOk());
    revision_ = *revision;
    plan_ = revision_->FindService("s")->plan;
  }
  serve::RowFreshness Refreshed() const {
    serve::RowFreshness f;
    f.obtained = base::Obtained::kRefreshed;
    f.as_of = {42, 1000};
    f.event_time_us = 900;
    f.pending = 3;
    return f;
  }
  std::shared_ptr<const registry::Revision> revision_;
  std::shared_ptr<const registry::QueryPlan> plan_;
};

TEST_F(EncodeTest, WritesColumnsWithStatusesOnlyWhereNeeded) {
  const registry::RowLayout& layout = revision_->groups()[0].layout;
  serve::Answer answer(revision_, plan_, 2, {false});
  registry::RowBytes bytes;
  {
    registry::RowWriter row(layout, &bytes);
    row.SetInt64(0, 7);
    // 1, the mean, is NULL: its default stands in.
    row.SetString(2, "acme");
    row.SetInt64List(3, std::vector<int64_t>{5, 6});
    row.SetStringList(4, std::vector<absl::string_view>{"a", "", "ccc"});
  }
  answer.Put(0, 0, bytes, Refreshed());
  answer.Put(0, 1, {}, serve::RowFreshness::Cold());

  v1::GetFeaturesResponse r;
  EncodeAnswer(answer, &r);
  EXPECT_EQ(r.rows(), 2U);
  ASSERT_EQ(r.features_size(), 5);
  EXPECT_EQ(r.features(0).name(), "g:n");
  EXPECT_THAT(r.features(0).values().int64s().values(), ElementsAre(7, -1));
  EXPECT_THAT(r.features(0).statuses(),
              ElementsAre(v1::PRESENT, v1::DEFAULTED));
  EXPECT_THAT(r.features(1).values().float64s().values(),
              ElementsAre(0.5, 0.5));
  EXPECT_THAT(r.features(1).statuses(),
              ElementsAre(v1::DEFAULTED, v1::DEFAULTED));
  EXPECT_THAT(r.features(2).values().strings().values(),
              ElementsAre("acme", ""));
  EXPECT_THAT(r.features(2).statuses(),
              ElementsAre(v1::PRESENT, v1::NOT_FOUND));
  EXPECT_THAT(r.features(3).values().lists().lengths(), ElementsAre(2, 0));
  EXPECT_THAT(r.features(3).values().lists().elements().int64s().values(),
              ElementsAre(5, 6));
  EXPECT_THAT(r.features(4).values().lists().elements().strings().values(),
              ElementsAre("a", "", "ccc"));

  ASSERT_EQ(r.groups_size(), 1);
  EXPECT_THAT(r.groups(0).obtained(),
              ElementsAre(v1::REFRESHED, v1::DEFAULT_COLD));
  EXPECT_THAT(r.groups(0).as_of_sequence(), ElementsAre(42, 0));
  EXPECT_THAT(r.groups(0).pending_events(), ElementsAre(3, 0));
}

TEST_F(EncodeTest, AColumnOfPresentValuesHasNoStatuses) {
  const registry::RowLayout& layout = revision_->groups()[0].layout;
  serve::Answer answer(revision_, plan_, 1, {true});
  registry::RowBytes bytes;
  registry::RowWriter row(layout, &bytes);
  row.SetInt64(0, 7);
  answer.Put(0, 0, bytes, Refreshed());
  v1::GetFeaturesResponse r;
  EncodeAnswer(answer, &r);
  EXPECT_THAT(r.features(0).statuses(), IsEmpty());
  EXPECT_EQ(r.price(), 0);

  // The same row, too old, and its refresh given up.
  serve::RowFreshness old = Refreshed();
  old.outside_max_age = true;
  answer.Put(0, 0, bytes, old);
  answer.RaisePrice(0.5);
  answer.RaisePrice(0.25);
  r.Clear();
  EncodeAnswer(answer, &r);
  EXPECT_EQ(r.price(), 0.5);
  EXPECT_THAT(r.features(0).statuses(), ElementsAre(v1::OUTSIDE_MAX_AGE));
  EXPECT_THAT(r.features(0).values().int64s().values(), ElementsAre(7));
}

TEST(DecodeTest, BorrowsEveryKindOfColumn) {
  v1::EventBatch batch;
  batch.set_source("clicks");
  batch.add_event_time_us(5);
  const auto add = [&](const char* name) {
    v1::Column* column = batch.add_columns();
    column->set_name(name);
    return column->mutable_values();
  };
  add("i")->mutable_int64s()->add_values(1);
  add("f")->mutable_float64s()->add_values(2.5);
  add("b")->mutable_bools()->add_values(true);
  add("s")->mutable_strings()->add_values("x");
  add("t")->mutable_timestamps_us()->add_values(9);
  v1::PushEventsRequest request;
  *request.add_batches() = batch;
  *request.add_batches() = batch;
  DecodedRequest decoded;
  ASSERT_THAT(decoded.DecodeBatches(request.batches(), "batches", 2),
              test::IsOk());
  ASSERT_EQ(decoded.batches.size(), 2U);
  for (const ingest::DecodedBatch& b : decoded.batches) {
    EXPECT_EQ(b.source, "clicks");
    ASSERT_EQ(b.columns.size(), 5U);
    EXPECT_EQ(b.columns[3].name, "s");
    EXPECT_EQ(
        std::get<std::span<const absl::string_view>>(b.columns[3].values)[0],
        "x");
    EXPECT_EQ(b.columns[4].type, registry::Scalar::kTimestamp);
  }
}

TEST(DecodeTest, RefusesWhatNoRoomCanRead) {
  v1::PushEventsRequest request;
  request.add_batches()->add_columns()->set_name("empty");
  DecodedRequest decoded;
  EXPECT_THAT(decoded.DecodeBatches(request.batches(), "batches", 10),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             HasSubstr("batches[0]: column \"empty\"")));

  v1::PushEventsRequest large;
  v1::EventBatch* batch = large.add_batches();
  for (int i = 0; i < 11; ++i) batch->add_event_time_us(i);
  EXPECT_THAT(decoded.DecodeBatches(large.batches(), "batches", 10),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             HasSubstr("11 events in one request; at most "
                                       "10")));
}

TEST(EncodeSchemaTest, TellsKeysColumnsAndWhatWasLeftToItsDefault) {
  const auto revision = registry::ParseDefinitions(kDefinitions, "test");
  ASSERT_THAT(revision, test::IsOk());
  v1::GetSchemaResponse response;
  EncodeSchema(**revision, &response);
  EXPECT_EQ(response.revision(), (*revision)->number());
  ASSERT_EQ(response.entities_size(), 1);
  EXPECT_EQ(response.entities(0).name(), "user");
  EXPECT_EQ(response.entities(0).key(0).name(), "user_id");
  EXPECT_EQ(response.entities(0).key(0).type(), v1::INT64);
  ASSERT_EQ(response.sources_size(), 1);
  const v1::Source& source = response.sources(0);
  EXPECT_EQ(source.name(), "clicks");
  EXPECT_EQ(source.entity(), "user");
  ASSERT_EQ(source.column_size(), 3);
  EXPECT_EQ(source.column(1).name(), "brand");
  EXPECT_EQ(source.column(1).type(), v1::STRING);
  EXPECT_EQ(source.column(2).type(), v1::FLOAT64);
  EXPECT_EQ(source.retention(), "30d");
  EXPECT_EQ(source.allowed_lateness(), "30d");
  EXPECT_EQ(source.events_max(), 1000u);
}

}  // namespace
}  // namespace freshline::rpc
