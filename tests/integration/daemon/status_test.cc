// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "daemon/config/config.h"
#include "daemon/daemon.h"
#include "freshline/client.h"
#include "freshline/v1/operations.pb.h"
#include "tests/support/status_matchers.h"

namespace freshline::daemon {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

// A daemon of the card example, and what it says of itself.
class StatusTest : public ::testing::Test {
 protected:
  void Start(const std::string& more) {
    spdlog::set_level(spdlog::level::off);
    const auto config = ParseConfig(
        absl::StrCat("listen: '127.0.0.1:0' definitions: '",
                     FRESHLINE_CONFIG_DIR, "/fraud.textproto'\n", more),
        "test.textproto", 2);
    ASSERT_THAT(config, test::IsOk());
    auto daemon = Daemon::Start(*config);
    ASSERT_THAT(daemon, test::IsOk());
    daemon_ = *std::move(daemon);
    client_ = *Client::Create(
        {.target = absl::StrCat("127.0.0.1:", daemon_->port(0))});
  }
  v1::GetStatusResponse Status() const {
    const auto status = client_->GetStatus();
    EXPECT_THAT(status, test::IsOk());
    return status.ok() ? status->proto() : v1::GetStatusResponse();
  }
  static std::vector<std::string> Wrong(const v1::GetStatusResponse& status) {
    return {status.degraded().begin(), status.degraded().end()};
  }
  static uint64_t Calls(const v1::GetStatusResponse& status,
                        const std::string& method, const std::string& code) {
    for (const v1::RequestCounters& requests : status.requests()) {
      if (requests.method() != method) continue;
      const auto found = requests.by_code().find(code);
      return found == requests.by_code().end() ? 0 : found->second;
    }
    ADD_FAILURE() << "no " << method;
    return 0;
  }
  static EventRows Payment(const std::string& card) {
    return EventRows("transactions")
        .Strings("card_token", {card})
        .TimesUs({base::Clock::Real().WallNowMicros()});
  }

  std::unique_ptr<Daemon> daemon_;
  std::unique_ptr<Client> client_;
};

TEST_F(StatusTest, EveryErrorIsCountedWhereverItCameFrom) {
  Start("");
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(client_->GetFeatures(FeatureRequest("nobody")).ok());
  }
  EXPECT_FALSE(client_->GetFeatures(FeatureRequest("score_transaction")).ok());
  EXPECT_FALSE(client_->PushEvents(EventRows("nothing").TimesUs({1})).ok());
  const v1::GetStatusResponse status = Status();
  EXPECT_EQ(status.queries().errors(), 4U);
  EXPECT_EQ(Calls(status, "GetFeatures", "NOT_FOUND"), 3U);
  EXPECT_EQ(Calls(status, "GetFeatures", "INVALID_ARGUMENT"), 1U);
  EXPECT_EQ(Calls(status, "PushEvents", "OK"), 0U);
  EXPECT_EQ(status.events().requests_refused(), 1U);
  EXPECT_GT(status.memory().resident_bytes(), 0U);
}

TEST_F(StatusTest, ARefusalForABoundIsSaidFirst) {
  Start("table { keys_max: 1 shards: 1 }");
  EXPECT_THAT(client_->PushEvents(Payment("a")), test::IsOk());
  EXPECT_EQ(client_->PushEvents(Payment("b"))->events(0).status(0),
            EventStatus::kExhausted);
  const v1::GetStatusResponse status = Status();
  EXPECT_EQ(status.table().appends_refused(), 1U);
  EXPECT_THAT(Wrong(status), Contains(HasSubstr("1 events were refused as "
                                                "EXHAUSTED")));
}

}  // namespace
}  // namespace freshline::daemon
