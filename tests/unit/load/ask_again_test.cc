// SPDX-License-Identifier: Apache-2.0
#include "bench/load/ask_again.h"

#include <gtest/gtest.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "freshline/v1/feature_store.pb.h"
#include "tests/support/fake_feature_store.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

using std::chrono::milliseconds;
using test::FakeFeatureStore;

std::string Encoded(const std::string& service) {
  v1::GetFeaturesRequest request;
  request.set_feature_service(service);
  return request.SerializeAsString();
}

AskAgainSecond Second(uint64_t queries, uint64_t fresh) {
  AskAgainSecond second;
  second.queries = queries;
  second.fresh_at_first = fresh;
  return second;
}

TEST(AskAgainTest, AsksUntilTheAnswerIsFreshOrPatienceEnds) {
  base::Mutex mu;
  std::map<std::string, int> asked;
  const FakeFeatureStore store(
      {[&](const v1::GetFeaturesRequest& request,
           v1::GetFeaturesResponse* response) -> absl::Status {
        base::MutexLock lock(&mu);
        const int times = ++asked[request.feature_service()];
        if (request.feature_service() == "fails again" && times == 1) {
          return absl::UnavailableError("once");
        }
        response->set_rows(1);
        response->add_features()->set_name("items");
        const bool fresh =
            request.feature_service() == "fresh" ||
            (request.feature_service() == "late again" && times == 3) ||
            request.feature_service() == "fails again";
        response->add_groups()->add_obtained(fresh ? v1::REFRESHED
                                                   : v1::STALE_SHED);
        return absl::OkStatus();
      }});
  const std::string fresh = Encoded("fresh");
  const std::string late = Encoded("late");
  const std::string late_again = Encoded("late again");
  const std::string never = Encoded("never");
  const std::string never_again = Encoded("never again");
  const std::string fails = Encoded("fails");
  const std::string fails_again = Encoded("fails again");
  const std::vector<ImpatientQuery> queries = {
      {milliseconds(0), fresh, fresh},
      {milliseconds(1), late, late_again},
      {milliseconds(2), never, never_again},
      {milliseconds(1000), fails, fails_again},
  };
  AskAgainOptions options;
  options.target = store.target();
  options.served_feature = "items";
  options.pause = milliseconds(1);
  options.again_max = 4;
  const auto seconds = RunAskAgain(options, queries);
  ASSERT_THAT(seconds, test::IsOk());
  ASSERT_EQ(seconds->size(), 2U);
  EXPECT_EQ((*seconds)[0].queries, 3U);
  EXPECT_EQ((*seconds)[0].fresh_at_first, 1U);
  EXPECT_EQ((*seconds)[0].fresh_in_the_end, 2U);
  EXPECT_EQ((*seconds)[0].again, 3U + 4U);
  EXPECT_EQ((*seconds)[0].errors, 0U);
  EXPECT_EQ((*seconds)[1].queries, 1U);
  EXPECT_EQ((*seconds)[1].fresh_at_first, 0U);
  EXPECT_EQ((*seconds)[1].fresh_in_the_end, 1U);
  EXPECT_EQ((*seconds)[1].again, 2U);
  EXPECT_EQ((*seconds)[1].errors, 1U);
  base::MutexLock lock(&mu);
  EXPECT_EQ(asked["never"], 1);
  EXPECT_EQ(asked["never again"], 4);
}

TEST(AskAgainTest, RecoveryIsWhatLastsToTheEnd) {
  std::vector<AskAgainSecond> seconds = {
      Second(10, 0),  Second(10, 10), Second(10, 10),  Second(10, 0),
      Second(10, 10), Second(10, 2),  Second(100, 99), Second(10, 10)};
  EXPECT_EQ(SecondsToRecover(seconds, 3, 4, 0.02), 2);
  EXPECT_EQ(SecondsToRecover(seconds, 3, 6, 0.02), 0);
  seconds.push_back(Second(0, 0));
  EXPECT_EQ(SecondsToRecover(seconds, 3, 4, 0.02), 2);
  seconds.push_back(Second(10, 9));
  EXPECT_EQ(SecondsToRecover(seconds, 3, 4, 0.02), -1);
}

}  // namespace
}  // namespace freshline::bench
