// SPDX-License-Identifier: Apache-2.0
#include "freshline/client.h"

#include <gmock/gmock.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "freshline/v1/feature_store.pb.h"
#include "freshline/v1/operations.pb.h"
#include "tests/support/fake_feature_store.h"
#include "tests/support/latch.h"
#include "tests/support/status_matchers.h"

namespace freshline {
namespace {

using test::FakeFeatureStore;
using test::IsOk;
using test::Latch;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::unique_ptr<Client> Connect(const std::string& target,
                                ClientOptions options = {}) {
  options.target = target;
  auto client = Client::Create(options);
  EXPECT_THAT(client, IsOk());
  return *std::move(client);
}

absl::Status EchoRows(const v1::GetFeaturesRequest& request,
                      v1::GetFeaturesResponse* response) {
  response->set_rows(1);
  response->set_request_id(request.request_id());
  v1::FeatureColumn& column = *response->add_features();
  column.set_name("echo:key");
  column.mutable_values()->mutable_int64s()->add_values(
      request.entities(0).values().int64s().values(0));
  return absl::OkStatus();
}

TEST(ClientTest, GetsFeatures) {
  FakeFeatureStore store({.get_features = EchoRows});
  auto client = Connect(store.target());
  FeatureRequest request("recommend");
  request.Entity("user_id", {42}).RequestId("abc");
  const auto answer = client->GetFeatures(request);
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(answer->request_id(), "abc");
  EXPECT_EQ(*answer->Int64("echo:key"), 42);
}

TEST(ClientTest, TellsTheDaemonWhatItsAnswersCostOnTheWay) {
  std::vector<std::optional<int64_t>> told;
  FakeFeatureStore store({.get_features = [&](const v1::GetFeaturesRequest& r,
                                              v1::GetFeaturesResponse* out) {
    told.emplace_back();
    if (r.has_overhead_us()) told.back() = r.overhead_us();
    out->set_server_us(1);
    return EchoRows(r, out);
  }});
  auto client = Connect(store.target());
  FeatureRequest request("recommend");
  request.Entity("user_id", {42});
  for (int i = 0; i < 3; ++i) {
    ASSERT_THAT(client->GetFeatures(request), IsOk());
  }
  v1::GetFeaturesRequest own = request.proto();
  own.set_overhead_us(77);
  ASSERT_THAT(client->GetFeatures(FeatureRequest(own)), IsOk());
  ASSERT_EQ(told.size(), 4U);
  EXPECT_FALSE(told[0].has_value());
  EXPECT_GT(told[1].value_or(0), 0);
  EXPECT_GT(told[2].value_or(0), 0);
  EXPECT_EQ(told[3], 77);  // what the caller says itself holds
}

TEST(ClientTest, PushesEventsAndReadsTheirResults) {
  FakeFeatureStore store(
      {.push_events = [](const v1::PushEventsRequest& request,
                         v1::PushEventsResponse* response) {
        uint64_t next = 100;
        for (const v1::EventBatch& batch : request.batches()) {
          v1::EventResults& results = *response->add_results();
          results.set_ack_level(v1::MEMORY);
          for (int i = 0; i < batch.event_time_us_size(); ++i) {
            results.add_ingest_sequence(next++);
          }
        }
        return absl::OkStatus();
      }});
  auto client = Connect(store.target());
  EventRows clicks("clicks");
  clicks.Int64s("user_id", {1, 2}).TimesUs({10, 20});
  const auto answer = client->PushEvents({clicks, clicks});
  ASSERT_THAT(answer, IsOk());
  ASSERT_EQ(answer->event_batches(), 2u);
  EXPECT_EQ(answer->events(1).ingest_sequence(1), 103u);
  ASSERT_THAT(client->PushEvents(clicks), IsOk());
}

TEST(ClientTest, ReportsOutcomesAndReadsTheirStatuses) {
  v1::ReportOutcomeRequest told;
  FakeFeatureStore store(
      {.report_outcome = [&](const v1::ReportOutcomeRequest& request,
                             v1::ReportOutcomeResponse* response) {
        told = request;
        if (request.request_id_size() > 1) {
          response->add_statuses(v1::OUTCOME_ACCEPTED);
          response->add_statuses(v1::OUTCOME_REPEATED);
        }
        return absl::OkStatus();
      }});
  auto client = Connect(store.target());
  OutcomeReport report("recommend");
  report.Entity("user_id", {42}).Loss("a", 0.5);
  const auto one = client->ReportOutcome(report);
  ASSERT_THAT(one, IsOk());
  ASSERT_EQ(one->size(), 1u);
  EXPECT_EQ(one->status(0), OutcomeStatus::kAccepted);
  EXPECT_EQ(told.feature_service(), "recommend");
  EXPECT_EQ(told.entities(0).values().int64s().values(0), 42);

  const auto two = client->ReportOutcome(report.Loss("b", 1));
  ASSERT_THAT(two, IsOk());
  ASSERT_EQ(two->size(), 2u);
  EXPECT_EQ(two->status(1), OutcomeStatus::kRepeated);
  EXPECT_EQ(ToString(two->status(1)), "OUTCOME_REPEATED");
  EXPECT_EQ(told.request_id(1), "b");
  EXPECT_EQ(told.loss(1), 1);
}

TEST(ClientTest, ReadsTheDaemonsStatus) {
  FakeFeatureStore store({.get_status = [](v1::GetStatusResponse* response) {
    response->set_version("1.2");
    response->set_revision(4);
    response->set_phase(v1::SERVING);
    response->set_uptime_us(5);
    response->mutable_queries()->set_answered(6);
    response->mutable_queries()->set_late(7);
    return absl::OkStatus();
  }});
  auto client = Connect(store.target());
  const auto status = client->GetStatus();
  ASSERT_THAT(status, IsOk());
  EXPECT_EQ(status->version(), "1.2");
  EXPECT_EQ(status->revision(), 4u);
  EXPECT_TRUE(status->serving());
  EXPECT_EQ(status->uptime(), std::chrono::microseconds(5));
  EXPECT_EQ(status->queries_answered(), 6u);
  EXPECT_EQ(status->queries_late(), 7u);
}

TEST(ClientTest, ChecksHealthOfTheDaemonAndOfAService) {
  FakeFeatureStore store(
      {.check_health = [](const std::string& service, bool* serving) {
        *serving = service.empty();
        return service == "no" ? absl::StatusCode::kNotFound
                               : absl::StatusCode::kOk;
      }});
  auto client = Connect(store.target());
  EXPECT_EQ(*client->CheckHealth(), Health::kServing);
  EXPECT_EQ(*client->CheckHealth("draining"), Health::kNotServing);
  EXPECT_THAT(client->CheckHealth("no"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("unknown")));
}

TEST(ClientTest, KeepsCodeMessageAndDetailsOfAnError) {
  FakeFeatureStore store(
      {.get_features =
           [](const v1::GetFeaturesRequest&, v1::GetFeaturesResponse*) {
             return absl::InvalidArgumentError("entities[0] is wrong");
           },
       .error_details = std::string("\x01\x00\x02", 3)});
  auto client = Connect(store.target());
  const auto answer = client->GetFeatures(FeatureRequest("recommend"));
  EXPECT_THAT(answer, StatusIs(absl::StatusCode::kInvalidArgument,
                               "entities[0] is wrong"));
  EXPECT_EQ(answer.status().GetPayload("grpc-status-details-bin"),
            absl::Cord(absl::string_view("\x01\x00\x02", 3)));
}

TEST(ClientTest, AnUnreachableTargetIsUnavailableAndNamed) {
  std::string target;
  { target = FakeFeatureStore({}).target(); }
  auto client = Connect(target);
  EXPECT_THAT(client->GetStatus(),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr(target)));
}

TEST(ClientTest, GivesUpWhenBudgetAndSlackHavePassed) {
  Latch release;
  FakeFeatureStore store({.get_features = [&](const v1::GetFeaturesRequest&,
                                              v1::GetFeaturesResponse*) {
    release.Wait();
    return absl::OkStatus();
  }});
  ClientOptions options;
  options.deadline_slack = std::chrono::milliseconds(20);
  auto client = Connect(store.target(), options);
  FeatureRequest request("recommend");
  request.Budget(std::chrono::milliseconds(1));
  EXPECT_THAT(client->GetFeatures(request),
              StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("")));
  release.Open();
}

