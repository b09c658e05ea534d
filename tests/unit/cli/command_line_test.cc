// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "freshline/v1/feature_store.pb.h"
#include "freshline/v1/operations.pb.h"
#include "tests/support/fake_feature_store.h"
#include "tests/unit/cli/shop_schema.h"

namespace freshline::cli {
namespace {

using test::FakeFeatureStore;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

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
                      if (!push_error_.ok()) return push_error_;
                      pushes_.push_back(request);
                      for (const auto& batch : request.batches()) {
                        v1::EventResults& results = *response->add_results();
                        results.set_ack_level(v1::MEMORY);
                        for (int i = 0; i < batch.event_time_us_size(); ++i) {
                          results.add_ingest_sequence(++sequence_);
                          results.add_statuses(i == 1 ? v1::DUPLICATE
                                                      : push_status_);
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
                .get_schema =
                    [](v1::GetSchemaResponse* response) {
                      *response = ShopSchema();
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
  absl::Status push_error_;
  v1::EventStatus push_status_ = v1::ACCEPTED;
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
               "--entity",      "card=0017",
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
  EXPECT_EQ(get_.entities(1).values().strings().values(0), "0017");
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
  fails({"get", Target(), "--service", "s", "--entity", "who=1"}, "user_id");
  fails({"get", Target(), "--service", "s", "--budget", "30"}, "--budget");
  fails({"get", Target(), "--service", "s", "--max-age", "soon"}, "--max-age");
  fails({"get", Target(), "--service", "s", "--timeout", "0s"}, "timeout");
  fails({"push", Target()}, "--csv");
  fails({"push", Target(), "--csv", "-"}, "--source");
  fails({"push", Target(), "--csv", "-", "--source", "s", "--batch", "0"},
        "batch");
  fails({"push", Target(), "--csv", "/no/such/file", "--source", "clicks"},
        "/no/such/file");
  fails({"push", Target(), "--csv", "-", "--source", "click"}, "clicks");
  fails({"push", Target(), "--csv", "-", "--source", "clicks", "--time-unit",
         "h"},
        "--time-unit");
  fails({"push", Target(), "--csv", "-", "--source", "clicks", "--delimiter",
         "xx"},
        "--delimiter");
  fails({"push", Target(), "--csv", "-", "--source", "clicks", "--shift-time",
         "then"},
        "--shift-time");
  fails({"status", Target(), "--watch", "--interval", "x"}, "--interval");
  fails({"status", "--target", "127.0.0.1:99999"}, "65535");
  fails({"status", "--target", "127.0.0.1"}, "no port");
  fails({"healthcheck", "--target", "127.0.0.1:73259"}, "65535");
  fails({"healthcheck", Target(), "--wait", "abc"}, "--wait");
  fails({"healthcheck", Target(), "--timeout", "5"}, "--timeout");
  fails({"get", Target(), "--service", "s", "--max-pending", "-1"},
        "--max-pending");
  for (const char* flag : {"--from-line", "--first-sequence"}) {
    for (const char* number : {"-1", "1.5", "99999999999999999999"}) {
      fails(
          {"push", Target(), "--csv", "-", "--source", "clicks", flag, number},
          flag);
    }
  }
  fails({"push", Target(), "--csv", "-", "--source", "clicks",
         "--sequence-column", "n"},
        "--producer");
}

TEST_F(CommandLineTest, AnErrorIsOneLineThatMovesNoCursor) {
  const Outcome outcome =
      Execute({"push", Target(), "--source", "clicks", "--csv", "-"},
              "event_time,user_id\n2019-10-01,\x1b[31mred\x07\n");
  EXPECT_EQ(outcome.code, kExitData);
  EXPECT_THAT(outcome.err, HasSubstr("\"\\x1b[31mred\\x07\" is no INT64"));
  EXPECT_EQ(outcome.err.find_first_of("\x1b\x07"), std::string::npos);
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

constexpr char kThreeClicks[] =
    "event_time,user_id\n2019-10-01,1\n2019-10-01,2\n2019-10-01,3\n";

TEST_F(CommandLineTest, PushSendsACsvInBatchesAndTellsWhatBecameOfIt) {
  const Outcome outcome =
      Execute({"push", Target(), "--source", "clicks", "--csv", "-", "--batch",
               "2", "--producer", "web"},
              kThreeClicks);
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_EQ(outcome.out,
            "pushed 3 events: 2 ACCEPTED, 1 DUPLICATE; acknowledged MEMORY, "
            "newest sequence 3\n");
  EXPECT_THAT(outcome.err,
              HasSubstr("not applied: 1 DUPLICATE (the first on line 3)"));
  ASSERT_EQ(pushes_.size(), 2u);
  EXPECT_EQ(pushes_[1].batches(0).producer_sequence(0), 3u);
}

TEST_F(CommandLineTest, PushOfBadDataKeepsAndReportsWhatWentBefore) {
  const Outcome outcome = Execute({"push", Target(), "--source", "clicks",
                                   "--csv", "-", "--batch", "1", "--json"},
                                  "event_time,user_id\n2019-10-01,1\n2\n");
  EXPECT_EQ(outcome.code, kExitData);
  EXPECT_THAT(outcome.err, HasSubstr("standard input: line 3"));
  EXPECT_THAT(outcome.out,
              AllOf(HasSubstr("\"events\": 1"), HasSubstr("\"ACCEPTED\": 1")));
}

TEST_F(CommandLineTest, AfterAnErrorPushSaysHowToGoOnAndTheRestFollows) {
  const std::string path = ::testing::TempDir() + "/go on.csv";
  const auto write = [&](const char* value) {
    std::ofstream(path) << kThreeClicks << "2019-10-01," << value << "\n"
                        << "2019-10-01,5\n";
  };
  write("four");
  const std::vector<std::string> arguments = {
      "push", Target(),      "--source", "clicks",  "--csv",
      path,   "--from-line", "3",        "--batch", "1"};
  const Outcome outcome = Execute(arguments);
  EXPECT_EQ(outcome.code, kExitData);
  EXPECT_THAT(
      outcome.err,
      HasSubstr(absl::StrCat(
          path,
          ": line 5, column user_id: \"four\" is no INT64; write a whole "
          "number from -2^63 to 2^63 - 1. Lines 3 to 4 were pushed before it "
          "(2 "
          "events); to go on: freshline push ",
          Target(), " --source clicks --csv '", path,
          "' --batch 1 --from-line 5\n")));
  write("4");
  ASSERT_EQ(pushes_.size(), 2u);
  EXPECT_EQ(Execute({"push", Target(), "--source", "clicks", "--csv", path,
                     "--from-line", "5"})
                .code,
            kExitOk);
  EXPECT_THAT(pushes_.back().batches(0).columns(0).values().int64s().values(),
              ::testing::ElementsAre(4, 5));
  const Outcome beyond = Execute({"push", Target(), "--source", "clicks",
                                  "--csv", path, "--from-line", "50"});
  EXPECT_EQ(beyond.code, kExitUsage);
  EXPECT_THAT(beyond.err, HasSubstr("--from-line 50"));
}

TEST_F(CommandLineTest, ARefusalOfTheDaemonIsToldByTheLineOfTheFile) {
  const auto push = [&](const absl::Status& error) {
    push_error_ = error;
    return Execute({"push", Target(), "--source", "clicks", "--csv", "-"},
                   kThreeClicks);
  };
  Outcome outcome = push(absl::InvalidArgumentError(
      "batches[0]: column \"user_id\", row 1: the reason"));
  EXPECT_EQ(outcome.code, kExitData);
  EXPECT_THAT(
      outcome.err,
      HasSubstr("standard input: line 3: column \"user_id\": the reason. "
                "Nothing was pushed before it"));
  outcome = push(absl::InvalidArgumentError(
      "batches[0].event_time_us[2] is 7; the reason"));
  EXPECT_THAT(outcome.err, HasSubstr("line 4: event_time_us[2] is 7"));
  outcome = push(absl::ResourceExhaustedError(
      "Received message larger than max (5000000 vs. 4194304)"));
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_THAT(outcome.err, HasSubstr("lines 2 to 4"));
  EXPECT_THAT(outcome.err, HasSubstr("lower --batch"));
  outcome = push(absl::InvalidArgumentError(
      "the request has 5000000 bytes, and at most 4194304 are taken"));
  EXPECT_EQ(outcome.code, kExitUsage);
  EXPECT_THAT(outcome.err, HasSubstr("lower --batch (now 500)"));
  outcome = push(absl::UnavailableError("gone"));
  EXPECT_EQ(outcome.code, kExitUnavailable);
  EXPECT_THAT(outcome.err, HasSubstr("lines 2 to 4: "));
  EXPECT_THAT(outcome.err, HasSubstr("is not known"));
  outcome = push(absl::UnavailableError("the server is draining"));
  EXPECT_EQ(outcome.code, kExitUnavailable);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("none of them was applied"),
                                 Not(HasSubstr("is not known"))));
}

TEST_F(CommandLineTest, APushThatAppliesNothingFails) {
  push_status_ = v1::LATE;
  const Outcome outcome = Execute(
      {"push", Target(), "--source", "clicks", "--csv", "-"}, kThreeClicks);
  EXPECT_EQ(outcome.code, kExitData);
  EXPECT_EQ(outcome.out, "pushed 3 events: 1 DUPLICATE, 2 LATE\n");
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("no event was applied"),
                                 HasSubstr("--shift-time now"),
                                 HasSubstr("the first on line 2")));
}

TEST_F(CommandLineTest, AFileWithoutRowsIsToldSo) {
  const Outcome outcome =
      Execute({"push", Target(), "--source", "clicks", "--csv", "-"},
              "event_time,user_id\n");
  EXPECT_EQ(outcome.code, kExitData);
  EXPECT_EQ(outcome.out, "pushed 0 events\n");
  EXPECT_THAT(outcome.err, HasSubstr("standard input holds no event"));
  for (const char* json : {"{}", "{\"batches\": []}",
                           "{\"batches\": [{\"source\": \"clicks\"}]}"}) {
    const Outcome of_json =
        Execute({"push", Target(), "--json-file", "-"}, json);
    EXPECT_EQ(of_json.code, kExitData) << json;
    EXPECT_THAT(of_json.err, HasSubstr("standard input holds no event"));
  }
}

TEST_F(CommandLineTest, WhatIsWrongWithinAFileIsNoWrongUse) {
  for (const auto& [content, part] :
       {std::pair(std::string("\xff\xfe"
                              "e\0",
                              4),
                  "iconv"),
        std::pair(std::string(), "empty"),
        std::pair(std::string("event_time,user_id,user_id\n"), "two columns"),
        std::pair(std::string("user_id\n"), "event_time"),
        std::pair(std::string("event_time,user_id,x\n"), "--ignore x")}) {
    const Outcome outcome = Execute(
        {"push", Target(), "--source", "clicks", "--csv", "-"}, content);
    EXPECT_EQ(outcome.code, kExitData) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(part));
  }
}

