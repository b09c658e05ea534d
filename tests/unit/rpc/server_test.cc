// SPDX-License-Identifier: Apache-2.0
#include "rpc/server.h"

#include "tests/unit/rpc/server_harness.h"

namespace freshline::rpc {
namespace {

using absl::StatusCode;
using test::IsOk;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST_F(ServerTest, SmallRequestsAreAnsweredWhileALargeOneIsDecoded) {
  Start();
  Future<PushAnswer> large;
  BlockIntake(&large);
  ASSERT_THAT(client_->PushEvents(Clicks(2, 3)), IsOk());
  const auto answer = client_->GetFeatures(Query(2));
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(*answer->Int64("quick:n"), 3);
  EXPECT_FALSE(large.ready());
  blocker_.Open();
  ASSERT_THAT(large.Wait(), IsOk());
  EXPECT_EQ(Accepted(*large.Wait(), Blocker::kEvents), Blocker::kEvents);
}

TEST_F(ServerTest, LargeQueriesAreAnsweredLikeSmallOnes) {
  Start();
  std::vector<int64_t> users(500);
  std::iota(users.begin(), users.end(), 1'000'000);
  const auto answer =
      client_->GetFeatures(FeatureRequest("s")
                               .Entity("user_id", users)
                               .AddEvents(Clicks(1'000'007, 300, "p")));
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(*answer->Int64("quick:n", 7), 300);
  EXPECT_EQ(*answer->Int64("quick:n", 8), 0);
  EXPECT_THAT(
      client_->GetFeatures(FeatureRequest("nobody").Entity("user_id", users)),
      StatusIs(StatusCode::kNotFound, HasSubstr("nobody")));
}

// An event more than the producer's window behind another would be LATE: the
// later request must not overtake the earlier one that the intake still holds.
TEST_F(ServerTest, EventsOfAProducerDoNotOvertakeALargeRequest) {
  Start();
  constexpr size_t kLarge = 100;
  constexpr uint64_t kBeyond = 50 + ingest::SequenceWindow::kSize;
  Future<PushAnswer> blocking;
  BlockIntake(&blocking);
  Future<PushAnswer> large;
  Future<PushAnswer> small;
  Future<FeatureAnswer> query;
  client_->PushEvents({Clicks(2, kLarge, "p")}, large.Callback());
  client_->PushEvents({Clicks(2, 1, "p", kBeyond)}, small.Callback());
  client_->GetFeatures(Query(2).AddEvents(Clicks(2, 1, "p", kBeyond + 1)),
                       query.Callback());
  AwaitPoller();
  // Whoever sends no numbers, or is another connection, does not wait.
  ASSERT_THAT(client_->PushEvents(Clicks(3, 1)), IsOk());
  ASSERT_THAT(Connect()->PushEvents(Clicks(3, 1, "q")), IsOk());
  EXPECT_FALSE(small.ready());
  EXPECT_FALSE(query.ready());
  blocker_.Open();
  ASSERT_THAT(large.Wait(), IsOk());
  EXPECT_EQ(Accepted(*large.Wait(), kLarge), kLarge);
  EXPECT_EQ(Accepted(*small.Wait(), 1), 1U);
  ASSERT_THAT(query.Wait(), IsOk());
  EXPECT_EQ(query.Wait()->events(0).status(0), EventStatus::kAccepted);
  EXPECT_EQ(*query.Wait()->Int64("quick:n"), kLarge + 2);
}

TEST_F(ServerTest, RefusesLargeRequestsBeyondTheIntakesBytes) {
  ServerOptions options;
  options.intake_bytes_max = 1024;
  Start(options);
  Future<PushAnswer> blocking;
  BlockIntake(&blocking);
  EXPECT_THAT(client_->PushEvents(Clicks(2, 100)),
              StatusIs(StatusCode::kResourceExhausted,
                       AllOf(HasSubstr("1024 bytes"),
                             HasSubstr("parts of at most 256 bytes"))));
  EXPECT_THAT(client_->GetFeatures(FeatureRequest("s").Entity(
                  "user_id", std::vector<int64_t>(500, 2))),
              StatusIs(StatusCode::kResourceExhausted, HasSubstr("1024")));
  EXPECT_THAT(client_->PushEvents(Clicks(2, 1)), IsOk());
  EXPECT_EQ(*client_->GetFeatures(Query(2))->Int64("quick:n"), 1)
      << "nothing of a refused request is applied";
  blocker_.Open();
  EXPECT_THAT(blocking.Wait(), IsOk());
}

TEST_F(ServerTest, RefusalsForLoadSayWhenToTryAgain) {
  ServerOptions options;
  options.intake_bytes_max = 1024;
  options.retry_after = std::chrono::milliseconds(250);
  Start(options);
  Future<PushAnswer> blocking;
  BlockIntake(&blocking);
  EXPECT_EQ(Refused(WireQuery("s", 500), grpc::StatusCode::RESOURCE_EXHAUSTED),
            "250");
  EXPECT_EQ(Refused(WireQuery("nobody", 1), grpc::StatusCode::NOT_FOUND), "")
      << "trying again would not help";
  blocker_.Open();
  EXPECT_THAT(blocking.Wait(), IsOk());
}

TEST_F(ServerTest, RequestsBeyondThoseInFlightAreToldWhenToTryAgain) {
  ServerOptions options;
  options.requests_in_flight_max = 0;
  options.retry_after = std::chrono::microseconds(1);
  Start(options);
  EXPECT_EQ(Refused(WireQuery("s", 1), grpc::StatusCode::RESOURCE_EXHAUSTED),
            "1")
      << "0 would ask for no wait at all";
  server_->BeginDrain();
  EXPECT_EQ(Refused(WireQuery("s", 1), grpc::StatusCode::UNAVAILABLE), "");
}

// The caller goes while its query waits for the intake, where it is served
// nevertheless: its events count.
TEST_F(ServerTest, ACallerMayLeaveWhileTheIntakeHoldsItsRequest) {
  Start();
  Future<PushAnswer> blocking;
  BlockIntake(&blocking);
  {
    const auto raw = ConnectRaw();
    v1::GetFeaturesRequest request;
    request.set_feature_service("s");
    auto* key = request.add_entities();
    key->set_name("user_id");
    for (int i = 0; i < 500; ++i) {
      key->mutable_values()->mutable_int64s()->add_values(2);
    }
    absl::Status status;
    std::latch done(1);
    raw->Send(client::Method::kGetFeatures, request.SerializeAsString(),
              clock_.Now() + std::chrono::milliseconds(20),
              [&](const absl::Status& s, absl::string_view, base::MonoTime) {
                status = s;
                done.count_down();
              });
    done.wait();
    EXPECT_THAT(status, StatusIs(StatusCode::kDeadlineExceeded, HasSubstr("")));
  }
  blocker_.Open();
  EXPECT_THAT(blocking.Wait(), IsOk());
  EXPECT_THAT(client_->PushEvents(Clicks(2, 100)), IsOk());
}

// Every look at the clock takes a third of the SLO, so that the time of a call
// is over before the poller turns to it; unless it is taken to have come while
// the process stood still, as a slow machine may make it look now and then.
TEST_F(ServerTest, WhatStoodInLineTooLongIsRefusedAndComesAgainLater) {
  ServerOptions options;
  options.retry_after = std::chrono::milliseconds(70);
  Start(options);
  // A machine that stands still for 22 ms has a call refused, too.
  uint64_t refused = 0;
  const auto is_served = [&] {
    for (int tries = 0; tries < 100; ++tries, ++refused) {
      if (client_->GetFeatures(Query(1)).ok()) return true;
    }
    return false;
  };
  EXPECT_TRUE(is_served());
  clock_.TickBy(std::chrono::milliseconds(10));
  const auto stub = v1::FeatureStore::NewStub(
      grpc::CreateChannel(target(), grpc::InsecureChannelCredentials()));
  grpc::Status status;
  std::string hint;
  for (int tries = 0; status.ok() && tries < 100; ++tries) {
    grpc::ClientContext context;
    v1::GetFeaturesResponse response;
    status = stub->GetFeatures(&context, WireQuery("s", 1), &response);
    const auto& trailing = context.GetServerTrailingMetadata();
    const auto found = trailing.find(kRetryPushbackKey);
    if (found == trailing.end()) continue;
    hint = {found->second.data(), found->second.size()};
  }
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status.error_message(), HasSubstr("stood in line for"));
  EXPECT_EQ(hint, "70");
  ++refused;
  clock_.TickBy({});
  EXPECT_TRUE(is_served());
  v1::GetStatusResponse answered;
  grpc::ClientContext context;
  const auto operations = v1::Operations::NewStub(
      grpc::CreateChannel(target(), grpc::InsecureChannelCredentials()));
  ASSERT_TRUE(operations->GetStatus(&context, {}, &answered).ok());
  EXPECT_EQ(answered.front_end().refused_overdue(), refused);
  EXPECT_GE(answered.front_end().calls(), 3U);
  EXPECT_GE(answered.front_end().wait_us_max(), 22'500);
}

TEST_F(ServerTest, ShutdownServesWhatTheIntakeHolds) {
  Start();
  Future<PushAnswer> blocking;
  BlockIntake(&blocking);
  Future<PushAnswer> waiting;
  client_->PushEvents({Clicks(2, 100)}, waiting.Callback());
  AwaitPoller();
  server_->BeginDrain();
  EXPECT_THAT(client_->PushEvents(Clicks(2, 100)),
              StatusIs(StatusCode::kUnavailable, HasSubstr("draining")));
  EXPECT_GE(server_->last_activity(), clock_.Now() - std::chrono::minutes(1));
  std::thread shutdown([&] { server_->Shutdown(std::chrono::minutes(1)); });
  blocker_.Open();
  shutdown.join();
  EXPECT_THAT(blocking.Wait(), IsOk());
  ASSERT_THAT(waiting.Wait(), IsOk());
  EXPECT_EQ(Accepted(*waiting.Wait(), 100), 100U);
}

TEST_F(ServerTest, ActivityIsTheLastCallOrTheIntakesWork) {
  Start();
  const base::MonoTime before = clock_.Now();
  ASSERT_THAT(client_->PushEvents(Clicks(2, 1)), IsOk());
  const base::MonoTime called = server_->last_activity();
  EXPECT_GE(called, before);
  EXPECT_EQ(server_->last_activity(), called);
  Future<PushAnswer> blocking;
  BlockIntake(&blocking);
  const base::MonoTime busy = server_->last_activity();
  EXPECT_GT(server_->last_activity(), busy);
  blocker_.Open();
  EXPECT_THAT(blocking.Wait(), IsOk());
}

TEST_F(ServerTest, EveryCallIsCountedOnceByItsCode) {
  using Counts = std::vector<std::pair<StatusCode, uint64_t>>;
  Start();
  AwaitPoller();
  Refused(WireQuery("nobody", 1), grpc::StatusCode::NOT_FOUND);
  Refused(WireQuery("nobody", 1), grpc::StatusCode::NOT_FOUND);
  Refused(WireQuery("s", 0), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(client_->CheckHealth("nobody"),
              StatusIs(StatusCode::kNotFound, HasSubstr("service")));
  const RequestCounts& counts = *server_->report().counts;
  EXPECT_EQ(counts.Of(Method::kGetFeatures).All(),
            (Counts{{StatusCode::kOk, 1},
                    {StatusCode::kInvalidArgument, 1},
                    {StatusCode::kNotFound, 2}}));
  EXPECT_EQ(counts.Of(Method::kCheckHealth).All(),
            (Counts{{StatusCode::kNotFound, 1}}));
  EXPECT_TRUE(counts.Of(Method::kPushEvents).All().empty());
  server_->BeginDrain();
  Refused(WireQuery("s", 1), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(counts.refused[static_cast<size_t>(CallRefusal::kDraining)], 1U);
  EXPECT_TRUE(server_->report().draining);
}

TEST_F(ServerTest, ARefusalForABoundIsCountedByThatBound) {
  ServerOptions options;
  options.intake_bytes_max = 1;
  Start(options);
  Future<PushAnswer> push;
  BlockIntake(&push);
  EXPECT_THAT(client_->PushEvents(Clicks(1, Blocker::kEvents)),
              StatusIs(StatusCode::kResourceExhausted, HasSubstr("large")));
  const RequestCounts& counts = *server_->report().counts;
  EXPECT_EQ(counts.refused[static_cast<size_t>(CallRefusal::kIntake)], 1U);
  EXPECT_EQ(counts.refused[static_cast<size_t>(CallRefusal::kInFlight)], 0U);
  blocker_.Open();
  EXPECT_THAT(push.Wait(), IsOk());
}

}  // namespace
}  // namespace freshline::rpc