TEST(ClientTest, DestructionCancelsEveryCallExactlyOnce) {
  constexpr int kCalls = 50;
  Latch release;
  FakeFeatureStore store({.get_features = [&](const v1::GetFeaturesRequest&,
                                              v1::GetFeaturesResponse*) {
    release.Wait();
    return absl::OkStatus();
  }});
  std::atomic<int> cancelled{0};
  std::atomic<int> others{0};
  ClientOptions options;
  options.channels = 4;
  options.completion_threads = 2;
  auto client = Connect(store.target(), options);
  for (int i = 0; i < kCalls; ++i) {
    client->GetFeatures(
        FeatureRequest("recommend"), [&](absl::StatusOr<FeatureAnswer> answer) {
          (absl::IsCancelled(answer.status()) ? cancelled : others)++;
        });
  }
  client.reset();
  EXPECT_EQ(cancelled, kCalls);
  EXPECT_EQ(others, 0);
  release.Open();
}

TEST(ClientTest, ACallbackMayStartTheNextCall) {
  FakeFeatureStore store({.get_features = EchoRows});
  auto client = Connect(store.target());
  Latch finished;
  int left = 20;
  FeatureRequest request("recommend");
  request.Entity("user_id", {1});
  std::function<void()> next = [&] {
    client->GetFeatures(request, [&](absl::StatusOr<FeatureAnswer> answer) {
      EXPECT_THAT(answer, IsOk());
      if (--left == 0) {
        finished.Open();
      } else {
        next();
      }
    });
  };
  next();
  finished.Wait();
  EXPECT_EQ(left, 0);
}

