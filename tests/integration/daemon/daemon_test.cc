// SPDX-License-Identifier: Apache-2.0
#include "daemon/daemon.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/clock.h"
#include "base/thread.h"
#include "bench/trace/catalogue.h"
#include "bench/trace/generator.h"
#include "bench/train/train.h"
#include "daemon/config/config.h"
#include "featurize/item_table.h"
#include "freshline/client.h"
#include "freshline/v1/feature_store.pb.h"
#include "freshline/v1/operations.pb.h"
#include "record/decision_log_reader.h"
#include "registry/textproto.h"
#include "schedule/policies.h"
#include "schedule/recorder.h"
#include "tests/support/status_matchers.h"

namespace freshline::daemon {
namespace {

using absl::StatusCode;
using std::chrono::milliseconds;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// The real daemon on a free port of loopback, with the shipped definitions of
// the shop and a small table trained on generated clicks. Workers of ordinary
// class, as other tests may keep every core busy, and no background refresh, as
// it may overtake the query that is looked at.
class DaemonTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    bench::GenerateOptions generate;
    generate.queries = 2000;
    generate.items = 3000;
    generate.seconds = 60;
    generate.history = 60;
    generate.out = Directory();
    ASSERT_THAT(bench::RunGenerate(generate), test::IsOk());
    bench::TrainOptions train;
    train.trace = Directory() + "/trace.csv";
    train.catalogue = Directory() + "/catalogue.csv";
    train.out = Directory();
    ASSERT_THAT(bench::RunTrain(train), test::IsOk());
  }
  static std::string Directory() { return ::testing::TempDir() + "daemon"; }

  static DaemonConfig Config(const std::string& definitions,
                             const std::string& more = "") {
    const auto config = ParseConfig(
        absl::StrCat("listen: \"127.0.0.1:0\" definitions: \"",
                     FRESHLINE_CONFIG_DIR, "/", definitions,
                     "\" item_table_dir: \"", Directory(),
                     "\" scheduler { workers: 2 worker_class: NORMAL "
                     "background: false } estimator { profile_runs: 3 } ",
                     more),
        "test.textproto", 2);
    EXPECT_THAT(config, test::IsOk());
    return *config;
  }

  void Start(const DaemonConfig& config) {
    auto daemon = Daemon::Start(config);
    ASSERT_THAT(daemon, test::IsOk());
    daemon_ = *std::move(daemon);
    ClientOptions options;
    options.target = absl::StrCat("127.0.0.1:", daemon_->port(0));
    auto client = Client::Create(options);
    ASSERT_THAT(client, test::IsOk());
    client_ = *std::move(client);
  }

  static EventRows Click(int64_t user, int64_t item, uint64_t number) {
    return EventRows("clicks")
        .Int64s("user_id", {user})
        .Int64s("product_id", {item})
        .TimesUs({base::Clock::Real().WallNowMicros()})
        .Producer("test", {number});
  }
  static int64_t SomeItem(uint32_t i) {
    static const auto table =
        *featurize::ItemTable::Open(Directory() + "/items.fltab", 64);
    return table->item(i);
  }

  // What the kernel makes of a thread that asks for `wanted`.
  static base::SchedClass Granted(base::SchedClass wanted) {
    base::SchedClass granted{};
    std::thread([&] { granted = base::SetOwnSchedClass(wanted); }).join();
    return granted;
  }

  std::unique_ptr<Daemon> daemon_;
  std::unique_ptr<Client> client_;
};

