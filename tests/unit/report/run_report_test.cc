// SPDX-License-Identifier: Apache-2.0
#include "bench/report/run_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

using ::testing::HasSubstr;

RunReport SomeRun(const std::string& policy, double load) {
  RunReport r;
  r.policy = policy;
  r.trace = {"trace.csv", "abc", 100, 10, 400'000, 1.5, 7};
  r.slo_ms = 30;
  r.load = load;
  r.queries = 1000;
  r.violations = 2;
  r.violations_upper95 = 0.006;
  r.echo = {1000, 1, 0.004};
  r.latency_us = {1, 2, 3, 4, 5, 6};
  r.quality.hr20 = 0.5;
  r.quality.gap_closed = 0.9;
  r.quality.gap_closed_low = 0.8;
  r.quality.gap_closed_high = 0.95;
  r.obtained = {{"REFRESHED", 900}, {"STALE_SHED", 98}};
  r.client_limited = true;
  r.featurizations = 901;
  r.jain = 0.75;
  r.classes.push_back({"app", 400, 1, 0.01, 0.7, 2.5, r.quality});
  return r;
}

std::string FreshDirectory(const std::string& name) {
  const std::string path = ::testing::TempDir() + name;
  std::filesystem::remove_all(path);
  return path;
}

TEST(RunReportTest, ATenantsRowsComeBackAndAreShown) {
  const RunReport run = SomeRun("slo_aware", 2);
  const auto again = ParseRun(FormatRun(run), "run");
  ASSERT_THAT(again, test::IsOk());
  EXPECT_EQ(again->jain, 0.75);
  ASSERT_EQ(again->classes.size(), 1U);
  const RunReport::Class& c = again->classes[0];
  EXPECT_EQ(c.name, "app");
  EXPECT_EQ(c.queries, 400U);
  EXPECT_EQ(c.violations, 1U);
  EXPECT_EQ(c.violations_upper95, 0.01);
  EXPECT_EQ(c.fraction_fresh, 0.7);
  EXPECT_EQ(c.worker_s, 2.5);
  EXPECT_EQ(c.quality.gap_closed, 0.9);
  const std::string table = ReportTable({run});
  EXPECT_THAT(table, ::testing::HasSubstr("app"));
  EXPECT_THAT(table, ::testing::HasSubstr("0.7500"));
}

TEST(RunReportTest, ReadsWhatItWrote) {
  const std::string directory = FreshDirectory("report");
  ReportHeader header;
  header.command = "freshline-bench compare";
  ASSERT_THAT(WriteReport(header, {SomeRun("slo_aware", 0.9)}, directory),
              test::IsOk());
  const auto runs = LoadReport(directory);
  ASSERT_THAT(runs, test::IsOk());
  ASSERT_EQ(runs->size(), 1U);
  const RunReport& r = (*runs)[0];
  EXPECT_EQ(r.policy, "slo_aware");
  EXPECT_EQ(r.trace.superpose, 1.5);
  EXPECT_EQ(r.trace.padded_items, 7U);
  EXPECT_EQ(r.violations, 2U);
  EXPECT_EQ(r.echo.violations, 1U);
  EXPECT_EQ(r.latency_us.p999, 5);
  EXPECT_EQ(r.quality.gap_closed_high, 0.95);
  EXPECT_EQ(r.obtained.at("REFRESHED"), 900U);
  EXPECT_TRUE(r.client_limited);
  EXPECT_EQ(r.featurizations, 901U);
}

TEST(RunReportTest, KeepsWhatOnlySimulatedRunsHave) {
  const std::string directory = FreshDirectory("simulated");
  RunReport simulated = SomeRun("slo_aware", 2);
  simulated.kind = "simulated";
  simulated.quality.value_captured = 0.5;
  simulated.quality.value_bound = 0.625;
  ASSERT_THAT(WriteReport({}, {simulated, SomeRun("slo_aware", 2)}, directory),
              test::IsOk());
  const auto runs = LoadReport(directory);
  ASSERT_THAT(runs, test::IsOk());
  EXPECT_EQ((*runs)[0].kind, "simulated");
  EXPECT_EQ((*runs)[0].quality.value_captured, 0.5);
  EXPECT_EQ((*runs)[0].quality.value_bound, 0.625);
  EXPECT_EQ((*runs)[1].kind, "live");
  EXPECT_EQ((*runs)[1].quality.value_bound, std::nullopt);
}

TEST(RunReportTest, OneRunAsTextReadsBackWithAllThatTellsRunsApart) {
  RunReport run = SomeRun("edf", 2);
  run.workload = "flash_crowd:times=10";
  run.metric = "age";
  run.approximate = true;
  run.jain = 0.75;
  run.p99_coverage_windows = {1, 0.98};
  const std::string text = FormatRun(run);
  const auto read = ParseRun(text, "a run");
  ASSERT_THAT(read, test::IsOk());
  EXPECT_EQ(FormatRun(*read), text);
  EXPECT_EQ(read->workload, run.workload);
  EXPECT_EQ(read->metric, run.metric);
  EXPECT_TRUE(read->approximate);
  EXPECT_EQ(read->jain, run.jain);
  EXPECT_EQ(read->p99_coverage_windows, run.p99_coverage_windows);
  EXPECT_THAT(
      ParseRun("{}", "a run").status(),
      test::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("a run")));
}