TEST(ClientTest, AWaitingCallInACallbackIsRefused) {
  FakeFeatureStore store({.get_features = EchoRows});
  auto client = Connect(store.target());
  Latch finished;
  absl::Status inner;
  FeatureRequest request("recommend");
  request.Entity("user_id", {1});
  client->GetFeatures(request, [&](absl::StatusOr<FeatureAnswer>) {
    inner = client->GetFeatures(request).status();
    finished.Open();
  });
  finished.Wait();
  EXPECT_THAT(inner, StatusIs(absl::StatusCode::kFailedPrecondition,
                              HasSubstr("asynchronous")));
}

TEST(ClientTest, MoreCallsThanAllowedAreRefusedAtOnce) {
  Latch release;
  FakeFeatureStore store({.get_features = [&](const v1::GetFeaturesRequest&,
                                              v1::GetFeaturesResponse*) {
    release.Wait();
    return absl::OkStatus();
  }});
  ClientOptions options;
  options.outstanding_max = 2;
  auto client = Connect(store.target(), options);
  for (int i = 0; i < 2; ++i) {
    client->GetFeatures(FeatureRequest("recommend"),
                        [](absl::StatusOr<FeatureAnswer>) {});
  }
  EXPECT_THAT(client->GetFeatures(FeatureRequest("recommend")),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       HasSubstr("outstanding_max")));
  release.Open();
}

TEST(ClientTest, ServesManyThreadsAtOnce) {
  FakeFeatureStore store({.get_features = EchoRows});
  ClientOptions options;
  options.channels = 3;
  options.completion_threads = 2;
  auto client = Connect(store.target(), options);
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int64_t i = 0; i < 50; ++i) {
        FeatureRequest request("recommend");
        request.Entity("user_id", {t * 1000 + i});
        const auto answer = client->GetFeatures(request);
        if (answer.ok() && *answer->Int64("echo:key") == t * 1000 + i) ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 200);
}

TEST(ClientTest, EveryBadOptionIsNamedWithItsValueAndRange) {
  const auto error = [](auto change) {
    ClientOptions options;
    change(options);
    return Client::Create(options).status();
  };
  const auto named = [](const char* option, const char* value) {
    return StatusIs(absl::StatusCode::kInvalidArgument,
                    AllOf(HasSubstr(option), HasSubstr(value)));
  };
  EXPECT_THAT(error([](auto& o) { o.target = ""; }), named("target", "empty"));
  EXPECT_THAT(error([](auto& o) { o.channels = 0; }),
              named("channels", "from 1 to 256"));
  EXPECT_THAT(error([](auto& o) { o.completion_threads = 65; }),
              named("completion_threads", "65"));
  EXPECT_THAT(error([](auto& o) { o.outstanding_max = 0; }),
              named("outstanding_max", "0"));
  EXPECT_THAT(error([](auto& o) { o.receive_bytes_max = 3; }),
              named("receive_bytes_max", "3"));
  EXPECT_THAT(error([](auto& o) { o.deadline_slack = std::chrono::hours(2); }),
              named("deadline_slack", "7200000000"));
  EXPECT_THAT(error([](auto& o) { o.timeout = std::chrono::seconds(0); }),
              named("timeout", "0 us"));
  EXPECT_THAT(
      error([](auto& o) { o.keepalive_time = std::chrono::seconds(29); }),
      named("keepalive_time", "29000 ms"));
  EXPECT_THAT(
      error([](auto& o) { o.keepalive_timeout = std::chrono::seconds(0); }),
      named("keepalive_timeout", "0 ms"));
}

}  // namespace
}  // namespace freshline
