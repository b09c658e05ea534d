// SPDX-License-Identifier: Apache-2.0
// Requests that cannot be served: what is wrong with them is said precisely.

#include "tests/support/http2_frames.h"
#include "tests/support/raw_connection.h"
#include "tests/unit/rpc/server_harness.h"

namespace freshline::rpc {
namespace {

using absl::StatusCode;
using test::IsOk;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST_F(ServerTest, LargeRequestsGetErrorsAsPreciseAsSmallOnes) {
  ServerOptions options;
  options.events_per_request_max = 500;
  Start(options);
  EXPECT_THAT(client_->PushEvents(Clicks(2, 501)),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("501 events in one request; at most 500")));
  std::vector<double> prices(400, 1.0);
  prices[399] = std::numeric_limits<double>::infinity();
  EXPECT_THAT(
      client_->PushEvents(Clicks(2, 400).Float64s("price", prices)),
      StatusIs(StatusCode::kInvalidArgument,
               AllOf(HasSubstr("\"price\", row 399"), HasSubstr("infinite"))));
  EXPECT_EQ(ingest_->Counters().accepted, 0U);
}

TEST_F(ServerTest, AnEventErrorNamesTheFieldOfItsOwnRequest) {
  Start();
  EventRows rows("clicks");
  rows.Int64s("user_id", {1}).TimesUs({7});
  EXPECT_THAT(client_->PushEvents(rows),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("batches[0].event_time_us[0]")));
  EXPECT_THAT(client_->GetFeatures(Query(1).AddEvents(rows)),
              StatusIs(StatusCode::kInvalidArgument,
                       HasSubstr("events[0].event_time_us[0]")));
}

TEST_F(ServerTest, TellsItsSchemaAndHowMuchARequestMayHold) {
  ServerOptions options;
  options.receive_bytes_max = 1 << 20;
  options.events_per_request_max = 500;
  Start(options);
  const auto schema = client_->GetSchema();
  ASSERT_THAT(schema, IsOk());
  EXPECT_EQ(schema->proto().sources(0).name(), "clicks");
  EXPECT_EQ(schema->proto().request_bytes_max(), 1U << 20);
  EXPECT_EQ(schema->proto().events_per_request_max(), 500U);
}

TEST_F(ServerTest, BytesThatAreNoRequestAreRefused) {
  Start();
  for (const client::Method method :
       {client::Method::kGetFeatures, client::Method::kPushEvents,
        client::Method::kGetStatus, client::Method::kGetSchema,
        client::Method::kCheckHealth}) {
    for (const size_t bytes : {size_t{1}, size_t{200}, size_t{100'000}}) {
      EXPECT_THAT(SendBytes(method, std::string(bytes, '\xff')),
                  StatusIs(StatusCode::kInvalidArgument,
                           HasSubstr(absl::StrCat("the ", bytes,
                                                  " bytes sent are no "))));
    }
  }
  EXPECT_THAT(client_->GetFeatures(Query(1)), IsOk());
}

TEST_F(ServerTest, TextThatIsNoUtf8NamesItsField) {
  Start();
  for (const int rows : {1, 1000}) {  // on the poller, and on the intake
    v1::GetFeaturesRequest request = WireQuery("QQQ", rows);
    request.set_request_id("id");
    std::string bytes = request.SerializeAsString();
    bytes[bytes.find("QQQ") + 2] = '\xe9';
    EXPECT_THAT(
        SendBytes(client::Method::kGetFeatures, bytes),
        StatusIs(StatusCode::kInvalidArgument,
                 HasSubstr("feature_service: \"QQ\\351\" is no UTF-8")));
  }
  EXPECT_THAT(SendBytes(client::Method::kCheckHealth, "\x0a\x01\xff"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("service: ")));
}

TEST_F(ServerTest, ALongForeignNameKeepsTheCodeAndTheRemedy) {
  Start();
  std::string name;
  for (int i = 0; i < 5000; ++i) name += "\xe2\x82\xac";
  EXPECT_THAT(
      SendBytes(client::Method::kGetFeatures,
                WireQuery(name, 1).SerializeAsString()),
      StatusIs(StatusCode::kNotFound,
               AllOf(HasSubstr("(15000 bytes)"), HasSubstr("known are: s"))));
}

TEST_F(ServerTest, AnAnswerThatTurnsOutTooLargeIsNotSent) {
  ServerOptions options;
  options.send_bytes_max = 100;
  Start(options);
  EXPECT_THAT(client_->PushEvents(Clicks(2, 30)), IsOk());
  EXPECT_THAT(client_->PushEvents(Clicks(2, 300)),
              StatusIs(StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("the answer has"),
                             HasSubstr("at most 100 are sent"))));
}

TEST_F(ServerTest, WhatIsTooLargeIsNeverToldToComeAgain) {
  ServerOptions options;
  options.receive_bytes_max = 2000;
  options.send_bytes_max = 1500;
  Start(options);
  for (const size_t bytes : {2001, 100'000, 20'000'000}) {
    for (const client::Method method :
         {client::Method::kGetFeatures, client::Method::kPushEvents,
          client::Method::kGetStatus}) {
      EXPECT_THAT(SendBytes(method, std::string(bytes, '\x7a')),
                  StatusIs(StatusCode::kInvalidArgument,
                           AllOf(HasSubstr(absl::StrCat(bytes, " bytes")),
                                 HasSubstr("at most 2000"),
                                 HasSubstr("rpc.receive_bytes_max"))));
    }
  }
  EXPECT_THAT(
      SendBytes(client::Method::kGetFeatures,
                WireQuery("s", 500).SerializeAsString()),
      StatusIs(StatusCode::kInvalidArgument,
               AllOf(HasSubstr("the answer to 500 rows"), HasSubstr("rows fit"),
                     HasSubstr("rpc.send_bytes_max"))));
  EXPECT_EQ(Refused(WireQuery("s", 500), grpc::StatusCode::INVALID_ARGUMENT),
            "");
  EXPECT_THAT(client_->GetFeatures(Query(1)), IsOk());
}

TEST_F(ServerTest, WhoReadsNothingIsServedNothing) {
  ServerOptions options;
  options.connections.connection.answer_bytes_max = 1;
  Start(options);
  test::RawConnection stalled(server_->port(0));
  stalled.Begin(/*window=*/0);
  std::string query;
  ASSERT_TRUE(WireQuery("s", 1).SerializeToString(&query));
  for (int i = 0; i < 20; ++i) {
    stalled.Ask("/freshline.v1.FeatureStore/GetFeatures", query);
  }
  const auto refused = [this] {
    return client_->GetStatus()->proto().connections().answers_refused();
  };
  while (refused() < 19) {
  }
  EXPECT_EQ(features_->Counters().answered, 2U)
      << "one may be unread, and another is refused for it";
}

}  // namespace
}  // namespace freshline::rpc