TEST_F(CommandLineTest, PushComesAgainWhenTheDaemonSays) {
  const auto push = [](const std::string& pushback, absl::Status error,
                       int refusals, int* calls) {
    std::atomic<int> asked{0};
    FakeFeatureStore store(
        {.push_events =
             [&](const v1::PushEventsRequest& request,
                 v1::PushEventsResponse* response) {
               if (asked++ < refusals) return error;
               v1::EventResults& results = *response->add_results();
               for (int64_t time : request.batches(0).event_time_us()) {
                 results.add_ingest_sequence(static_cast<uint64_t>(time));
               }
               return absl::OkStatus();
             },
         .get_schema =
             [](v1::GetSchemaResponse* response) {
               *response = ShopSchema();
               return absl::OkStatus();
             },
         .pushback_ms = pushback});
    const Outcome outcome = Execute({"push", "--target", store.target(),
                                     "--source", "clicks", "--csv", "-"},
                                    kThreeClicks);
    *calls = asked;
    return outcome;
  };
  const absl::Status full = absl::ResourceExhaustedError("no room");
  int calls = 0;
  Outcome outcome = push("1", full, 3, &calls);
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_EQ(calls, 4);
  // Without a word of the daemon, against its word, beyond every patience, and
  // where it is not known what was applied: once.
  for (const char* pushback : {"", "-1", "60000", "soon"}) {
    outcome = push(pushback, full, 1, &calls);
    EXPECT_EQ(outcome.code, kExitUnavailable) << pushback;
    EXPECT_THAT(outcome.err, HasSubstr("no room"));
    EXPECT_EQ(calls, 1) << pushback;
  }
  outcome = push("1", absl::UnavailableError("gone"), 1, &calls);
  EXPECT_EQ(outcome.code, kExitUnavailable);
  EXPECT_EQ(calls, 1);
}

TEST_F(CommandLineTest, PushShiftsTimes) {
  const std::string path = ::testing::TempDir() + "/shift.csv";
  std::ofstream(path) << "event_time,user_id\n2019-10-01 00:00:10,1\n"
                         "2019-10-01 00:00:05,2\n";
  const auto push = [&](const char* shift) {
    const Outcome outcome = Execute({"push", Target(), "--source", "clicks",
                                     "--csv", path, "--shift-time", shift});
    EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
    const auto& times = pushes_.back().batches(0).event_time_us();
    EXPECT_EQ(times[0] - times[1], 5'000'000);
    return times[0];
  };
  EXPECT_EQ(push("10s"), 1'569'888'020'000'000);
  EXPECT_EQ(push("-10s"), 1'569'888'000'000'000);
  const int64_t before = base::Clock::Real().WallNowMicros();
  const int64_t newest = push("now");
  EXPECT_GE(newest, before);
  EXPECT_LE(newest, base::Clock::Real().WallNowMicros());
  EXPECT_EQ(Execute({"push", Target(), "--source", "clicks", "--csv", "-",
                     "--shift-time", "now"})
                .code,
            kExitUsage);
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
