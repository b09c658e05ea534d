// SPDX-License-Identifier: Apache-2.0
#include "bench/load/open_loop.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "bench/load/echo_server.h"
#include "freshline/v1/feature_store.pb.h"
#include "tests/support/fake_feature_store.h"
#include "tests/support/latch.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

using std::chrono::milliseconds;
using test::FakeFeatureStore;
using test::IsOk;
using test::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Queries one millisecond apart; query i asks for service "i", and i is what
// the fake below answers with.
struct Trace {
  explicit Trace(int queries, bool pushes = false) {
    for (int i = 0; i < queries; ++i) {
      v1::GetFeaturesRequest request;
      request.set_feature_service(absl::StrCat(i));
      request.set_budget_us(1);  // overridden
      bytes.push_back(request.SerializeAsString());
      v1::PushEventsRequest push;
      push.add_batches()->add_event_time_us(i);
      bytes.push_back(push.SerializeAsString());
    }
    for (int i = 0; i < queries; ++i) {
      const auto at = static_cast<size_t>(2 * i);
      requests.push_back({milliseconds(i), bytes[at],
                          pushes ? bytes[at + 1] : absl::string_view()});
    }
  }
  std::vector<std::string> bytes;
  std::vector<LoadRequest> requests;
};

absl::Status Answer(const v1::GetFeaturesRequest& request,
                    v1::GetFeaturesResponse* response) {
  const int i = std::stoi(request.feature_service());
  response->set_rows(1);
  response->add_features()->set_name("user:other");
  v1::FeatureColumn& column = *response->add_features();
  column.set_name("retrieval:items");
  column.set_group(1);
  v1::Lists& lists = *column.mutable_values()->mutable_lists();
  lists.add_lengths(3);
  for (int item : {i, i + 1, i + 2}) {
    lists.mutable_elements()->mutable_int64s()->add_values(item);
  }
  response->add_groups();
  v1::GroupFreshness& fresh = *response->add_groups();
  fresh.add_obtained(v1::STALE_SHED);
  fresh.add_fidelity(v1::FULL);
  fresh.add_as_of_sequence(static_cast<uint64_t>(1000 + i));
  fresh.add_as_of_us(2000 + i);
  fresh.add_event_time_us(3000 + i);
  fresh.add_pending_events(static_cast<uint32_t>(i));
  response->add_events()->add_ingest_sequence(static_cast<uint64_t>(500 + i));
  return absl::OkStatus();
}

std::unique_ptr<OpenLoopRunner> Connect(LoadOptions options) {
  auto runner = OpenLoopRunner::Create(options);
  EXPECT_THAT(runner, IsOk());
  return *std::move(runner);
}

TEST(OpenLoopRunnerTest, RecordsWhatEachQueryGot) {
  base::Mutex mu;
  std::vector<int64_t> budgets;
  FakeFeatureStore store(
      {.get_features = [&](const v1::GetFeaturesRequest& request,
                           v1::GetFeaturesResponse* response) {
        base::MutexLock lock(&mu);
        budgets.push_back(request.budget_us());
        return Answer(request, response);
      }});
  auto runner = Connect({.target = store.target(),
                         .slo = std::chrono::seconds(10),
                         .served_feature = "retrieval:items",
                         .served_max = 2});
  const Trace trace(30);
  const LoadResult result = runner->Run(trace.requests);
  ASSERT_EQ(result.records.size(), 30u);
  for (size_t i = 0; i < 30; ++i) {
    const QueryRecord& r = result.records[i];
    EXPECT_EQ(r.code, absl::StatusCode::kOk);
    EXPECT_TRUE(r.complete);
    EXPECT_EQ(r.obtained, Obtained::kStaleShed);
    EXPECT_EQ(r.fidelity, Fidelity::kFull);
    EXPECT_EQ(r.as_of_sequence, 1000 + i);
    EXPECT_EQ(r.as_of_us, static_cast<int64_t>(2000 + i));
    EXPECT_EQ(r.event_time_us, static_cast<int64_t>(3000 + i));
    EXPECT_EQ(r.pending, i);
    EXPECT_EQ(r.event_sequence, 500 + i);
    EXPECT_THAT(result.ServedBy(i), ElementsAre(i, i + 1));
    EXPECT_GE(r.sent, r.intended);
    EXPECT_GE(r.received, r.sent);
    EXPECT_EQ(r.intended - result.records[0].intended,
              milliseconds(static_cast<int>(i)));
  }
  EXPECT_EQ(result.violations.violations, 0u);
  EXPECT_EQ(result.errors, 0u);
  EXPECT_EQ(result.dispatch_lag_ns.count(), 30u);
  EXPECT_EQ(result.latency_ns.count(), 30u);
  base::MutexLock lock(&mu);
  for (const int64_t budget : budgets) {
    EXPECT_LE(budget, 10'000'000);
    EXPECT_GT(budget, 1'000'000);
  }
}

