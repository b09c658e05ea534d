// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "freshline/v1/operations.grpc.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "rpc/server.h"
#include "tests/support/http2_frames.h"
#include "tests/support/raw_connection.h"
#include "tests/support/status_matchers.h"

namespace freshline::rpc {
namespace {

using absl::StatusCode;
using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using test::Frame;
using test::FrameType;
using test::IsOk;
using test::RawConnection;
using test::StatusIs;
using ::testing::HasSubstr;

constexpr char kStatusPath[] = "/freshline.v1.Operations/GetStatus";
constexpr char kQueryPath[] = "/freshline.v1.FeatureStore/GetFeatures";
// More than a stream's window, so that an answer is not out before it is read.
constexpr size_t kAnswerBytes = 200'000;

// A server without rooms: health and status are all that is asked of it.
class StopAndFloodTest : public ::testing::Test {
 protected:
  void Start(ServerOptions options = {}) {
    if (options.listen.empty()) options.listen = {"127.0.0.1:0"};
    auto server =
        Server::Start(std::move(options),
                      {&clock_,
                       nullptr,
                       nullptr,
                       nullptr,
                       [](const ServerReport&, v1::GetStatusResponse* status) {
                         status->set_version(std::string(kAnswerBytes, 'v'));
                       },
                       {}});
    ASSERT_THAT(server, IsOk());
    server_ = *std::move(server);
  }
  std::string target() const {
    return std::string(absl::StrCat("127.0.0.1:", server_->port(0)));
  }
  static std::shared_ptr<grpc::Channel> Connect(const std::string& target) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(),
                                     arguments);
  }
  v1::ConnectionStatus ConnectionsOf(
      const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    v1::GetStatusResponse response;
    EXPECT_TRUE(v1::Operations::NewStub(channel)
                    ->GetStatus(&context, v1::GetStatusRequest(), &response)
                    .ok());
    return response.connections();
  }
  static grpc::Status Check(const std::shared_ptr<grpc::Channel>& channel,
                            size_t metadata = 0) {
    grpc::ClientContext context;
    if (metadata > 0) context.AddMetadata("x", std::string(metadata, 'v'));
    HealthCheckResponse response;
    return Health::NewStub(channel)->Check(&context, HealthCheckRequest(),
                                           &response);
  }
  // Whether a stop with nothing to wait for took less than the timeout that it
  // was given, by far.
  void ExpectStopsAtOnce() {
    const base::MonoTime before = clock_.Now();
    server_->Shutdown(std::chrono::minutes(2));
    EXPECT_LT(clock_.Now() - before, std::chrono::minutes(1));
  }

  const base::Clock& clock_ = base::Clock::Real();
  std::unique_ptr<Server> server_;
};

