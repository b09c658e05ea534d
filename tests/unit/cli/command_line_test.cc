// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <sstream>

#include "freshline/v1/feature_store.pb.h"
#include "freshline/v1/operations.pb.h"
#include "tests/support/fake_feature_store.h"

namespace freshline::cli {
namespace {

using test::FakeFeatureStore;
using ::testing::AllOf;
using ::testing::HasSubstr;

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

Outcome Execute(std::vector<std::string> arguments,
                const std::string& input = "") {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  const int code = RunCommandLine(arguments, in, out, err);
  return {code, out.str(), err.str()};
}

// Keeps the last request and answers every event as accepted.
class CommandLineTest : public ::testing::Test {
 protected:
  CommandLineTest()
      : store_({.get_features =
                    [this](const v1::GetFeaturesRequest& request,
                           v1::GetFeaturesResponse* response) {
                      get_ = request;
                      response->set_rows(1);
                      v1::FeatureColumn& column = *response->add_features();
                      column.set_name("user:clicks_1h");
                      column.mutable_values()->mutable_int64s()->add_values(5);
                      return get_error_;
                    },
                .push_events =
                    [this](const v1::PushEventsRequest& request,
                           v1::PushEventsResponse* response) {
                      pushes_.push_back(request);
                      for (const auto& batch : request.batches()) {
                        v1::EventResults& results = *response->add_results();
                        results.set_ack_level(v1::MEMORY);
                        for (int i = 0; i < batch.event_time_us_size(); ++i) {
                          results.add_ingest_sequence(++sequence_);
                          results.add_statuses(i == 1 ? v1::DUPLICATE
                                                      : v1::ACCEPTED);
                        }
                      }
                      return absl::OkStatus();
                    },
                .report_outcome =
                    [this](const v1::ReportOutcomeRequest& request,
                           v1::ReportOutcomeResponse* response) {
                      outcomes_ = request;
                      for (int i = 0; i < request.loss_size(); ++i) {
                        response->add_statuses(i == 1 ? v1::OUTCOME_UNKNOWN
                                                      : v1::OUTCOME_ACCEPTED);
                      }
                      return absl::OkStatus();
                    },
                .get_status =
                    [](v1::GetStatusResponse* response) {
                      response->set_version("9.9");
                      return absl::OkStatus();
                    },
                .check_health =
                    [](const std::string& service, bool* serving) {
                      *serving = service.empty();
                      return absl::StatusCode::kOk;
                    }}) {}

  std::string Target() const { return "--target=" + store_.target(); }