TEST_F(DaemonTest, AnswersFreshWithTheClickThatCameAlong) {
  Start(Config("rees46.textproto"));
  for (uint32_t i = 0; i < 5; ++i) {
    const auto answer =
        client_->GetFeatures(FeatureRequest("recommend")
                                 .Entity("user_id", {7})
                                 .AddEvents(Click(7, SomeItem(i), i))
                                 .RequestId("r")
                                 .Budget(std::chrono::seconds(5)));
    ASSERT_THAT(answer, test::IsOk());
    EXPECT_EQ(answer->request_id(), "r");
    const auto items = answer->Feature("next_items:items");
    ASSERT_THAT(items, test::IsOk());
    EXPECT_THAT(*items->Int64List(), SizeIs(20));
    EXPECT_EQ(items->freshness().obtained, Obtained::kRefreshed);
    EXPECT_EQ(items->freshness().pending_events, 0U);
    EXPECT_THAT(items->freshness().as_of_sequence,
                Ge(answer->events(0).ingest_sequence(0)));
  }
  // Nothing happened since.
  const auto again =
      client_->GetFeatures(FeatureRequest("recommend").Entity("user_id", {7}));
  ASSERT_THAT(again, test::IsOk());
  EXPECT_EQ(again->Feature("next_items:items")->freshness().obtained,
            Obtained::kAlreadyFresh);
}

TEST_F(DaemonTest, ComputesAggregatesAndEmbeddingsInline) {
  Start(Config("rees46.textproto"));
  ASSERT_THAT(client_->PushEvents(Click(3, SomeItem(0), 1)), test::IsOk());
  ASSERT_THAT(client_->PushEvents(Click(3, SomeItem(1), 2)), test::IsOk());
  const auto answer =
      client_->GetFeatures(FeatureRequest("profile").Entity("user_id", {3}));
  ASSERT_THAT(answer, test::IsOk());
  EXPECT_EQ(*answer->Int64("user_activity:clicks_10m"), 2);
  EXPECT_THAT(*answer->Vector("user_embedding:vector"), SizeIs(64));
  EXPECT_EQ(answer->Feature("user_embedding:vector")->freshness().obtained,
            Obtained::kComputedInline);
}

TEST_F(DaemonTest, TheSameEventTwiceCountsOnce) {
  Start(Config("rees46.textproto"));
  const EventRows click = Click(3, SomeItem(0), 1);
  ASSERT_THAT(client_->PushEvents(click), test::IsOk());
  const auto second = client_->PushEvents(click);
  ASSERT_THAT(second, test::IsOk());
  EXPECT_EQ(second->events(0).status(0), EventStatus::kDuplicate);
  EXPECT_EQ(second->events(0).ack_level(), AckLevel::kMemory);
  const auto answer =
      client_->GetFeatures(FeatureRequest("profile").Entity("user_id", {3}));
  EXPECT_EQ(*answer->Int64("user_activity:clicks_10m"), 1);
}

TEST_F(DaemonTest, AnUnknownUserGetsDefaultsAtOnce) {
  Start(Config("rees46.textproto"));
  const auto answer =
      client_->GetFeatures(FeatureRequest("profile").Entity("user_id", {99}));
  ASSERT_THAT(answer, test::IsOk());
  const auto count = answer->Feature("user_activity:clicks_10m");
  EXPECT_EQ(count->status(), ValueStatus::kDefaulted);
  EXPECT_EQ(count->freshness().obtained, Obtained::kDefaultCold);
  EXPECT_EQ(answer->Feature("user_embedding:vector")->status(),
            ValueStatus::kNotFound);
}