// Tools read these names: one that is renamed breaks them silently.
TEST(RunReportTest, KeepsTheNamesOfSchemaOne) {
  const std::string directory = FreshDirectory("names");
  ASSERT_THAT(WriteReport({}, {SomeRun("edf", 1)}, directory), test::IsOk());
  std::ifstream in(directory + "/report.json");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  for (const char* name : {"schema",
                           "command",
                           "commit",
                           "build",
                           "machine",
                           "runs",
                           "kind",
                           "policy",
                           "trace",
                           "sha256",
                           "superpose",
                           "padded_items",
                           "slo_ms",
                           "gap_ms",
                           "load",
                           "seed",
                           "duration_s",
                           "client_limited",
                           "dispatch_lag_us",
                           "guard_us",
                           "queries",
                           "violations",
                           "violations_upper95",
                           "errors",
                           "echo",
                           "latency_us",
                           "quality",
                           "hr20",
                           "mrr20",
                           "ndcg20",
                           "hr20_infinite",
                           "hr20_never",
                           "hr20_covisitation",
                           "hr20_cheap",
                           "hr20_popularity",
                           "hr20_own_items",
                           "gap_closed",
                           "gap_closed_ci95",
                           "obtained",
                           "pending",
                           "age_ms",
                           "fraction_fresh",
                           "featurizations",
                           "wasted",
                           "decision_ns",
                           "calibration",
                           "p99_coverage"}) {
    EXPECT_THAT(text, HasSubstr("\"" + std::string(name) + "\"")) << name;
  }
}

TEST(RunReportTest, SaysWhatIsWrongWithAReport) {
  const std::string directory = FreshDirectory("broken");
  EXPECT_THAT(
      LoadReport(directory).status(),
      test::StatusIs(absl::StatusCode::kNotFound, HasSubstr("report.json")));
  std::filesystem::create_directories(directory);
  for (const char* text :
       {"", "{", "[]", R"({"schema": 2})", R"({"schema": 1, "runs": [{}]})",
        R"({"schema": 1, "runs": [{"kind": 5}]})"}) {
    std::ofstream(directory + "/report.json") << text;
    EXPECT_THAT(LoadReport(directory).status(),
                test::StatusIs(absl::StatusCode::kInvalidArgument,
                               HasSubstr("report.json")))
        << text;
  }
}

TEST(RunReportTest, TheTableShowsTheFloorAndTheClientsOwnLimit) {
  const std::string table = ReportTable({SomeRun("fifo", 2)});
  EXPECT_THAT(table, HasSubstr("fifo"));
  EXPECT_THAT(table, HasSubstr("0.2000"));  // violations, in percent
  EXPECT_THAT(table, HasSubstr("0.1000"));  // the echo's
  EXPECT_THAT(table, HasSubstr("client_limited"));
}

TEST(RunReportTest, WithoutAnEchoTheTableShowsNoRateOfIt) {
  RunReport run = SomeRun("fifo", 2);
  run.echo = {};
  const std::string table = ReportTable({run});
  EXPECT_THAT(table, HasSubstr("0.2000        - "));
}

TEST(RunReportTest, ReferencesStandOnceForEverySlice) {
  const std::string table = ReferenceTable(
      {SomeRun("fifo", 2), SomeRun("edf", 2), SomeRun("edf", 0.5)});
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 3);
}

}  // namespace
}  // namespace freshline::bench