  v1::GetFeaturesRequest get_;
  absl::Status get_error_;
  std::vector<v1::PushEventsRequest> pushes_;
  v1::ReportOutcomeRequest outcomes_;
  uint64_t sequence_ = 0;
  FakeFeatureStore store_;
};

TEST_F(CommandLineTest, GetSendsEverythingAndPrintsATable) {
  const Outcome outcome =
      Execute({"get",           Target(),
               "--service",     "recommend",
               "--entity",      "user_id=42",
               "--entity",      "country=de",
               "--budget",      "30ms",
               "--max-pending", "2",
               "--max-age",     "1m",
               "--request-id",  "r",
               "--producer",    "web",
               "--event",       "clicks:user_id=42,producer_sequence=1"});
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("user:clicks_1h"),
                                 HasSubstr("PRESENT"), HasSubstr("COMPUTED")));
  EXPECT_EQ(get_.feature_service(), "recommend");
  EXPECT_EQ(get_.entities_size(), 2);
  EXPECT_EQ(get_.budget_us(), 30'000);
  EXPECT_EQ(get_.freshness().max_pending(), 2u);
  EXPECT_EQ(get_.freshness().max_age_us(), 60'000'000);
  EXPECT_EQ(get_.request_id(), "r");
  EXPECT_EQ(get_.events(0).producer_sequence(0), 1u);
  EXPECT_GT(get_.events(0).event_time_us(0), 0);
}

TEST_F(CommandLineTest, GetTakesFeaturesAndPrintsJson) {
  const Outcome outcome =
      Execute({"get", Target(), "--feature", "user:a", "--feature", "user:b",
               "--entity", "user_id=1", "--json"});
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_EQ(get_.features_size(), 2);
  EXPECT_FALSE(get_.has_budget_us());
  EXPECT_THAT(outcome.out, HasSubstr("\"name\": \"user:clicks_1h\""));
}

TEST_F(CommandLineTest, WrongArgumentsAreUsageErrors) {
  const auto fails = [&](std::vector<std::string> arguments, const char* part) {
    const Outcome outcome = Execute(arguments);
    EXPECT_EQ(outcome.code, kExitUsage) << outcome.out;
    EXPECT_THAT(outcome.err, HasSubstr(part));
  };
  fails({}, "subcommand");
  fails({"put"}, "subcommand");
  fails({"get", Target(), "--wrong"}, "--wrong");
  fails({"get", Target()}, "--service or --feature");
  fails({"get", Target(), "--service", "s", "--feature", "a:b"},
        "--service or --feature");
  fails({"get", Target(), "--service", "s", "--entity", "x"}, "NAME=VALUE");
  fails({"get", Target(), "--service", "s", "--event", "x"}, "SOURCE:");
  fails({"get", Target(), "--service", "s", "--budget", "30"}, "--budget");
  fails({"get", Target(), "--service", "s", "--max-age", "soon"}, "--max-age");
  fails({"get", Target(), "--service", "s", "--timeout", "0s"}, "timeout");
  fails({"push", Target()}, "--csv");
  fails({"push", Target(), "--csv", "-"}, "--source");
  fails({"push", Target(), "--csv", "-", "--source", "s", "--batch", "0"},
        "batch");
  fails({"push", Target(), "--csv", "/no/such/file", "--source", "s"},
        "/no/such/file");
  fails({"status", Target(), "--watch", "--interval", "x"}, "--interval");
}

TEST_F(CommandLineTest, TheDaemonsErrorsKeepMessageAndMapToExitCodes) {
  const auto code_of = [&](const absl::Status& status) {
    get_error_ = status;
    const Outcome outcome = Execute({"get", Target(), "--service", "s"});
    EXPECT_THAT(outcome.err, HasSubstr("the reason"));
    EXPECT_EQ(outcome.out, "");
    return outcome.code;
  };
  EXPECT_EQ(code_of(absl::InvalidArgumentError("the reason")), kExitUsage);
  EXPECT_EQ(code_of(absl::NotFoundError("the reason")), kExitUsage);
  EXPECT_EQ(code_of(absl::UnavailableError("the reason")), kExitUnavailable);
  EXPECT_EQ(code_of(absl::ResourceExhaustedError("the reason")),
            kExitUnavailable);
  EXPECT_EQ(code_of(absl::InternalError("the reason")), kExitInternal);
}

TEST_F(CommandLineTest, ReportSendsLossesAndTellsWhatBecameOfThem) {
  const Outcome outcome =
      Execute({"report", Target(), "--service", "recommend", "--entity",
               "user_id=42", "--loss", "req=1=0.5", "--loss", "b=1"});
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_EQ(outcome.out, "req=1 OUTCOME_ACCEPTED\nb OUTCOME_UNKNOWN\n");
  EXPECT_EQ(outcomes_.request_id(0), "req=1");
  EXPECT_EQ(outcomes_.loss(0), 0.5);
  EXPECT_EQ(outcomes_.entities(0).values().int64s().values(0), 42);
  const Outcome wrong = Execute({"report", Target(), "--service", "recommend",
                                 "--entity", "user_id=42", "--loss", "a"});
  EXPECT_EQ(wrong.code, kExitUsage);
  EXPECT_THAT(wrong.err, HasSubstr("REQUEST_ID=LOSS"));
}

TEST_F(CommandLineTest, PushSendsACsvInBatchesAndTellsWhatBecameOfIt) {
  const Outcome outcome =
      Execute({"push", Target(), "--source", "clicks", "--csv", "-", "--batch",
               "2", "--producer", "web"},
              "event_time,user_id\n1,1\n2,2\n3,3\n");
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_EQ(outcome.out,
            "pushed 3 events: 2 ACCEPTED, 1 DUPLICATE; acknowledged MEMORY, "
            "newest sequence 3\n");
  ASSERT_EQ(pushes_.size(), 2u);
  EXPECT_EQ(pushes_[1].batches(0).producer_sequence(0), 3u);
}

TEST_F(CommandLineTest, PushOfBadDataKeepsAndReportsWhatWentBefore) {
  const Outcome outcome = Execute({"push", Target(), "--source", "clicks",
                                   "--csv", "-", "--batch", "1", "--json"},
                                  "event_time,user_id\n1,1\n2\n");
  EXPECT_EQ(outcome.code, kExitData);
  EXPECT_THAT(outcome.err, HasSubstr("line 3"));
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("\"events\": 1"), HasSubstr("\"ACCEPTED\": 1")));
}