TEST_F(DaemonTest, BadRequestsNameWhatIsWrong) {
  Start(Config("rees46.textproto"));
  const auto error = [&](const FeatureRequest& request) {
    return client_->GetFeatures(request).status();
  };
  EXPECT_THAT(error(FeatureRequest("recomend").Entity("user_id", {1})),
              test::StatusIs(StatusCode::kNotFound, HasSubstr("recommend")));
  EXPECT_THAT(
      error(FeatureRequest::Of({"next_items:nope"}).Entity("user_id", {1})),
      test::StatusIs(StatusCode::kNotFound, HasSubstr("nope")));
  EXPECT_THAT(
      error(FeatureRequest("recommend")),
      test::StatusIs(StatusCode::kInvalidArgument, HasSubstr("user_id")));
  EXPECT_THAT(error(FeatureRequest("recommend").Entity("user_id", {"seven"})),
              test::StatusIs(StatusCode::kInvalidArgument, HasSubstr("INT64")));
  EXPECT_THAT(
      error(FeatureRequest("recommend")
                .Entity("user_id", std::vector<int64_t>(1001, 1))),
      test::StatusIs(StatusCode::kInvalidArgument, HasSubstr("1001 rows")));
  v1::GetFeaturesRequest negative;
  negative.set_feature_service("recommend");
  negative.set_budget_us(-1);
  auto* key = negative.add_entities();
  key->set_name("user_id");
  key->mutable_values()->mutable_int64s()->add_values(1);
  EXPECT_THAT(
      error(FeatureRequest(negative)),
      test::StatusIs(StatusCode::kInvalidArgument, HasSubstr("budget_us: -1")));
  EXPECT_THAT(
      error(FeatureRequest("recommend")
                .Entity("user_id", {1})
                .RequestId(std::string(200, 'x'))),
      test::StatusIs(StatusCode::kInvalidArgument, HasSubstr("request_id")));
  // Larger than the daemon takes; the connection goes on.
  EXPECT_EQ(error(FeatureRequest("recommend")
                      .Entity("user_id", {1})
                      .RequestId(std::string(5 << 20, 'x')))
                .code(),
            StatusCode::kInvalidArgument);
  EXPECT_THAT(
      client_->PushEvents(EventRows("clicks")
                              .Int64s("user_id", {1})
                              .Float64s("product_id", {1.5})
                              .TimesUs({base::Clock::Real().WallNowMicros()})),
      test::StatusIs(StatusCode::kInvalidArgument, HasSubstr("product_id")));
  EXPECT_THAT(
      client_->GetFeatures(FeatureRequest("recommend").Entity("user_id", {1})),
      test::IsOk());
}

TEST_F(DaemonTest, RefusesAnItemTableOfAnotherPlace) {
  DaemonConfig config = Config("rees46.textproto");
  config.item_table_dir = "/nonexistent";
  EXPECT_THAT(CheckConfig(config),
              test::StatusIs(StatusCode::kNotFound, HasSubstr("items.fltab")));
}

TEST_F(DaemonTest, ReportsItsStatus) {
  Start(Config("rees46.textproto"));
  ASSERT_THAT(client_->PushEvents(Click(3, SomeItem(0), 1)), test::IsOk());
  ASSERT_THAT(
      client_->GetFeatures(FeatureRequest("profile").Entity("user_id", {3})),
      test::IsOk());
  const auto status = client_->GetStatus();
  ASSERT_THAT(status, test::IsOk());
  const v1::GetStatusResponse& s = status->proto();
  EXPECT_TRUE(status->serving());
  EXPECT_EQ(s.policy(), "slo_aware");
  EXPECT_EQ(s.queries().answered(), 1U);
  EXPECT_EQ(s.events().by_status().at("ACCEPTED"), 1U);
  EXPECT_EQ(s.events().newest_sequence(), 1U);
  EXPECT_EQ(s.table().keys(), 1U);
  EXPECT_EQ(s.scheduler().workers_usable(), 2U);
  // The dispatcher, two workers and what the server runs.
  ASSERT_EQ(s.threads_size(), 6);
  EXPECT_EQ(s.threads(3).name(), "poller-0");
  EXPECT_EQ(s.threads(3).sched_class(),
            base::SchedClassName(Granted(base::SchedClass::kRealtime)));
  EXPECT_EQ(s.threads(4).name(), "intake");
  EXPECT_EQ(s.threads(4).sched_class(), "normal");
  EXPECT_EQ(s.threads(5).name(), "acceptor");
  EXPECT_EQ(s.connections().open(), 1U);
  EXPECT_EQ(s.connections().accepted(), 1U);
  EXPECT_FALSE(s.kernels().empty());
  EXPECT_EQ(*client_->CheckHealth(), Health::kServing);
  EXPECT_THAT(client_->CheckHealth("nobody"),
              test::StatusIs(StatusCode::kNotFound, HasSubstr("no service")));
}