TEST_F(StopAndFloodTest, AWatcherIsToldAndItsStreamEnded) {
  Start();
  grpc::ClientContext context;
  const auto watch =
      Health::NewStub(Connect(target()))->Watch(&context, HealthCheckRequest());
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  server_->BeginDrain();
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  ExpectStopsAtOnce();
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(StopAndFloodTest, WhoeverMerelyHangsDoesNotHoldUpTheEnd) {
  Start();
  const auto idle = Connect(target());
  ASSERT_TRUE(Check(idle).ok());
  const RawConnection silent(server_->port(0));
  const RawConnection half(server_->port(0));
  ASSERT_TRUE(half.Send(test::kHttp2Preface.substr(0, 10)));
  const RawConnection begun(server_->port(0));
  begun.Begin();
  begun.AwaitServer();
  RawConnection opened(server_->port(0));
  opened.Begin();
  ASSERT_TRUE(opened.Send(Frame(FrameType::kHeaders, test::kEndHeaders, 1,
                                test::CallHeaders(kQueryPath))));
  opened.AwaitServer();
  RawConnection stalled(server_->port(0));
  stalled.Begin(/*window=*/0);
  stalled.Ask(kStatusPath);
  stalled.AwaitServer();
  ExpectStopsAtOnce();
  begun.AwaitEnd();
  opened.AwaitEnd();
  stalled.AwaitEnd();
}

TEST_F(StopAndFloodTest, AReaderThatStoppedAmidAnswersDoesNotHoldUpTheEnd) {
  Start();
  const auto channel = Connect(target());
  RawConnection stalled(server_->port(0));
  constexpr uint32_t kWide = 1 << 30;
  stalled.Begin(kWide);
  stalled.Widen(kWide);
  // More than the sockets hold.
  for (int i = 0; i < 70; ++i) stalled.Ask(kStatusPath);
  while (ConnectionsOf(channel).unread_bytes() < 2 * kAnswerBytes) {
  }
  ExpectStopsAtOnce();
  stalled.AwaitEnd();
}

TEST_F(StopAndFloodTest, NobodyConnectsAnyMoreOnceItHasStopped) {
  Start();
  const std::string old = target();
  server_->Shutdown(std::chrono::seconds(1));
  EXPECT_EQ(Check(Connect(old)).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(StopAndFloodTest, MetadataTooLargeEndTheirCallOnly) {
  Start();
  const auto channel = Connect(target());
  grpc::ClientContext context;
  const auto watch =
      Health::NewStub(channel)->Watch(&context, HealthCheckRequest());
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_TRUE(Check(channel, 4000).ok());
  const grpc::Status refused = Check(channel, 9000);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(), HasSubstr("at most 8192"));
  EXPECT_TRUE(Check(channel).ok());
  server_->BeginDrain();
  EXPECT_TRUE(watch->Read(&response)) << "the stream is still there";
}

TEST_F(StopAndFloodTest, AFloodEndsItsOwnConnectionAndNoOther) {
  Start();
  const auto channel = Connect(target());
  ASSERT_TRUE(Check(channel).ok());
  const std::string nothing =
      Frame(FrameType::kWindowUpdate, 0, 0, test::BigEndian(1, 4));
  std::string block;
  for (int i = 0; i < 1000; ++i) block += nothing;
  const RawConnection flood(server_->port(0));
  flood.Begin();
  while (flood.Send(block)) {
  }
  flood.AwaitEnd();
  const RawConnection endless(server_->port(0));
  endless.Begin();
  ASSERT_TRUE(endless.Send(
      Frame(FrameType::kHeaders, 0, 1, test::CallHeaders(kStatusPath))));
  const std::string more =
      Frame(FrameType::kContinuation, 0, 1, std::string(8000, '\0'));
  while (endless.Send(more)) {
  }
  endless.AwaitEnd();
  EXPECT_TRUE(Check(channel).ok());
  const v1::ConnectionStatus status = ConnectionsOf(channel);
  EXPECT_EQ(status.ended().at("idle_frames"), 1U);
  EXPECT_EQ(status.ended().at("header_block"), 1U);
  EXPECT_TRUE(Check(Connect(target())).ok()) << "a new client is served";
}

TEST_F(StopAndFloodTest, CallsResetAsSoonAsOpenedEndTheirConnection) {
  Start();
  const auto channel = Connect(target());
  const RawConnection flood(server_->port(0));
  flood.Begin();
  const std::string headers = test::CallHeaders(kQueryPath);
  uint32_t stream = 1;
  for (bool open = true; open;) {
    std::string block;
    for (int i = 0; i < 500; ++i, stream += 2) {
      block += Frame(FrameType::kHeaders, test::kEndHeaders, stream, headers) +
               Frame(FrameType::kResetStream, 0, stream, test::BigEndian(8, 4));
    }
    open = flood.Send(block);
  }
  flood.AwaitEnd();
  const v1::ConnectionStatus status = ConnectionsOf(channel);
  EXPECT_EQ(status.ended().at("resets") + status.ended().at("unfinished_calls"),
            1U);
}

TEST_F(StopAndFloodTest, AnswersThatNobodyReadsAreBounded) {
  ServerOptions options;
  options.connections.connection.answer_bytes_max = 5 * kAnswerBytes;
  Start(options);
  const auto channel = Connect(target());
  RawConnection stalled(server_->port(0));
  stalled.Begin(/*window=*/0);
  for (int i = 0; i < 20; ++i) stalled.Ask(kStatusPath);
  // A refusal needs no window; it comes when all before it were answered.
  while (ConnectionsOf(channel).answers_refused() < 16) {
  }
  const v1::ConnectionStatus status = ConnectionsOf(channel);
  EXPECT_EQ(status.answers_refused(), 16U);
  EXPECT_GE(status.unread_bytes(), 4 * kAnswerBytes);
  EXPECT_LE(status.unread_bytes(), 5 * kAnswerBytes);
}

TEST_F(StopAndFloodTest, CallsThatAreOverCountForNothing) {
  Start();
  const auto channel = Connect(target());
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(Check(channel).ok());
  }
  const v1::ConnectionStatus status = ConnectionsOf(channel);
  EXPECT_EQ(status.open(), 1U);
  EXPECT_LE(status.calls(), 2U) << "this one, and one just answered";
  EXPECT_EQ(status.unread_bytes(), 0U);
}

TEST_F(StopAndFloodTest, ServesSeveralAddressesOfEveryKind) {
  std::string folder = ::testing::TempDir() + "serveXXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  ServerOptions options;
  const std::string unix_address = "unix:" + folder + "/s.sock";
  options.listen = {"127.0.0.1:0", unix_address, "localhost:0"};
  Start(options);
  const auto first = Connect(unix_address);
  const auto second = Connect(unix_address);
  EXPECT_TRUE(Check(first).ok());
  EXPECT_TRUE(Check(second).ok());
  EXPECT_TRUE(Check(Connect(target())).ok());
  // By its number: the name service of gRPC leaks the names that it looks up.
  EXPECT_TRUE(
      Check(Connect(absl::StrCat("127.0.0.1:", server_->port(2)))).ok());
  EXPECT_EQ(server_->port(1), 0);
  // Each connection has its own account, on a Unix socket too.
  const v1::ConnectionStatus status = ConnectionsOf(first);
  EXPECT_GE(status.open(), 2U);
  EXPECT_LE(status.calls(), 3U);
  server_.reset();
  EXPECT_TRUE(std::filesystem::is_empty(folder));
  std::filesystem::remove_all(folder);
}

TEST_F(StopAndFloodTest, NamesTheAddressThatItCannotListenOn) {
  Start();
  ServerOptions second;
  second.listen = {"127.0.0.1:0", target()};
  EXPECT_THAT(
      Server::Start(second, {&clock_, nullptr, nullptr, nullptr, {}, {}})
          .status(),
      StatusIs(StatusCode::kFailedPrecondition, HasSubstr(target())));
}

TEST_F(StopAndFloodTest, AClientBeyondTheLimitIsRefusedAndCounted) {
  ServerOptions options;
  options.connections.open_max = 1;
  Start(options);
  const auto channel = Connect(target());
  ASSERT_TRUE(Check(channel).ok());
  EXPECT_EQ(Check(Connect(target())).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_GE(ConnectionsOf(channel).refused().at("connections_max"), 1U);
}

}  // namespace
}  // namespace freshline::rpc
