// SPDX-License-Identifier: Apache-2.0
#pragma once

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
#include "rpc/server.h"
#include "tests/support/status_matchers.h"

namespace freshline::rpc {

inline constexpr char kDefinitions[] = R"pb(
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
inline constexpr uint32_t kPollerBytesMax = 256;

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
    ASSERT_THAT(revision, test::IsOk());
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
                       [this](const ServerReport&, v1::GetStatusResponse* out) {
                         out->set_version(std::string(version_bytes_, 'v'));
                       },
                       [this] { return revision_; }});
    ASSERT_THAT(server, test::IsOk());
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
  void AwaitPoller() {
    ASSERT_THAT(client_->GetFeatures(Query(1)), test::IsOk());
  }
  static size_t Accepted(const PushAnswer& answer, size_t n) {
    size_t accepted = 0;
    for (size_t i = 0; i < n; ++i) {
      accepted += answer.events(0).status(i) == EventStatus::kAccepted;
    }
    return accepted;
  }

  size_t version_bytes_ = 0;  // of the status; constant once started
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

}  // namespace freshline::rpc