TEST_F(DaemonTest, CountsAnExpressionThatHasNoValue) {
  auto text = registry::ReadTextFile(
      absl::StrCat(FRESHLINE_CONFIG_DIR, "/rees46.textproto"));
  ASSERT_THAT(text, test::IsOk());
  ASSERT_EQ(absl::StrReplaceAll({{"staleness { kind: PENDING_SHARE weight: 1 }",
                                  "staleness { kind: EXPRESSION expression: "
                                  "\"case when pending > 1000 then 1 end\" }"}},
                                &*text),
            1);
  DaemonConfig config = Config("rees46.textproto");
  config.definitions = {Directory() + "/expression.textproto"};
  std::ofstream(config.definitions[0]) << *text;
  Start(config);
  const auto answer =
      client_->GetFeatures(FeatureRequest("recommend")
                               .Entity("user_id", {7})
                               .AddEvents(Click(7, SomeItem(0), 1))
                               .Budget(std::chrono::seconds(5)));
  ASSERT_THAT(answer, test::IsOk());
  // The pending share stood in: the row was worth its refresh.
  EXPECT_EQ(answer->Feature("next_items:items")->freshness().obtained,
            Obtained::kRefreshed);
  const auto status = client_->GetStatus();
  ASSERT_THAT(status, test::IsOk());
  EXPECT_EQ(status->proto().scheduler().price(), 0);
  bool seen = false;
  for (const v1::StalenessStatus& s : status->proto().staleness()) {
    seen |= s.group() == "next_items";
    const bool expression = s.group() == "next_items";
    EXPECT_EQ(s.metric(), expression ? "EXPRESSION" : "PENDING_SHARE");
    EXPECT_EQ(s.expression_fallbacks() > 0, expression) << s.group();
  }
  EXPECT_TRUE(seen);
}

TEST_F(DaemonTest, RunsAPolicyOfAnotherCatalogue) {
  schedule::PolicyCatalogue catalogue = schedule::PolicyCatalogue::BuiltIn();
  schedule::PolicyConfig never;
  never.name = "never";
  never.trigger = schedule::Trigger::kNever;
  ASSERT_THAT(catalogue.Add(never), test::IsOk());
  DaemonConfig config = Config("rees46.textproto");
  config.scheduler.policy = "never";
  EXPECT_THAT(CheckConfig(config),
              test::StatusIs(StatusCode::kNotFound, HasSubstr("never")));
  EXPECT_THAT(CheckConfig(config, catalogue), test::IsOk());
  auto daemon = Daemon::Start(config, catalogue);
  ASSERT_THAT(daemon, test::IsOk());
  ClientOptions options;
  options.target = absl::StrCat("127.0.0.1:", (*daemon)->port(0));
  const auto client = Client::Create(options);
  ASSERT_THAT(client, test::IsOk());
  EXPECT_EQ((*client)->GetStatus()->proto().policy(), "never");
  const auto answer =
      (*client)->GetFeatures(FeatureRequest("recommend")
                                 .Entity("user_id", {7})
                                 .AddEvents(Click(7, SomeItem(0), 1))
                                 .Budget(std::chrono::seconds(5)));
  ASSERT_THAT(answer, test::IsOk());
  EXPECT_NE(answer->Feature("next_items:items")->freshness().obtained,
            Obtained::kRefreshed);
}