TEST(OpenLoopRunnerTest, PushesTheClickAGapBeforeItsQuery) {
  base::Mutex mu;
  std::vector<int64_t> pushed;
  FakeFeatureStore store(
      {.get_features = Answer,
       .push_events = [&](const v1::PushEventsRequest& request,
                          v1::PushEventsResponse* response) {
         base::MutexLock lock(&mu);
         pushed.push_back(request.batches(0).event_time_us(0));
         response->add_results()->add_ingest_sequence(
             static_cast<uint64_t>(70 + pushed.back()));
         return pushed.back() == 3 ? absl::InternalError("no")
                                   : absl::OkStatus();
       }});
  auto runner = Connect({.target = store.target(),
                         .slo = std::chrono::seconds(10),
                         .gap = milliseconds(5)});
  const Trace trace(10, /*pushes=*/true);
  const LoadResult result = runner->Run(trace.requests);
  EXPECT_EQ(pushed.size(), 10u);
  EXPECT_EQ(result.push_errors, 1u);
  EXPECT_EQ(result.records[2].event_sequence, 72u);
  EXPECT_EQ(result.records[3].event_sequence, 0u);
  // A push that failed is not a query that failed.
  EXPECT_EQ(result.errors, 0u);
  EXPECT_EQ(result.violations.violations, 0u);
}

TEST(OpenLoopRunnerTest, AQueryMayHaveAnSloOfItsOwnAndAPushOfOthersBesideIt) {
  base::Mutex mu;
  std::vector<int64_t> budgets;
  int pushed = 0;
  FakeFeatureStore store(
      {.get_features =
           [&](const v1::GetFeaturesRequest& request,
               v1::GetFeaturesResponse* response) {
             base::MutexLock lock(&mu);
             budgets.push_back(request.budget_us());
             return Answer(request, response);
           },
       .push_events =
           [&](const v1::PushEventsRequest&, v1::PushEventsResponse* response) {
             base::MutexLock lock(&mu);
             ++pushed;
             response->add_results()->add_ingest_sequence(9);
             return absl::OkStatus();
           }});
  auto runner =
      Connect({.target = store.target(), .slo = std::chrono::seconds(10)});
  Trace trace(2, /*pushes=*/true);
  trace.requests[0].beside = std::exchange(trace.requests[0].push, {});
  trace.requests[1].push = {};
  trace.requests[1].slo = std::chrono::seconds(20);
  const LoadResult result = runner->Run(trace.requests);
  EXPECT_EQ(result.records[0].slo, std::chrono::seconds(10));
  EXPECT_EQ(result.records[1].slo, std::chrono::seconds(20));
  EXPECT_EQ(result.records[0].event_sequence, 500u);  // the query's own
  base::MutexLock lock(&mu);
  EXPECT_EQ(pushed, 1);
  ASSERT_EQ(budgets.size(), 2u);
  std::sort(budgets.begin(), budgets.end());
  EXPECT_LE(budgets[0], 10'000'000);
  EXPECT_GT(budgets[1], 10'000'000);
}

// Which answers are there in time is the machine's: what is reported is right.
TEST(OpenLoopRunnerTest, ReportsWhetherTheChosenItemStoodInTheList) {
  base::Mutex mu;
  std::map<std::string, double> losses;
  FakeFeatureStore store(
      {.get_features = Answer,
       .report_outcome = [&](const v1::ReportOutcomeRequest& request,
                             v1::ReportOutcomeResponse*) {
         base::MutexLock lock(&mu);
         EXPECT_EQ(request.loss_size(), 1);
         losses[request.request_id(0)] = request.loss(0);
         return absl::OkStatus();
       }});
  auto runner = Connect({.target = store.target(),
                         .slo = std::chrono::seconds(10),
                         .served_feature = "retrieval:items"});
  constexpr size_t kQueries = 40;
  Trace trace(kQueries);
  std::vector<std::string> reports(kQueries);
  for (size_t i = 0; i < kQueries; ++i) {
    LoadRequest& request = trace.requests[i];
    request.offset = 10 * milliseconds(static_cast<int>(i));
    if (i < 3) continue;
    v1::ReportOutcomeRequest report;
    report.add_request_id(std::to_string(i - 2));
    reports[i] = report.SerializeAsString();
    request.report = reports[i];
    request.report_back = 2;
    // Query i is answered with i, i + 1, i + 2.
    request.chosen = static_cast<int64_t>(i % 2 == 0 ? i : i + 1);
  }
  // Before the first: it was in another run.
  trace.requests[0].report = reports[3];
  trace.requests[0].report_back = 1;
  const LoadResult result = runner->Run(trace.requests);
  EXPECT_EQ(result.report_errors, 0u);
  base::MutexLock lock(&mu);
  EXPECT_EQ(result.reports, losses.size());
  EXPECT_GT(losses.size(), 0u);
  EXPECT_LE(losses.size(), kQueries - 3);
  for (const auto& [id, loss] : losses) {
    EXPECT_EQ(loss, std::stoi(id) % 2 == 0 ? 0 : 1) << id;
  }
}

