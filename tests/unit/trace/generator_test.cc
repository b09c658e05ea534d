// SPDX-License-Identifier: Apache-2.0
#include "bench/trace/generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "bench/trace/reader.h"
#include "bench/trace/statistics.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

TEST(ClickGeneratorTest, IsOrderedAndDeterministic) {
  const Catalogue catalogue(20'000);
  ClickGenerator a(catalogue, 100, kWindowStartUs, 1);
  ClickGenerator b(catalogue, 100, kWindowStartUs, 1);
  ClickGenerator other(catalogue, 100, kWindowStartUs, 2);
  int64_t last = 0;
  int differences = 0;
  for (int i = 0; i < 20'000; ++i) {
    const GeneratedClick x = a.Next();
    const GeneratedClick y = b.Next();
    ASSERT_EQ(x.time_us, y.time_us);
    ASSERT_EQ(x.position, y.position);
    ASSERT_GE(x.time_us, last);
    last = x.time_us;
    differences += other.Next().position != x.position;
  }
  EXPECT_GT(differences, 10'000);
}

// The bands are those in which published statistics of REES46 lie, or which a
// prototype of the same recipe had (five seeds).
TEST(ClickGeneratorTest, HasTheShapeOfTheRealThing) {
  GenerateOptions options;
  options.queries = 30'000;
  options.seconds = 600;
  options.history = 1800;
  options.items = 100'000;
  options.out = ::testing::TempDir() + "generated";
  const auto report = RunGenerate(options);
  ASSERT_THAT(report, test::IsOk());
  EXPECT_NEAR(static_cast<double>(report->window_clicks), 30'000, 4'000);

  ReadOptions read;
  read.since_us = kWindowStartUs;
  StringPool pool;
  ReadReport read_report;
  const auto clicks = ReadTrace(report->trace_path, read, &pool, &read_report);
  ASSERT_THAT(clicks, test::IsOk());
  EXPECT_EQ(read_report.malformed, 0U);
  EXPECT_EQ(clicks->size(), report->window_clicks);
  const TraceStatistics s = Describe(*clicks);
  EXPECT_EQ(s.users, report->window_users);
  EXPECT_NEAR(s.per_user_mean, 3.8, 0.4);
  EXPECT_EQ(s.per_user_p50, 2U);
  EXPECT_NEAR(s.per_user_p90, 9, 1);
  EXPECT_NEAR(s.gap_p50_s, 33, 3);
  EXPECT_NEAR(s.repeat, 0.335, 0.02);
  // Counted inside the window, which cuts the longest sessions.
  EXPECT_NEAR(s.revisit, 0.115, 0.02);
  EXPECT_NEAR(s.same_category, 0.80, 0.03);
  EXPECT_NEAR(s.views, 0.961, 0.01);
  EXPECT_NEAR(s.previous_within_60s, 0.56, 0.05);
  EXPECT_NEAR(s.top100, 0.26, 0.06);
}

TEST(ClickGeneratorTest, TheWindowDoesNotDependOnTheHistoryWritten) {
  GenerateOptions options;
  options.queries = 2'000;
  options.seconds = 60;
  options.items = 1'000;
  std::vector<Click> windows[2];
  for (const int64_t history : {0, 900}) {
    options.history = history;
    options.out = ::testing::TempDir() + "history";
    const auto report = RunGenerate(options);
    ASSERT_THAT(report, test::IsOk());
    EXPECT_EQ(report->history_clicks > 0, history > 0);
    EXPECT_NEAR(static_cast<double>(report->window_clicks), 2'000, 300);
    ReadOptions read;
    read.since_us = kWindowStartUs;
    StringPool pool;
    ReadReport rows;
    const auto clicks = ReadTrace(report->trace_path, read, &pool, &rows);
    ASSERT_THAT(clicks, test::IsOk());
    windows[history > 0] = *clicks;
  }
  ASSERT_EQ(windows[0].size(), windows[1].size());
  for (size_t i = 0; i < windows[0].size(); ++i) {
    EXPECT_EQ(windows[0][i].user, windows[1][i].user);
    EXPECT_EQ(windows[0][i].item, windows[1][i].item);
  }
}

TEST(ClickGeneratorTest, ATraceHasItsNameOnlyWhenItIsWhole) {
  GenerateOptions options;
  options.items = 1000;
  options.queries = 100;
  options.seconds = 10;
  options.history = 0;
  options.out = ::testing::TempDir() + "whole";
  std::filesystem::remove_all(options.out);
  // What cannot be opened for writing stands where the rows would be made.
  std::filesystem::create_directories(options.out + "/trace.csv.partial");
  EXPECT_THAT(RunGenerate(options).status(),
              test::StatusIs(absl::StatusCode::kUnavailable,
                             ::testing::HasSubstr("trace.csv.partial")));
  EXPECT_FALSE(std::filesystem::exists(options.out + "/trace.csv"));
  EXPECT_FALSE(std::filesystem::exists(options.out + "/catalogue.csv"));
  std::filesystem::remove(options.out + "/trace.csv.partial");
  ASSERT_THAT(RunGenerate(options), test::IsOk());
  EXPECT_TRUE(std::filesystem::exists(options.out + "/trace.csv"));
  EXPECT_TRUE(std::filesystem::exists(options.out + "/catalogue.csv"));
  EXPECT_FALSE(std::filesystem::exists(options.out + "/trace.csv.partial"));
  EXPECT_FALSE(std::filesystem::exists(options.out + "/catalogue.csv.partial"));
}

TEST(ClickGeneratorTest, RefusesOptionsOutOfRange) {
  GenerateOptions options;
  options.items = 3;
  EXPECT_THAT(RunGenerate(options).status(),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             ::testing::HasSubstr("--items")));
  options = {};
  options.items = 1000;
  options.queries = 10;
  options.seconds = 1;
  options.history = 0;
  options.out = "/proc/nowhere";
  EXPECT_FALSE(RunGenerate(options).ok());
}

}  // namespace
}  // namespace freshline::bench
