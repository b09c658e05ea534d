// SPDX-License-Identifier: Apache-2.0
#include "freshline/request.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>

#include "freshline/v1/feature_store.pb.h"

namespace freshline {
namespace {

template <typename Message>
Message FromText(const char* text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

MATCHER_P(EqualsProto, expected, "") {
  google::protobuf::util::MessageDifferencer differencer;
  std::string difference;
  differencer.ReportDifferencesToString(&difference);
  const bool equal = differencer.Compare(expected, arg);
  *result_listener << difference;
  return equal;
}

TEST(FeatureRequestTest, BuildsServiceQueryWithEveryField) {
  EventRows clicks("clicks");
  clicks.Int64s("user_id", {42, 42})
      .Float64s("price", {9.5, 0})
      .NullRows({1})
      .Strings("brand", {"acme", "zeta"})
      .Bools("gift", {true, false})
      .TimestampsUs("shown", {1, 2})
      .TimesUs({100, 200})
      .Producer("web-1", {17, 18});
  FeatureRequest request("recommend");
  request.Entity("user_id", {42})
      .AddEvents(clicks)
      .Budget(std::chrono::milliseconds(30))
      .MaxPending(2)
      .MaxAge(std::chrono::seconds(1))
      .RequestId("r1");
  EXPECT_THAT(request.proto(), EqualsProto(FromText<v1::GetFeaturesRequest>(R"(
    feature_service: "recommend"
    entities { name: "user_id" values { int64s { values: 42 } } }
    events {
      source: "clicks"
      columns { name: "user_id" values { int64s { values: [ 42, 42 ] } } }
      columns {
        name: "price" values { float64s { values: [ 9.5, 0 ] } } null_rows: 1
      }
      columns { name: "brand"
                values { strings { values: "acme" values: "zeta" } } }
      columns { name: "gift" values { bools { values: [ true, false ] } } }
      columns { name: "shown" values { timestamps_us { values: [ 1, 2 ] } } }
      event_time_us: [ 100, 200 ]
      producer_id: "web-1" producer_sequence: [ 17, 18 ]
    }
    budget_us: 30000
    freshness { max_pending: 2 max_age_us: 1000000 }
    request_id: "r1")")));
}

TEST(FeatureRequestTest, KeyTypeFollowsTheTypeGiven) {
  FeatureRequest request = FeatureRequest::Of({"user:clicks", "item:price"});
  const std::vector<int64_t> items = {7, 8};
  const std::vector<std::string> shops = {"a", "b"};
  request.Entity("zero", {0}).Entity("item_id", items);
  request.Entity("country", {"de"}).Entity("shop", shops);
  EXPECT_THAT(request.proto(), EqualsProto(FromText<v1::GetFeaturesRequest>(R"(
    features: "user:clicks" features: "item:price"
    entities { name: "zero" values { int64s { values: 0 } } }
    entities { name: "item_id" values { int64s { values: [ 7, 8 ] } } }
    entities { name: "country" values { strings { values: "de" } } }
    entities { name: "shop"
               values { strings { values: "a" values: "b" } } })")));
}

TEST(FeatureRequestTest, CopyIsIndependent) {
  FeatureRequest original("a");
  FeatureRequest copy = original;
  copy.RequestId("only in the copy");
  EXPECT_EQ(original.proto().request_id(), "");
  EXPECT_EQ(copy.proto().request_id(), "only in the copy");
  EventRows rows("s");
  EventRows rows_copy("other");
  rows_copy = rows;
  rows_copy.TimesUs({1});
  EXPECT_EQ(rows.proto().event_time_us_size(), 0);
  EXPECT_EQ(rows_copy.proto().source(), "s");
}

TEST(FeatureRequestTest, ZeroBudgetIsSent) {
  FeatureRequest request("a");
  EXPECT_FALSE(request.proto().has_budget_us());
  request.Budget(std::chrono::microseconds(0));
  EXPECT_TRUE(request.proto().has_budget_us());
}

TEST(EventRowsDeathTest, NullRowsNeedsAColumn) {
  EventRows rows("clicks");
  EXPECT_DEATH(rows.NullRows({0}), "columns_size");
}

}  // namespace
}  // namespace freshline