TEST_F(DaemonTest, TakesOutcomesOfItsAnswers) {
  Start(Config("rees46.textproto"));
  for (int i = 0; i < 2; ++i) {
    const auto answer =
        client_->GetFeatures(FeatureRequest("recommend")
                                 .Entity("user_id", {7})
                                 .AddEvents(Click(7, SomeItem(0), i))
                                 .RequestId(absl::StrCat("req-", i))
                                 .Budget(i == 0 ? std::chrono::seconds(5)
                                                : std::chrono::seconds(0)));
    ASSERT_THAT(answer, test::IsOk());
  }
  OutcomeReport report("recommend");
  report.Entity("user_id", {7}).Loss("req-0", 0.25).Loss("req-1", 1);
  report.Loss("req-2", 1);
  const auto answer = client_->ReportOutcome(report);
  ASSERT_THAT(answer, test::IsOk());
  EXPECT_EQ(answer->status(0), OutcomeStatus::kAccepted);
  EXPECT_EQ(answer->status(1), OutcomeStatus::kAccepted);
  EXPECT_EQ(answer->status(2), OutcomeStatus::kUnknown);
  EXPECT_THAT(
      client_->ReportOutcome(OutcomeReport("recommend").Loss("req-0", 1)),
      test::StatusIs(StatusCode::kInvalidArgument, HasSubstr("user_id")));

  const auto status = client_->GetStatus();
  ASSERT_THAT(status, test::IsOk());
  const v1::OutcomeCounters& outcomes = status->proto().outcomes();
  EXPECT_EQ(outcomes.by_status().at("OUTCOME_ACCEPTED"), 2U);
  EXPECT_EQ(outcomes.by_status().at("OUTCOME_UNKNOWN"), 1U);
  EXPECT_EQ(outcomes.answers_remembered(), 2U);
  for (const v1::StalenessStatus& s : status->proto().staleness()) {
    if (s.group() != "next_items") continue;
    EXPECT_EQ(s.fresh().mean_loss(), 0.25);
    EXPECT_EQ(s.stale().outcomes(), 1U);
    EXPECT_EQ(s.stale().mean_loss(), 1);
  }
}

TEST_F(DaemonTest, LearnsAGuardForEachServiceFromWhatCallersReport) {
  Start(Config("rees46.textproto"));
  uint64_t number = 0;
  const auto ask = [&](const std::string& service, int64_t overhead_us) {
    v1::GetFeaturesRequest request =
        FeatureRequest(service)
            .Entity("user_id", {7})
            .AddEvents(Click(7, SomeItem(0), ++number))
            .Budget(std::chrono::seconds(5))
            .proto();
    request.set_overhead_us(overhead_us);
    const auto answer = client_->GetFeatures(FeatureRequest(request));
    ASSERT_THAT(answer, test::IsOk());
    EXPECT_GT(answer->proto().server_us(), 0);
  };
  for (int i = 0; i < 120; ++i) ask("recommend", 3000);
  for (const int64_t report : {int64_t{-1}, INT64_MIN, INT64_MAX}) {
    ask("recommend", report);
  }
  v1::ServiceStatus recommend;
  v1::ServiceStatus profile;
  while (recommend.waited() < 123) {  // published ten times a second
    const auto status = client_->GetStatus();
    ASSERT_THAT(status, test::IsOk());
    if (Granted(base::SchedClass::kRealtimeHigh) ==
        base::SchedClass::kRealtimeHigh) {
      EXPECT_TRUE(status->proto().degraded().empty());
    }
    for (const v1::ServiceStatus& s : status->proto().services()) {
      if (s.service() == "recommend") recommend = s;
      if (s.service() == "profile") profile = s;
    }
  }
  EXPECT_EQ(recommend.overhead_reports(), 120U);
  EXPECT_EQ(recommend.overhead_implausible(), 3U);
  EXPECT_GT(recommend.overhead_us(), 2700);
  EXPECT_GE(recommend.guard_us(), recommend.overhead_us());
  EXPECT_GE(recommend.overhead_reported_us(), 2700);
  EXPECT_GE(recommend.callers_reporting(), 1U);
  EXPECT_EQ(recommend.overhead_silent_us(), 4500);  // 15 % of the SLO
  EXPECT_EQ(profile.callers_reporting(), 0U);
  EXPECT_EQ(profile.guard_us(), 1500);
  EXPECT_EQ(recommend.weight(), 1);
  EXPECT_GT(recommend.worker_us(), 0);
  EXPECT_EQ(profile.worker_us(), 0);
}

TEST_F(DaemonTest, PollersAreOrdinaryThreadsWhereAsked) {
  Start(Config("rees46.textproto", "rpc { poller_realtime: false }"));
  const auto status = client_->GetStatus();
  ASSERT_THAT(status, test::IsOk());
  ASSERT_EQ(status->proto().threads_size(), 6);
  EXPECT_EQ(status->proto().threads(3).sched_class(), "normal");
}