TEST(OpenLoopRunnerTest, ErrorsAndIncompleteAnswersAreViolations) {
  FakeFeatureStore store(
      {.get_features = [](const v1::GetFeaturesRequest& request,
                          v1::GetFeaturesResponse* response) {
        if (request.feature_service() == "1") {
          return absl::ResourceExhaustedError("full");
        }
        if (request.feature_service() == "2") return absl::OkStatus();
        return Answer(request, response);
      }});
  auto runner = Connect({.target = store.target(),
                         .slo = std::chrono::seconds(10),
                         .served_feature = "retrieval:items"});
  const Trace trace(5);
  const LoadResult result = runner->Run(trace.requests);
  EXPECT_EQ(result.violations.violations, 2u);
  EXPECT_EQ(result.violations.episodes, 1u);
  EXPECT_EQ(result.errors, 1u);
  EXPECT_EQ(result.records[1].code, absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(result.records[2].complete);
  EXPECT_TRUE(result.ServedBy(2).empty());
}

TEST(OpenLoopRunnerTest, ASlowServerDelaysNoSendAndEveryLateAnswerCounts) {
  constexpr int kQueries = 20;
  base::Mutex mu;
  base::CondVar changed;
  int arrived = 0;
  // Nobody is answered before everybody has asked: a client that waits for
  // answers would never get there.
  FakeFeatureStore store(
      {.get_features = [&](const v1::GetFeaturesRequest& request,
                           v1::GetFeaturesResponse* response) {
        base::MutexLock lock(&mu);
        ++arrived;
        changed.NotifyAll();
        while (arrived < kQueries) changed.Wait(&mu);
        return Answer(request, response);
      }});
  auto runner = Connect({.target = store.target(), .slo = milliseconds(1)});
  const Trace trace(kQueries);
  const LoadResult result = runner->Run(trace.requests);
  EXPECT_EQ(result.errors, 0u);
  // The first waited for the last, which was sent 19 ms later.
  EXPECT_GE(result.records[0].latency(), milliseconds(kQueries - 1));
  EXPECT_GE(result.violations.violations, static_cast<uint64_t>(kQueries - 2));
}

TEST(OpenLoopRunnerTest, GivesUpASecondAfterTheSlo) {
  test::Latch release;
  FakeFeatureStore store({.get_features = [&](const v1::GetFeaturesRequest&,
                                              v1::GetFeaturesResponse*) {
    release.Wait();
    return absl::OkStatus();
  }});
  auto runner = Connect({.target = store.target(), .slo = milliseconds(1)});
  const Trace trace(1);
  const LoadResult result = runner->Run(trace.requests);
  release.Open();
  EXPECT_EQ(result.records[0].code, absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(result.violations.violations, 1u);
  EXPECT_GE(result.records[0].latency(), milliseconds(1000));
}

TEST(OpenLoopRunnerTest, EmptyTraceEndsAtOnce) {
  auto echo = EchoServer::Start({});
  ASSERT_THAT(echo, IsOk());
  auto runner =
      Connect({.target = absl::StrCat("127.0.0.1:", (*echo)->port())});
  const LoadResult result = runner->Run({});
  EXPECT_TRUE(result.records.empty());
  EXPECT_FALSE(result.client_limited);
}

TEST(OpenLoopRunnerTest, RefusesWhatCannotWork) {
  EXPECT_THAT(OpenLoopRunner::Create({.target = "x:1", .slo = milliseconds(0)}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("slo")));
  EXPECT_THAT(OpenLoopRunner::Create({.target = "x:1", .served_max = 1001}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("1001")));
  EXPECT_THAT(
      OpenLoopRunner::Create({.target = "x:1", .channels = 0}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("channels")));
}

TEST(RunAlternatingTest, GivesBothTheSameQueriesInBlocks) {
  base::Mutex mu;
  std::vector<int> order;  // service number, +100 at the echo
  const auto answer = [&](int offset) {
    return [&, offset](const v1::GetFeaturesRequest& request,
                       v1::GetFeaturesResponse* response) {
      base::MutexLock lock(&mu);
      order.push_back(offset + std::stoi(request.feature_service()));
      response->set_rows(1);
      return absl::OkStatus();
    };
  };
  FakeFeatureStore daemon({.get_features = answer(0)});
  FakeFeatureStore echo({.get_features = answer(100)});
  const auto side = [](const std::string& target) {
    return LoadSide{{.target = target, .slo = std::chrono::seconds(10)}};
  };
  const Trace trace(6);
  const auto both = RunAlternating(side(daemon.target()), side(echo.target()),
                                   trace.requests, milliseconds(4));
  ASSERT_THAT(both, IsOk());
  const AlternatingResult& result = *both;
  EXPECT_EQ(result.daemon.records.size(), 6u);
  EXPECT_EQ(result.echo.records.size(), 6u);
  EXPECT_EQ(result.daemon.violations.queries, 6u);
  EXPECT_EQ(result.daemon.latency_ns.count(), 6u);
  const auto block_of = [](int value) {
    return (value % 100 < 4 ? 0 : 2) + (value >= 100 ? 1 : 0);
  };
  ASSERT_EQ(order.size(), 12u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end(), [&](int a, int b) {
    return block_of(a) < block_of(b);
  }));
}

}  // namespace
}  // namespace freshline::bench
