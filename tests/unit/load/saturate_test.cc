// SPDX-License-Identifier: Apache-2.0
#include "bench/load/saturate.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "bench/load/echo_server.h"
#include "freshline/v1/feature_store.pb.h"
#include "tests/support/fake_feature_store.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

using std::chrono::milliseconds;
using test::IsOk;
using test::StatusIs;
using ::testing::HasSubstr;

SaturateOptions Quick() {
  SaturateOptions options;
  options.in_flight = 4;
  options.warm_up = milliseconds(5);
  options.duration = milliseconds(30);
  options.repeats = 3;
  return options;
}

std::unique_ptr<client::RawClient> Connect(const std::string& target) {
  auto client = client::RawClient::Create({.target = target, .channels = 2});
  EXPECT_THAT(client, IsOk());
  return *std::move(client);
}

TEST(MedianTest, IsTheMiddleOrTheLowerOfTwo) {
  EXPECT_EQ(Median({3}), 3);
  EXPECT_EQ(Median({9, 1, 5}), 5);
  EXPECT_EQ(Median({4, 1, 9, 5}), 4);
}

TEST(SaturateTest, ComparesAServerWithTheEcho) {
  EchoOptions options;
  options.answer = EchoAnswer(100);
  auto echo = EchoServer::Start(options);
  ASSERT_THAT(echo, IsOk());
  auto client = Connect(absl::StrCat("127.0.0.1:", (*echo)->port()));
  const SaturateSide side{client.get(), "request"};
  const auto result = Saturate(side, side, Quick());
  ASSERT_THAT(result, IsOk());
  EXPECT_EQ(result->server_runs.size(), 3u);
  EXPECT_EQ(result->echo_runs.size(), 3u);
  EXPECT_GT(result->server.calls, 0u);
  EXPECT_GT(result->server.qps, 0);
  EXPECT_GT(result->qps_ratio, 0);
  EXPECT_GT(result->qps_ratio_min, 0);
  EXPECT_LE(result->qps_ratio_min, result->qps_ratio);
  EXPECT_GE(result->qps_ratio_max, result->qps_ratio);
  EXPECT_EQ(result->server.answer_bytes, options.answer.size());
  EXPECT_LE(result->server.latency_us_p50, result->server.latency_us_p99);
  // No process was given to measure.
  EXPECT_EQ(result->server.server_cpu_us, 0);
  EXPECT_EQ(client->outstanding(), 0u);
}

TEST(SaturateTest, FetchesTheBytesOfOneAnswer) {
  EchoOptions options;
  options.answer = "just these bytes";
  auto echo = EchoServer::Start(options);
  ASSERT_THAT(echo, IsOk());
  auto client = Connect(absl::StrCat("127.0.0.1:", (*echo)->port()));
  const auto answer = FetchAnswer({client.get(), "request"});
  ASSERT_THAT(answer, IsOk());
  EXPECT_EQ(*answer, "just these bytes");
  test::FakeFeatureStore store({});  // answers UNIMPLEMENTED
  auto refused = Connect(store.target());
  EXPECT_FALSE(FetchAnswer({refused.get(), ""}).ok());
}

TEST(SaturateTest, MeasuresTheCpuOfAProcess) {
  // Any process of which the CPU time grows stands in for the server.
  auto busy =
      ProcessRunner::Start({.arguments = {"sh", "-c", "while :; do :; done"},
                            .log_path = "",
                            .port_file = ""});
  ASSERT_THAT(busy, IsOk());
  auto echo = EchoServer::Start({});
  ASSERT_THAT(echo, IsOk());
  auto client = Connect(absl::StrCat("127.0.0.1:", (*echo)->port()));
  const auto result =
      RunClosedLoop({client.get(), "request", busy->get()}, Quick());
  ASSERT_THAT(result, IsOk());
  EXPECT_GT(result->server_cpu_us, 0);
  (*busy)->Stop();
  EXPECT_THAT(RunClosedLoop({client.get(), "request", busy->get()}, Quick()),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("ended")));
}

TEST(SaturateTest, ErrorsAreNoThroughput) {
  test::FakeFeatureStore store({});  // answers UNIMPLEMENTED
  auto client = Connect(store.target());
  const SaturateSide side{client.get(), ""};
  EXPECT_THAT(Saturate(side, side, Quick()),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("errors")));
}

TEST(SaturateTest, RefusesOptionsOutOfRange) {
  auto echo = EchoServer::Start({});
  ASSERT_THAT(echo, IsOk());
  auto client = Connect(absl::StrCat("127.0.0.1:", (*echo)->port()));
  const SaturateSide side{client.get(), ""};
  SaturateOptions options = Quick();
  options.in_flight = 0;
  EXPECT_THAT(RunClosedLoop(side, options),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("in_flight is 0")));
  options = Quick();
  options.repeats = 0;
  EXPECT_THAT(
      Saturate(side, side, options),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("repeats is 0")));
}

}  // namespace
}  // namespace freshline::bench
