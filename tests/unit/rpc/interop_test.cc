// SPDX-License-Identifier: Apache-2.0
// What clients of gRPC's own library expect of a server.

#include <google/protobuf/descriptor.pb.h>

#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1/reflection.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "tests/support/raw_connection.h"
#include "tests/unit/rpc/server_harness.h"

namespace freshline::rpc {
namespace {

using test::IsOk;
using ::testing::Contains;
using ::testing::HasSubstr;

class InteropTest : public ServerTest {
 protected:
  std::shared_ptr<grpc::Channel> Channel() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxReceiveMessageSize(-1);
    return grpc::CreateCustomChannel(
        target(), grpc::InsecureChannelCredentials(), arguments);
  }
  static v1::PushEventsRequest WirePush(int n) {
    v1::PushEventsRequest request;
    auto* batch = request.add_batches();
    batch->set_source("clicks");
    auto* key = batch->add_columns();
    key->set_name("user_id");
    for (int i = 0; i < n; ++i) {
      key->mutable_values()->mutable_int64s()->add_values(7);
      batch->add_event_time_us(1'700'000'000'000'000);
    }
    return request;
  }
};

template <typename Stub, typename Request, typename Response>
void Reflect(const std::shared_ptr<grpc::Channel>& channel) {
  const auto stub = Stub::NewStub(channel);
  grpc::ClientContext context;
  const auto stream = stub->ServerReflectionInfo(&context);
  Request request;
  Response response;
  request.set_list_services("");
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  std::vector<std::string> names;
  for (const auto& s : response.list_services_response().service()) {
    names.push_back(s.name());
  }
  EXPECT_THAT(names, Contains("freshline.v1.FeatureStore"));
  EXPECT_THAT(names, Contains("freshline.v1.Operations"));
  EXPECT_THAT(names, Contains("grpc.health.v1.Health"));
  EXPECT_THAT(names, Contains(HasSubstr("ServerReflection")));
  request.set_file_containing_symbol("freshline.v1.FeatureStore.GetFeatures");
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  ASSERT_GE(response.file_descriptor_response().file_descriptor_proto_size(),
            2);
  google::protobuf::FileDescriptorProto file;
  ASSERT_TRUE(file.ParseFromString(
      response.file_descriptor_response().file_descriptor_proto(0)));
  EXPECT_EQ(file.name(), "freshline/v1/feature_store.proto");
  request.set_file_by_filename("no/such.proto");
  ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.error_response().error_code(), 5);
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(InteropTest, ReflectsItsServices) {
  Start();
  const auto channel = Channel();
  namespace alpha = grpc::reflection::v1alpha;
  namespace one = grpc::reflection::v1;
  Reflect<alpha::ServerReflection, alpha::ServerReflectionRequest,
          alpha::ServerReflectionResponse>(channel);
  Reflect<one::ServerReflection, one::ServerReflectionRequest,
          one::ServerReflectionResponse>(channel);
}

// Also where the client finds that compressing this one would not pay.
TEST_F(InteropTest, CompressedMessagesAreRefused) {
  Start();
  const auto stub = v1::FeatureStore::NewStub(Channel());
  for (const int n : {1, 1000}) {
    grpc::ClientContext context;
    context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
    v1::PushEventsResponse response;
    const grpc::Status status =
        stub->PushEvents(&context, WirePush(n), &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << n;
    EXPECT_THAT(status.error_message(), HasSubstr("compressed by \"gzip\""));
    EXPECT_EQ(ingest_->Counters().accepted + ingest_->Counters().late, 0U);
  }
}

TEST_F(InteropTest, AMethodThatIsNotThereIsUnimplemented) {
  ServerOptions options;
  options.reflection = false;
  Start(options);
  const auto stub = grpc::reflection::v1::ServerReflection::NewStub(Channel());
  for (int i = 0; i < 100; ++i) {
    grpc::ClientContext context;
    const auto stream = stub->ServerReflectionInfo(&context);
    const grpc::Status status = stream->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED);
    EXPECT_THAT(status.error_message(), HasSubstr("/grpc.reflection.v1"));
  }
  EXPECT_LE(client_->GetStatus()->proto().connections().calls(), 1U)
      << "they are over";
}

TEST_F(InteropTest, AWatcherOfAServiceThatIsNotThereIsToldSo) {
  Start();
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckRequest request;
  request.set_service("nobody");
  const auto watch =
      grpc::health::v1::Health::NewStub(Channel())->Watch(&context, request);
  grpc::health::v1::HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(),
            grpc::health::v1::HealthCheckResponse::SERVICE_UNKNOWN);
  context.TryCancel();
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

// The largest answers and requests go through windows of a few hundred KiB.
TEST_F(InteropTest, LargeMessagesGoBothWays) {
  ServerOptions options;
  options.receive_bytes_max = 64 << 20;
  options.send_bytes_max = 64 << 20;
  options.events_per_request_max = 1'000'000;
  version_bytes_ = 15 << 20;
  Start(options);
  const auto stub = v1::FeatureStore::NewStub(Channel());
  v1::PushEventsRequest request = WirePush(1);
  request.mutable_batches(0)->set_producer_id(std::string(16 << 20, 'p'));
  grpc::ClientContext context;
  v1::PushEventsResponse response;
  const grpc::Status status = stub->PushEvents(&context, request, &response);
  EXPECT_NE(status.error_code(), grpc::StatusCode::UNAVAILABLE)
      << status.error_message();
  grpc::ClientContext large;
  v1::GetStatusResponse answer;
  const grpc::Status got = v1::Operations::NewStub(Channel())->GetStatus(
      &large, v1::GetStatusRequest(), &answer);
  EXPECT_TRUE(got.ok()) << got.error_message();
  EXPECT_TRUE(answer.version() == std::string(version_bytes_, 'v'));
}

TEST_F(InteropTest, SeveralPollersServeTheirConnections) {
  ServerOptions options;
  options.pollers = 3;
  Start(options);
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([this, i] {
      const auto client = Connect();
      for (int j = 0; j < 200; ++j) {
        ASSERT_THAT(client->PushEvents(Clicks(100 + i, 1)), IsOk());
      }
      EXPECT_EQ(*client->GetFeatures(Query(100 + i))->Int64("quick:n"), 200);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Whose calls all run out of time resets them, and streams that it never
// opened; its connection stays.
TEST_F(InteropTest, CallsThatRunOutOfTimeEndNoConnection) {
  Start();
  const auto channel = Channel();
  const auto stub = v1::FeatureStore::NewStub(channel);
  // Whoever resets has to have been served before (ConnectionLimits).
  for (int i = 0; i < 600; ++i) {
    grpc::ClientContext context;
    v1::GetFeaturesResponse response;
    ASSERT_TRUE(stub->GetFeatures(&context, WireQuery("s", 1), &response).ok());
  }
  for (int round = 0; round < 20; ++round) {
    grpc::CompletionQueue queue;
    constexpr int kCalls = 200;
    std::vector<grpc::ClientContext> contexts(kCalls);
    std::vector<v1::GetFeaturesResponse> responses(kCalls);
    std::vector<grpc::Status> statuses(kCalls);
    std::vector<std::unique_ptr<
        grpc::ClientAsyncResponseReader<v1::GetFeaturesResponse>>>
        calls;
    for (size_t i = 0; i < kCalls; ++i) {
      contexts[i].set_deadline(gpr_time_add(
          gpr_now(GPR_CLOCK_MONOTONIC),
          gpr_time_from_micros(20 * static_cast<int64_t>(i), GPR_TIMESPAN)));
      calls.push_back(
          stub->AsyncGetFeatures(&contexts[i], WireQuery("s", 1), &queue));
      calls.back()->Finish(&responses[i], &statuses[i], nullptr);
    }
    void* tag = nullptr;
    bool ok = false;
    for (int i = 0; i < kCalls; ++i) ASSERT_TRUE(queue.Next(&tag, &ok));
    for (const grpc::Status& status : statuses) {
      EXPECT_NE(status.error_code(), grpc::StatusCode::UNAVAILABLE)
          << status.error_message();
    }
  }
  const v1::ConnectionStatus status =
      client_->GetStatus()->proto().connections();
  EXPECT_LE(status.accepted(), 2U) << status.ShortDebugString();
}

TEST_F(InteropTest, WhatIsNoGrpcIsToldInHttp) {
  Start();
  const test::RawConnection browser(server_->port(0));
  browser.Begin();
  browser.AwaitServer();
  ASSERT_TRUE(browser.Send(
      Frame(test::FrameType::kHeaders, test::kEndHeaders | test::kEndStream, 1,
            test::Header(":method", "GET") + test::Header(":scheme", "http") +
                test::Header(":path", "/") + test::Header(":authority", "x"))));
  // Still served.
  EXPECT_THAT(client_->GetFeatures(Query(1)), IsOk());
}

}  // namespace
}  // namespace freshline::rpc
