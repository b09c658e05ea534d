// SPDX-License-Identifier: Apache-2.0
#include "bench/load/echo_server.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "client/raw_client.h"
#include "freshline/v1/feature_store.pb.h"
#include "tests/support/latch.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::HasSubstr;

std::string Ask(client::RawClient& client, client::Method method) {
  test::Latch ended;
  std::string got;
  client.Send(method, "any request",
              base::Clock::Real().Now() + std::chrono::seconds(10),
              [&](const absl::Status& status, absl::string_view answer,
                  base::MonoTime) {
                EXPECT_THAT(status, IsOk());
                got.assign(answer.data(), answer.size());
                ended.Open();
              });
  ended.Wait();
  return got;
}

TEST(EchoServerTest, AnswersEveryMethodWithTheSameBytes) {
  EchoOptions options;
  options.answer = EchoAnswer(345);
  options.scan_threads = 2;
  options.scan_bytes = 1 << 20;
  options.port_file = absl::StrCat(::testing::TempDir(), "/echo.", getpid());
  auto server = EchoServer::Start(options);
  ASSERT_THAT(server, IsOk());
  int written = 0;
  std::ifstream(options.port_file) >> written;
  EXPECT_EQ(written, (*server)->port());
  auto client = client::RawClient::Create(
      {.target = absl::StrCat("127.0.0.1:", (*server)->port())});
  ASSERT_THAT(client, IsOk());
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(Ask(**client, client::Method::kGetFeatures), options.answer);
  }
  EXPECT_EQ(Ask(**client, client::Method::kPushEvents), options.answer);
}

TEST(EchoServerTest, ListensOnAUnixSocket) {
  EchoOptions options;
  options.listen =
      absl::StrCat("unix:", ::testing::TempDir(), "/echo.", getpid(), ".sock");
  auto server = EchoServer::Start(options);
  ASSERT_THAT(server, IsOk());
  EXPECT_EQ((*server)->port(), 0);
  auto client = client::RawClient::Create({.target = options.listen});
  ASSERT_THAT(client, IsOk());
  EXPECT_EQ(Ask(**client, client::Method::kGetFeatures), "");
}

TEST(EchoServerTest, TwoServersNeverShareAPort) {
  auto first = EchoServer::Start({});
  ASSERT_THAT(first, IsOk());
  EchoOptions options;
  options.listen = absl::StrCat("127.0.0.1:", (*first)->port());
  EXPECT_THAT(
      EchoServer::Start(options),
      StatusIs(absl::StatusCode::kUnavailable, HasSubstr(options.listen)));
}

TEST(EchoServerTest, RefusesOptionsOutOfRange) {
  EchoOptions options;
  options.scan_threads = 257;
  EXPECT_THAT(EchoServer::Start(options),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("257")));
}

TEST(EchoAnswerTest, HasTheSizeAskedForAndDecodes) {
  for (size_t bytes : {3u, 100u, 129u, 130u, 131u, 345u, 5000u, 16'387u}) {
    const std::string answer = EchoAnswer(bytes);
    EXPECT_LE(answer.size(), bytes);
    EXPECT_GE(answer.size() + 1, bytes);
    v1::GetFeaturesResponse response;
    EXPECT_TRUE(response.ParseFromString(answer)) << bytes;
  }
  EXPECT_EQ(EchoAnswer(2), "");
}

}  // namespace
}  // namespace freshline::bench
