// SPDX-License-Identifier: Apache-2.0
#include "bench/trace/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include "absl/strings/str_cat.h"
#include "bench/trace/statistics.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

using ::testing::HasSubstr;

constexpr char kHeader[] =
    "event_time,event_type,product_id,category_id,category_code,brand,price,"
    "user_id,user_session\n";
constexpr char kSession[] = "01234567-89ab-4cde-8123-456789abcdef";

std::string Row(absl::string_view time, int64_t item, int64_t user) {
  return std::string(absl::StrCat("2019-10-01 ", time, " UTC,view,", item,
                                  ",77,shoes.men,acme,12.50,", user, ",",
                                  kSession, "\n"));
}

std::string WriteFile(const std::string& name, const std::string& content) {
  const std::string path = ::testing::TempDir() + name;
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

std::vector<Click> ReadAll(const std::string& path, ReadReport* report,
                           ReadOptions options = {}) {
  StringPool pool;
  auto clicks = ReadTrace(path, options, &pool, report);
  EXPECT_THAT(clicks, test::IsOk());
  return clicks.ok() ? *clicks : std::vector<Click>();
}

TEST(TraceReaderTest, ReadsEveryField) {
  StringPool pool;
  ReadReport report;
  ReadOptions options;
  options.jitter = false;
  const auto clicks =
      ReadTrace(WriteFile("one.csv", kHeader + Row("00:00:05", 42, 7)), options,
                &pool, &report);
  ASSERT_THAT(clicks, test::IsOk());
  ASSERT_EQ(clicks->size(), 1U);
  const Click& click = (*clicks)[0];
  EXPECT_EQ(FormatTraceTime(click.time_us), "2019-10-01 00:00:05 UTC");
  EXPECT_EQ(click.item, 42);
  EXPECT_EQ(click.user, 7);
  EXPECT_EQ(click.category, 77);
  EXPECT_EQ(click.price, 12.5);
  EXPECT_EQ(pool.text(click.brand), "acme");
  EXPECT_EQ(pool.text(click.category_code), "shoes.men");
  EXPECT_EQ(click.type, ClickType::kView);
}

TEST(TraceReaderTest, CountsMalformedRowsWithTheirLines) {
  const std::string good = Row("00:00:01", 1, 1);
  const std::string content =
      kHeader + good + "garbage\n" + good +
      "2019-10-01 00:00:99 UTC,view,1,2,,,1.0,3," + kSession + "\n" +
      "2019-10-01 00:00:02 UTC,view,x,2,,,1.0,3," + kSession + "\n" +
      "2019-10-01 00:00:02 UTC,view,1,2,,,nan,3," + kSession + "\n" + good +
      std::string(10'000, 'a') + "\n" + good + good.substr(0, good.size() - 9);
  ReadReport report;
  const auto clicks = ReadAll(WriteFile("bad.csv", content), &report);
  EXPECT_EQ(clicks.size(), 4U);
  EXPECT_EQ(report.rows, 4U);
  ASSERT_EQ(report.malformed, 6U);
  EXPECT_EQ(report.examples[0].line, 3U);
  EXPECT_THAT(report.examples[0].reason, HasSubstr("1 fields instead of 9"));
  EXPECT_EQ(report.examples[1].line, 5U);
  EXPECT_THAT(report.examples[2].reason, HasSubstr("product_id \"x\""));
  EXPECT_THAT(report.examples[3].reason, HasSubstr("price \"nan\""));
  EXPECT_THAT(report.examples[4].reason, HasSubstr("longer than 4096"));
  // The file ends in the middle of a row.
  EXPECT_EQ(report.examples[5].line, 11U);
  EXPECT_THAT(report.examples[5].reason, HasSubstr("user_session"));
}

TEST(TraceReaderTest, ReadsGzipAndCarriageReturns) {
  std::string content = kHeader;
  content.insert(content.size() - 1, "\r");
  for (int i = 0; i < 1000; ++i) {
    std::string row = Row("00:00:01", i, i);
    row.insert(row.size() - 1, "\r");
    content += row;
  }
  const std::string path = ::testing::TempDir() + "trace.csv.gz";
  gzFile gz = gzopen(path.c_str(), "wb");
  gzwrite(gz, content.data(), static_cast<unsigned>(content.size()));
  gzclose(gz);
  ReadReport report;
  EXPECT_EQ(ReadAll(path, &report).size(), 1000U);
  EXPECT_EQ(report.malformed, 0U);
}

TEST(TraceReaderTest, ATruncatedGzipIsReportedNotFatal) {
  std::string content = kHeader;
  for (int i = 0; i < 20'000; ++i) content += Row("00:00:01", i * 7919, i);
  const std::string path = ::testing::TempDir() + "cut.csv.gz";
  gzFile gz = gzopen(path.c_str(), "wb");
  gzwrite(gz, content.data(), static_cast<unsigned>(content.size()));
  gzclose(gz);
  std::ifstream in(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), {});
  WriteFile("cut.csv.gz", bytes.substr(0, bytes.size() / 2));
  ReadReport report;
  const auto clicks = ReadAll(path, &report);
  EXPECT_GT(clicks.size(), 0U);
  EXPECT_LT(clicks.size(), 20'000U);
  ASSERT_GE(report.malformed, 1U);
  EXPECT_THAT(report.examples.back().reason, HasSubstr("cannot be read on"));
}

TEST(TraceReaderTest, RefusesAnotherHeaderAndMissingFiles) {
  StringPool pool;
  EXPECT_THAT(
      TraceReader::Open(WriteFile("h.csv", "a,b\n"), {}, &pool).status(),
      test::StatusIs(absl::StatusCode::kInvalidArgument,
                     HasSubstr("h.csv:1: the header is \"a,b\"")));
  EXPECT_THAT(
      TraceReader::Open("/nonexistent.csv", {}, &pool).status(),
      test::StatusIs(absl::StatusCode::kNotFound, HasSubstr("nonexistent")));
}

TEST(TraceReaderTest, JitterKeepsTheOrderAndTheSecond) {
  std::string content = kHeader;
  for (int i = 0; i < 500; ++i) {
    content += Row(absl::StrCat("00:00:", i < 100 ? "10" : "11"), i, i % 3);
  }
  const std::string path = WriteFile("jitter.csv", content);
  ReadReport report;
  const auto clicks = ReadAll(path, &report);
  ASSERT_EQ(clicks.size(), 500U);
  for (size_t i = 0; i < clicks.size(); ++i) {
    EXPECT_EQ(clicks[i].item, static_cast<int64_t>(i));
    if (i > 0) {
      EXPECT_GE(clicks[i].time_us, clicks[i - 1].time_us);
    }
  }
  EXPECT_EQ(FormatTraceTime(clicks[99].time_us), "2019-10-01 00:00:10 UTC");
  EXPECT_NE(clicks[0].time_us % 1'000'000, clicks[99].time_us % 1'000'000);
  // The same seed, the same jitter.
  ReadReport again;
  EXPECT_EQ(ReadAll(path, &again)[50].time_us, clicks[50].time_us);
}

TEST(TraceReaderTest, RowsOutOfOrderTakeTheTimeBeforeThem) {
  ReadReport report;
  ReadOptions options;
  options.jitter = false;
  const auto clicks =
      ReadAll(WriteFile("order.csv", kHeader + Row("00:00:05", 1, 1) +
                                         Row("00:00:03", 2, 1)),
              &report, options);
  ASSERT_EQ(clicks.size(), 2U);
  EXPECT_EQ(report.out_of_order, 1U);
  EXPECT_EQ(clicks[1].time_us, clicks[0].time_us);
}

TEST(TraceReaderTest, ARowFromTheFarFutureOrPastDoesNotSpoilTheRest) {
  const auto dated = [](absl::string_view date, int64_t item) {
    std::string row = Row("00:00:20", item, 1);
    return row.replace(0, 10, std::string(date));
  };
  const std::string content =
      kHeader + dated("2099-01-01", 1) + Row("00:00:05", 2, 1) +
      dated("2038-01-19", 3) + Row("00:00:06", 4, 1) + dated("1999-12-31", 5) +
      Row("00:00:07", 6, 1) + dated("2019-11-15", 7) + dated("2019-11-15", 8);
  ReadReport report;
  ReadOptions options;
  options.jitter = false;
  const auto clicks = ReadAll(WriteFile("leap.csv", content), &report, options);
  std::vector<int64_t> items;
  for (const Click& click : clicks) items.push_back(click.item);
  EXPECT_THAT(items, ::testing::ElementsAre(2, 4, 6, 7, 8));
  ASSERT_EQ(report.malformed, 3U);
  EXPECT_EQ(report.examples[0].line, 2U);
  EXPECT_THAT(report.examples[0].reason, HasSubstr("later than the row after"));
  EXPECT_EQ(report.examples[1].line, 4U);
  EXPECT_EQ(report.examples[2].line, 6U);
  EXPECT_THAT(report.examples[2].reason,
              HasSubstr("earlier than the row before"));
}

TEST(TraceReaderTest, SaysWhyAFileCannotBeRead) {
  StringPool pool;
  EXPECT_THAT(TraceReader::Open(::testing::TempDir(), {}, &pool).status(),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             HasSubstr("directory")));
  EXPECT_THAT(
      TraceReader::Open(WriteFile("empty.csv", ""), {}, &pool).status(),
      test::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("empty")));
}

TEST(TraceReaderTest, SelectsATimeRangeAndFindsThePeak) {
  std::string content = kHeader;
  for (int second = 10; second < 60; ++second) {
    const int rows = second == 30 || second == 31 ? 20 : 2;
    for (int i = 0; i < rows; ++i) {
      content += Row(absl::StrCat("00:00:", second), i, i);
    }
  }
  const std::string path = WriteFile("peak.csv", content);
  const auto peak = FindPeakWindow(path, 2);
  ASSERT_THAT(peak, test::IsOk());
  EXPECT_EQ(peak->clicks, 40U);
  EXPECT_EQ(FormatTraceTime(peak->start_us), "2019-10-01 00:00:30 UTC");
  ReadOptions options;
  options.since_us = peak->start_us;
  options.until_us = peak->end_us;
  ReadReport report;
  EXPECT_EQ(ReadAll(path, &report, options).size(), 40U);
}

TEST(TraceReaderTest, ParsesTimesAndRefusesOthers) {
  for (const char* text : {"1970-01-01 00:00:00 UTC", "2000-02-29 23:59:59 UTC",
                           "2019-12-31 12:34:56 UTC"}) {
    const auto time = ParseTraceTime(text);
    ASSERT_THAT(time, test::IsOk());
    EXPECT_EQ(FormatTraceTime(*time), text);
  }
  for (const char* text : {"", "2019", "2019-13-01 00:00:00 UTC",
                           "2019-02-29 00:00:00 UTC", "2019-00-01 00:00:00 UTC",
                           "2019-10-01T00:00:00 UTC", "x019-10-01 00:00:00"}) {
    EXPECT_FALSE(ParseTraceTime(text).ok()) << text;
  }
}

// The publisher's own rows, where the environment names them.
TEST(TraceReaderTest, ReadsTheRealRows) {
  const char* path = std::getenv("FRESHLINE_REES46");
  if (path == nullptr) GTEST_SKIP() << "set FRESHLINE_REES46 to a trace";
  ReadReport report;
  const auto clicks = ReadAll(path, &report);
  EXPECT_GT(clicks.size(), 1000U);
  EXPECT_EQ(report.malformed, 0U);
  const TraceStatistics statistics = Describe(clicks);
  EXPECT_GT(statistics.same_category, 0.6);
}

}  // namespace
}  // namespace freshline::bench