TEST_F(CommandLineTest, PushReadsAWholeRequestAsJsonFromAFile) {
  const std::string path = ::testing::TempDir() + "/push.json";
  std::ofstream(path) << R"({"batches": [{"source": "clicks",
      "event_time_us": ["5"]}]})";
  EXPECT_EQ(Execute({"push", Target(), "--json-file", path}).code, kExitOk);
  ASSERT_EQ(pushes_.size(), 1u);
  EXPECT_EQ(pushes_[0].batches(0).event_time_us(0), 5);
  std::ofstream(path) << "{]";
  const Outcome bad = Execute({"push", Target(), "--json-file", path});
  EXPECT_EQ(bad.code, kExitData);
  EXPECT_THAT(bad.err, HasSubstr(path));
}

TEST_F(CommandLineTest, StatusPrintsFieldsOrJsonOnceOrAgain) {
  EXPECT_THAT(Execute({"status", Target()}).out, HasSubstr("9.9"));
  const Outcome watched = Execute({"status", Target(), "--json", "--watch",
                                   "--count", "3", "--interval", "1us"});
  EXPECT_EQ(watched.code, kExitOk);
  EXPECT_EQ(std::count(watched.out.begin(), watched.out.end(), '\n'), 3);
}

TEST_F(CommandLineTest, HealthcheckExitsZeroOnlyWhereServing) {
  EXPECT_EQ(Execute({"healthcheck", Target()}).code, kExitOk);
  EXPECT_EQ(Execute({"healthcheck", Target(), "--service", "x"}).code,
            kExitUnhealthy);
  std::string gone;
  { gone = FakeFeatureStore({}).target(); }
  const Outcome outcome = Execute({"healthcheck", "--target", gone});
  EXPECT_EQ(outcome.code, kExitUnhealthy);
  EXPECT_THAT(outcome.err, HasSubstr("UNAVAILABLE"));
}

TEST_F(CommandLineTest, HealthcheckAsksAgainForAsLongAsItIsTold) {
  std::atomic<int> asked{0};
  FakeFeatureStore slow(
      {.check_health = [&](const std::string&, bool* serving) {
        *serving = ++asked >= 3;
        return absl::StatusCode::kOk;
      }});
  EXPECT_EQ(
      Execute({"healthcheck", "--target", slow.target(), "--wait", "60s"}).code,
      kExitOk);
  EXPECT_EQ(asked, 3);
  std::string gone;
  { gone = FakeFeatureStore({}).target(); }
  EXPECT_EQ(Execute({"healthcheck", "--target", gone, "--wait", "1ms"}).code,
            kExitUnhealthy);
}

TEST(CommandLineHelpTest, HelpAndVersionSucceed) {
  EXPECT_EQ(Execute({"--help"}).code, kExitOk);
  EXPECT_EQ(Execute({"get", "--help"}).code, kExitOk);
  const Outcome version = Execute({"--version"});
  EXPECT_EQ(version.code, kExitOk);
  EXPECT_THAT(version.out, HasSubstr("freshline "));
}

}  // namespace
}  // namespace freshline::cli
