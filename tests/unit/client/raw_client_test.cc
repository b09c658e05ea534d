// SPDX-License-Identifier: Apache-2.0
#include "client/raw_client.h"

#include <gmock/gmock.h>

#include <utility>

#include "base/clock.h"
#include "freshline/v1/feature_store.pb.h"
#include "tests/support/fake_feature_store.h"
#include "tests/support/latch.h"
#include "tests/support/status_matchers.h"

namespace freshline::client {
namespace {

using test::FakeFeatureStore;
using test::IsOk;
using test::Latch;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

absl::Status EchoBudget(const v1::GetFeaturesRequest& request,
                        v1::GetFeaturesResponse* response) {
  response->set_request_id(request.feature_service());
  response->set_revision(static_cast<uint64_t>(request.budget_us()));
  return absl::OkStatus();
}

base::MonoTime In(base::Duration time) {
  return base::Clock::Real().Now() + time;
}

TEST(RawClientTest, ATailPatchesAPrebuiltRequest) {
  FakeFeatureStore store({.get_features = EchoBudget});
  auto client = RawClient::Create({.target = store.target()});
  ASSERT_THAT(client, IsOk());
  ASSERT_THAT((*client)->WaitConnected(In(std::chrono::seconds(5))), IsOk());
  v1::GetFeaturesRequest request;
  request.set_feature_service("recommend");
  request.set_budget_us(1);
  const std::string prebuilt = request.SerializeAsString();
  v1::GetFeaturesRequest patch;
  patch.set_budget_us(777);
  Latch finished;
  v1::GetFeaturesResponse response;
  absl::Status status;
  const base::MonoTime sent = base::Clock::Real().Now();
  base::MonoTime answered;
  (*client)->SendUncopied(Method::kGetFeatures, prebuilt,
                          patch.SerializeAsString(),
                          In(std::chrono::seconds(5)),
                          [&](const absl::Status& got, absl::string_view bytes,
                              base::MonoTime received) {
                            status = got;
                            answered = received;
                            EXPECT_TRUE(response.ParseFromArray(
                                bytes.data(), static_cast<int>(bytes.size())));
                            EXPECT_TRUE((*client)->OnCompletionThread());
                            finished.Open();
                          });
  finished.Wait();
  EXPECT_THAT(status, IsOk());
  EXPECT_EQ(response.request_id(), "recommend");
  EXPECT_EQ(response.revision(), 777u);
  EXPECT_GE(answered, sent);
  EXPECT_FALSE((*client)->OnCompletionThread());
}

TEST(RawClientTest, ADeadlineInThePastFailsWithoutHanging) {
  FakeFeatureStore store({.get_features = EchoBudget});
  auto client = RawClient::Create({.target = store.target()});
  ASSERT_THAT(client, IsOk());
  Latch finished;
  absl::Status status;
  (*client)->Send(
      Method::kGetFeatures, "", base::MonoTime(),
      [&](const absl::Status& got, absl::string_view, base::MonoTime) {
        status = got;
        finished.Open();
      });
  finished.Wait();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(RawClientTest, CountsWhatIsUnderWay) {
  Latch release;
  FakeFeatureStore store({.get_features = [&](const v1::GetFeaturesRequest&,
                                              v1::GetFeaturesResponse*) {
    release.Wait();
    return absl::OkStatus();
  }});
  auto client = RawClient::Create({.target = store.target()});
  ASSERT_THAT(client, IsOk());
  Latch finished;
  EXPECT_EQ((*client)->outstanding(), 0u);
  (*client)->Send(Method::kGetFeatures, "", base::kInfiniteFuture,
                  [&](const absl::Status&, absl::string_view, base::MonoTime) {
                    EXPECT_EQ((*client)->outstanding(), 0u);
                    finished.Open();
                  });
  EXPECT_EQ((*client)->outstanding(), 1u);
  release.Open();
  finished.Wait();
}

TEST(RawClientTest, ATargetHasAPortThatThereCanBe) {
  for (const char* target :
       {"localhost:7460", "127.0.0.1:1", "[::1]:65535", "unix:/run/x.sock",
        "unix:x.sock", "dns:///localhost:7460", "ipv4:127.0.0.1:7460"}) {
    EXPECT_THAT(RawClient::Create({.target = target}), IsOk()) << target;
  }
  for (const auto& [target, what] :
       {std::pair("host:99999", "from 1 to 65535"),
        std::pair("host:73259", "from 1 to 65535"),
        std::pair("host:0", "from 1 to 65535"),
        std::pair("host:-1", "from 1 to 65535"),
        std::pair("host:http", "from 1 to 65535"),
        std::pair("127.0.0.1", "no port"), std::pair("host:", "no port"),
        std::pair("[::1]", "no port"), std::pair("dns:///host", "no port"),
        std::pair("::1", "brackets"), std::pair("http://host:7460", "URL")}) {
    EXPECT_THAT(RawClient::Create({.target = target}).status(),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr(target), HasSubstr(what))))
        << target;
  }
}

TEST(RawClientTest, WaitConnectedGivesUpAndNamesTheTarget) {
  std::string target;
  { target = FakeFeatureStore({}).target(); }
  auto client = RawClient::Create({.target = target, .channels = 2});
  ASSERT_THAT(client, IsOk());
  EXPECT_THAT((*client)->WaitConnected(In(std::chrono::milliseconds(20))),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr(target)));
}

}  // namespace
}  // namespace freshline::client
