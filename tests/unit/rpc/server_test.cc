// SPDX-License-Identifier: Apache-2.0
#include "rpc/server.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/raw_client.h"
#include "featurize/aggregate/aggregate.h"
#include "freshline/client.h"
#include "freshline/v1/feature_store.grpc.pb.h"
#include "freshline/v1/operations.grpc.pb.h"
#include "registry/validate.h"
#include "rpc/grpc_status.h"
#include "tests/support/status_matchers.h"

namespace freshline::rpc {
namespace {

using absl::StatusCode;
using test::IsOk;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kDefinitions[] = R"pb(
  entity {
    name: "user"
    key { name: "user_id" type: INT64 }
  }
  source {
    name: "clicks"
    entity: "user"
    column { name: "price" type: FLOAT64 }
    retention: "30d"
  }
  feature_group {
    name: "quick"
    source: "clicks"
    feature {
      name: "n"
      type { scalar: INT64 }
      default { int64: 0 }
      aggregate { fn: COUNT over: "1d" }
    }
  }
  feature_service { name: "s" feature: "quick:n" slo: "30ms" }
)pb";

// Requests above it go to the intake.
constexpr uint32_t kPollerBytesMax = 256;

// A push of so many events keeps the thread that applies it until Open().
class Blocker final : public ingest::ChangeListener {
 public:
  void OnEvents(std::span<const ingest::Change> changes) override {
    if (changes.size() < kEvents) return;
    running_.count_down();
    open_.wait();
  }
  void AwaitRunning() { running_.wait(); }
  void Open() { open_.count_down(); }

  static constexpr size_t kEvents = 1000;

 private:
  std::latch running_{1};
  std::latch open_{1};
};

// What an asynchronous call came to.
template <typename Answer>
class Future {
 public:
  auto Callback() {
    return [this](absl::StatusOr<Answer> got) {
      result_ = std::move(got);
      done_.count_down();
    };
  }
  bool ready() const { return done_.try_wait(); }
  absl::StatusOr<Answer>& Wait() {
    done_.wait();
    return result_;
  }

 private:
  std::latch done_{1};
  absl::StatusOr<Answer> result_ = absl::UnknownError("not yet");
};

// The machine's clock, on which every look at it may take its time.
class TickingClock final : public base::Clock {
 public:
  base::MonoTime Now() const override {
    const base::Duration tick = tick_.load();
    return Real().Now() + (lead_ += tick.count()) * base::Duration(1);
  }
  base::UnixMicros WallNowMicros() const override {
    return Real().WallNowMicros();
  }
  void TickBy(base::Duration tick) { tick_ = tick; }

 private:
  std::atomic<base::Duration> tick_{base::Duration()};
  mutable std::atomic<int64_t> lead_{0};
};

// The server on loopback over a real table, with features computed inline.
class ServerTest : public ::testing::Test {
 protected:
  void Start(ServerOptions options = {}) {
    auto revision = registry::ParseDefinitions(kDefinitions, "test");
    ASSERT_THAT(revision, IsOk());
    revision_ = *revision;
    table_ = std::make_unique<table::Table>(revision_, table::TableOptions{});
    functions_.push_back(std::make_unique<featurize::AggregateFunction>(
        revision_->groups()[0], revision_->sources()[0]));
    metrics_ = *staleness::MakeMetrics(*revision_, "");
    scratch_ = std::make_unique<execute::ScratchPool>(functions_);
    ingest_ = std::make_unique<ingest::EventIngest>(
        revision_, table_.get(), &clock_, ingest::EventIngest::Options{},
        &blocker_);
    outcomes_ = std::make_unique<outcome::OutcomeBook>(
        outcome::OutcomeOptions{},
        outcome::OutcomeBook::Rooms{&clock_, revision_, table_.get(),
                                    &metrics_});
    features_ = std::make_unique<serve::FeatureServer>(
        serve::FeatureServer::Options{.answer_bytes_max =
                                          options.send_bytes_max},
        serve::FeatureServer::Rooms{
            .clock = &clock_,
            .revision = revision_,
            .table = table_.get(),
            .ingest = ingest_.get(),
            .metrics = &metrics_,
            .full = {&functions_, scratch_.get(), &costs_},
            .approximate = std::nullopt,
            .dispatcher = nullptr,
            .fan_out = &fan_out_});
    options.listen = {"127.0.0.1:0"};
    options.poller_request_bytes_max = kPollerBytesMax;
    auto server =
        Server::Start(std::move(options),
                      {&clock_, features_.get(), ingest_.get(), outcomes_.get(),
                       [](const ServerReport&, v1::GetStatusResponse*) {},
                       [this] { return revision_; }});
    ASSERT_THAT(server, IsOk());
    server_ = *std::move(server);
    client_ = Connect();
  }