// Many callers at once, far beyond what two workers can compute: everybody is
// answered, or told to come again by a slow machine; nobody is told a lie.
TEST_F(DaemonTest, AnswersEverybodyUnderOverload) {
  Start(Config("rees46.textproto"));
  constexpr int kQueries = 500;
  std::atomic<int> answered{0};
  std::atomic<int> wrong{0}, right{0};
  for (int i = 0; i < kQueries; ++i) {
    client_->GetFeatures(
        FeatureRequest("recommend")
            .Entity("user_id", {i % 50})
            .AddEvents(Click(i % 50, SomeItem(static_cast<uint32_t>(i)),
                             static_cast<uint64_t>(i))),
        [&](absl::StatusOr<FeatureAnswer> answer) {
          if (!answer.ok()) {
            if (!absl::IsResourceExhausted(answer.status())) ++wrong;
          } else {
            ++right;
            const auto freshness =
                answer->Feature("next_items:items")->freshness();
            const uint64_t own = answer->events(0).ingest_sequence(0);
            if (freshness.obtained == Obtained::kRefreshed &&
                freshness.as_of_sequence < own) {
              ++wrong;
            }
          }
          ++answered;
          answered.notify_all();
        });
  }
  for (int n = answered; n < kQueries; n = answered) answered.wait(n);
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(right, 0);
}

TEST_F(DaemonTest, ItsDecisionLogReplaysDecisionForDecision) {
  const std::string path = Directory() + "/decisions";
  Start(Config("rees46.textproto",
               absl::StrCat("decision_log { path: \"", path, "\" }")));
  constexpr int kQueries = 200;
  std::atomic<int> answered{0};
  for (int i = 0; i < kQueries; ++i) {
    for (int n = answered; i - n >= 20; n = answered) answered.wait(n);
    client_->GetFeatures(
        FeatureRequest("recommend")
            .Entity("user_id", {i % 20})
            .AddEvents(Click(i % 20, SomeItem(static_cast<uint32_t>(i)),
                             static_cast<uint64_t>(i))),
        [&](const absl::StatusOr<FeatureAnswer>& answer) {
          EXPECT_THAT(answer, test::IsOk());
          ++answered;
          answered.notify_all();
        });
  }
  for (int n = answered; n < kQueries; n = answered) answered.wait(n);
  const auto status = client_->GetStatus();
  ASSERT_THAT(status, test::IsOk());
  EXPECT_GT(status->proto().decision_log().calls(), kQueries);
  EXPECT_EQ(status->proto().decision_log().ended(), "");
  client_.reset();
  daemon_.reset();

  const auto log = record::DecisionLogReader::Open(path);
  ASSERT_THAT(log, test::IsOk());
  const record::v1::Header& header = (*log)->header();
  const auto choices =
      record::PolicyOf(header, schedule::PolicyCatalogue::BuiltIn());
  ASSERT_THAT(choices, test::IsOk());
  estimate::Estimator estimator({.half_life_runs = header.half_life_runs()});
  const auto policy = schedule::MakePolicy(
      *choices, &estimator, record::GroupsOf(header), *record::FlowsOf(header));
  schedule::Replayer replayer(policy.get(), &estimator);
  schedule::RecordedCall call;
  while (*(*log)->Next(&call) && replayer.Take(call)) {
  }
  EXPECT_TRUE((*log)->complete()) << (*log)->end();
  EXPECT_FALSE(replayer.result().differs_at.has_value())
      << replayer.result().difference;
  EXPECT_GT(replayer.result().actions, 2U * kQueries);
}

TEST_F(DaemonTest, ADecisionLogThatCannotBeWrittenIsRefusedByName) {
  const auto daemon = Daemon::Start(
      Config("rees46.textproto", "decision_log { path: \"/no/such/log\" }"));
  EXPECT_THAT(daemon,
              test::StatusIs(StatusCode::kInvalidArgument,
                             HasSubstr("decision_log.path: \"/no/such\"")));
}