  std::string target() const {
    return absl::StrCat("127.0.0.1:", server_->port(0));
  }
  std::unique_ptr<Client> Connect() const {
    ClientOptions options;
    options.target = target();
    return *Client::Create(options);
  }
  std::unique_ptr<client::RawClient> ConnectRaw() const {
    client::RawOptions options;
    options.target = target();
    return *client::RawClient::Create(options);
  }

  static v1::GetFeaturesRequest WireQuery(absl::string_view service, int n) {
    v1::GetFeaturesRequest request;
    request.set_feature_service(std::string(service));
    auto* key = request.add_entities();
    key->set_name("user_id");
    for (int i = 0; i < n; ++i) {
      key->mutable_values()->mutable_int64s()->add_values(2);
    }
    return request;
  }
  // What the server says of bytes that need not be a request.
  absl::Status SendBytes(client::Method method, std::string bytes) const {
    const auto raw = ConnectRaw();
    absl::Status status;
    std::latch done(1);
    raw->Send(method, std::move(bytes), base::kInfiniteFuture,
              [&](const absl::Status& s, absl::string_view, base::MonoTime) {
                status = s;
                done.count_down();
              });
    done.wait();
    return status;
  }

  // Sends a request that must come back with `code`. Returns: the retry hint
  // of the refusal, "" without one.
  std::string Refused(const v1::GetFeaturesRequest& request,
                      grpc::StatusCode code) const {
    const auto stub = v1::FeatureStore::NewStub(
        grpc::CreateChannel(target(), grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    v1::GetFeaturesResponse response;
    const grpc::Status status = stub->GetFeatures(&context, request, &response);
    EXPECT_EQ(status.error_code(), code) << status.error_message();
    const auto& trailing = context.GetServerTrailingMetadata();
    const auto hint = trailing.find(kRetryPushbackKey);
    if (hint == trailing.end()) return "";
    return {hint->second.data(), hint->second.size()};
  }

  // Clicks of `user` with the sequences from `first` on, of a producer unless
  // it is empty.
  EventRows Clicks(int64_t user, size_t n, absl::string_view producer = "",
                   uint64_t first = 0) const {
    EventRows rows("clicks");
    rows.Int64s("user_id", std::vector<int64_t>(n, user))
        .TimesUs(std::vector<int64_t>(n, clock_.WallNowMicros()));
    if (!producer.empty()) {
      std::vector<uint64_t> sequences(n);
      std::iota(sequences.begin(), sequences.end(), first);
      rows.Producer(producer, sequences);
    }
    return rows;
  }
  FeatureRequest Query(int64_t user) const {
    return FeatureRequest("s").Entity("user_id", {user});
  }

  // Returns when the intake is busy with a push that ends on blocker_.Open().
  void BlockIntake(Future<PushAnswer>* push) {
    client_->PushEvents({Clicks(1, Blocker::kEvents)}, push->Callback());
    blocker_.AwaitRunning();
  }
  // Returns when the poller has handled everything that client_ sent before.
  void AwaitPoller() { ASSERT_THAT(client_->GetFeatures(Query(1)), IsOk()); }
  static size_t Accepted(const PushAnswer& answer, size_t n) {
    size_t accepted = 0;
    for (size_t i = 0; i < n; ++i) {
      accepted += answer.events(0).status(i) == EventStatus::kAccepted;
    }
    return accepted;
  }

  TickingClock clock_;
  std::shared_ptr<const registry::Revision> revision_;
  std::unique_ptr<table::Table> table_;
  execute::FunctionSet functions_;
  staleness::MetricSet metrics_;
  estimate::InlineCosts costs_{1, std::chrono::microseconds(1)};
  std::unique_ptr<execute::ScratchPool> scratch_;
  Blocker blocker_;
  std::unique_ptr<ingest::EventIngest> ingest_;
  std::unique_ptr<outcome::OutcomeBook> outcomes_;
  std::unique_ptr<serve::FeatureServer> features_;
  execute::ThreadFanOut fan_out_{2, 100};
  std::unique_ptr<Server> server_;
  std::unique_ptr<Client> client_;
};

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
  EXPECT_THAT(client_->GetFeatures(Query(1)), IsOk());
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
  clock_.TickBy({});
  EXPECT_THAT(client_->GetFeatures(Query(1)), IsOk());
  v1::GetStatusResponse answered;
  grpc::ClientContext context;
  const auto operations = v1::Operations::NewStub(
      grpc::CreateChannel(target(), grpc::InsecureChannelCredentials()));
  ASSERT_TRUE(operations->GetStatus(&context, {}, &answered).ok());
  EXPECT_EQ(answered.front_end().refused_overdue(), 1U);
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
  EXPECT_EQ(counts.refused[static_cast<size_t>(Refusal::kDraining)], 1U);
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
  EXPECT_EQ(counts.refused[static_cast<size_t>(Refusal::kIntake)], 1U);
  EXPECT_EQ(counts.refused[static_cast<size_t>(Refusal::kInFlight)], 0U);
  blocker_.Open();
  EXPECT_THAT(push.Wait(), IsOk());
}

}  // namespace
}  // namespace freshline::rpc