TEST_F(DaemonTest, DrainsWithoutLosingAWaitingQuery) {
  Start(Config("rees46.textproto"));
  std::atomic<int> ok{0}, refused{0}, ended{0};
  constexpr int kQueries = 100;
  for (int i = 0; i < kQueries; ++i) {
    for (int n = ended; i - n >= 20; n = ended) ended.wait(n);
    client_->GetFeatures(
        FeatureRequest("recommend")
            .Entity("user_id", {i})
            .AddEvents(Click(i, SomeItem(static_cast<uint32_t>(i)),
                             static_cast<uint64_t>(i))),
        [&](absl::StatusOr<FeatureAnswer> answer) {
          if (answer.ok()) {
            ++ok;
          } else if (answer.status().code() == StatusCode::kUnavailable) {
            ++refused;
          }
          ++ended;
          ended.notify_all();
        });
  }
  daemon_->Drain(/*hurry=*/false);
  for (int n = ended; n < kQueries; n = ended) ended.wait(n);
  // Answered, or refused before anything was done: never dropped.
  EXPECT_EQ(ok + refused, kQueries);
}

TEST_F(DaemonTest, DrainsAnIdleDaemonWithinASecond) {
  Start(Config("rees46.textproto"));
  ASSERT_THAT(
      client_->GetFeatures(FeatureRequest("profile").Entity("user_id", {3})),
      test::IsOk());
  const base::MonoTime begin = base::Clock::Real().Now();
  daemon_->Drain(/*hurry=*/false);
  EXPECT_LT(base::Clock::Real().Now() - begin, std::chrono::seconds(1));
}

TEST_F(DaemonTest, QueriesGoOnWhileTenThousandEventsAreApplied) {
  Start(Config("rees46.textproto"));
  constexpr size_t kEvents = 10'000;
  std::vector<int64_t> users(kEvents);
  std::vector<int64_t> items(kEvents);
  std::vector<uint64_t> numbers(kEvents);
  for (size_t i = 0; i < kEvents; ++i) {
    users[i] = static_cast<int64_t>(i % 1000);
    items[i] = SomeItem(static_cast<uint32_t>(i % 1000));
    numbers[i] = i;
  }
  const EventRows clicks =
      EventRows("clicks")
          .Int64s("user_id", users)
          .Int64s("product_id", items)
          .TimesUs(std::vector<int64_t>(kEvents,
                                        base::Clock::Real().WallNowMicros()))
          .Producer("bulk", numbers);
  std::atomic<int> pushed{0};
  absl::StatusOr<PushAnswer> pushes[2] = {absl::UnknownError("not yet"),
                                          absl::UnknownError("not yet")};
  // Twice the same, both at once: whichever comes second is all duplicates.
  for (absl::StatusOr<PushAnswer>& push : pushes) {
    client_->PushEvents({clicks}, [&](absl::StatusOr<PushAnswer> answer) {
      push = std::move(answer);
      ++pushed;
    });
  }
  for (int64_t i = 0; i < 50 || pushed < 2; ++i) {
    const auto answer = client_->GetFeatures(
        FeatureRequest("recommend")
            .Entity("user_id", {2000 + i})
            .AddEvents(Click(2000 + i, SomeItem(1), static_cast<uint64_t>(i))));
    ASSERT_THAT(answer, test::IsOk());
    EXPECT_GT(answer->events(0).ingest_sequence(0), 0U);
  }
  size_t accepted = 0;
  for (const absl::StatusOr<PushAnswer>& push : pushes) {
    ASSERT_THAT(push, test::IsOk());
    for (size_t i = 0; i < kEvents; ++i) {
      accepted += push->events(0).status(i) == EventStatus::kAccepted;
    }
  }
  EXPECT_EQ(accepted, kEvents);
}

TEST_F(DaemonTest, ServesTheFraudExampleToo) {
  Start(Config("fraud.textproto"));
  const auto status = client_->GetStatus();
  ASSERT_THAT(status, test::IsOk());
  EXPECT_EQ(status->proto().featurizers_size(), 0);
}

}  // namespace
}  // namespace freshline::daemon
