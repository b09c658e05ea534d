// SPDX-License-Identifier: Apache-2.0
#include "bench/trace/reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/random.h"
#include "base/time_text.h"
#include "bench/trace/statistics.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

using ::testing::AllOf;
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
  EXPECT_EQ(base::FormatTime(click.time_us), "2019-10-01 00:00:05 UTC");
  EXPECT_EQ(click.item, 42);
  EXPECT_EQ(click.user, 7);
  EXPECT_EQ(click.category, 77);
  EXPECT_EQ(click.price, 12.5);
  EXPECT_EQ(pool.text(click.brand), "acme");
  EXPECT_EQ(pool.text(click.category_code), "shoes.men");
  EXPECT_EQ(click.type, ClickType::kView);
}

// A file whose rows are all taken, in whole seconds, however few are left.
ReadOptions Lenient() {
  ReadOptions options;
  options.jitter = false;
  options.skipped_share_max = 1;
  return options;
}

std::vector<int64_t> Items(const std::vector<Click>& clicks) {
  std::vector<int64_t> items;
  for (const Click& click : clicks) items.push_back(click.item);
  return items;
}

TEST(TraceReaderTest, CountsMalformedRowsWithTheirLines) {
  const std::string good = Row("00:00:01", 1, 1);
  const std::string content =
      kHeader + good + "garbage\n" + good +
      "2019-10-01 00:00:99 UTC,view,1,2,,,1.0,3," + kSession + "\n" +
      "2019-10-01 00:00:02 UTC,view,x,2,,,1.0,3," + kSession + "\n" +
      "2019-10-01 00:00:02 UTC,view,1,2,,,cheap,3," + kSession + "\n" + good +
      std::string(100'000, 'a') + "\n" + good + "2019-10-01 00:00:02 UTC,vi";
  ReadReport report;
  const auto clicks =
      ReadAll(WriteFile("bad.csv", content), &report, Lenient());
  EXPECT_EQ(clicks.size(), 4U);
  EXPECT_EQ(report.rows, 4U);
  ASSERT_EQ(report.malformed, 6U);
  EXPECT_EQ(report.examples[0].line, 3U);
  EXPECT_THAT(report.examples[0].reason, HasSubstr("1 fields instead of"));
  EXPECT_EQ(report.examples[1].line, 5U);
  EXPECT_THAT(report.examples[1].reason, HasSubstr("00:00:99"));
  EXPECT_THAT(report.examples[2].reason, HasSubstr("product_id \"x\""));
  EXPECT_THAT(report.examples[3].reason, HasSubstr("price \"cheap\""));
  EXPECT_THAT(report.examples[4].reason, HasSubstr("longer than 65536"));
  // The file ends in the middle of a row.
  EXPECT_EQ(report.examples[5].line, 11U);
  EXPECT_THAT(report.examples[5].reason, HasSubstr("2 fields"));
}

constexpr char kFew[] = "event_time,product_id,user_id,price,category_id\n";

TEST(TraceReaderTest, ReadsValuesAsPushDoes) {
  std::string content = kFew;
  for (const char* null :
       {"", " ", "NULL", "\\N", "NA", "nan", "None", "<NA>", "#N/A"}) {
    content += absl::StrCat("2019-10-01,1,1,", null, ",", null, "\n");
  }
  content += " 2019-10-01 00:00:01 UTC , 7 , 8 , 9.5 , 5.0 \n";
  ReadReport report;
  const auto clicks =
      ReadAll(WriteFile("forms.csv", content), &report, Lenient());
  EXPECT_EQ(report.malformed, 0U);
  ASSERT_EQ(clicks.size(), 10U);
  for (size_t i = 0; i < 9; ++i) {
    EXPECT_EQ(clicks[i].price, 0);
    EXPECT_EQ(clicks[i].category, 0);
  }
  EXPECT_EQ(clicks[9].item, 7);
  EXPECT_EQ(clicks[9].user, 8);
  EXPECT_EQ(clicks[9].price, 9.5);
  EXPECT_EQ(clicks[9].category, 5);
  // Ids have to be there.
  ReadAll(WriteFile("ids.csv", std::string(kFew) + "2019-10-01,NULL,1,,\n" +
                                   "2019-10-01,1,\x1b[31m,,\n"),
          &report, Lenient());
  ASSERT_EQ(report.malformed, 2U);
  EXPECT_THAT(report.examples[0].reason, HasSubstr("product_id \"NULL\""));
  EXPECT_THAT(report.examples[1].reason,
              HasSubstr("user_id \"\\033[31m\" is no whole number"));
}

TEST(TraceReaderTest, NumbersAreTimesOfTheUnitThatIsSaid) {
  const auto write = [](const char* time) {
    return WriteFile("unit.csv", absl::StrCat(kFew, time, ",1,1,,\n"));
  };
  for (const auto& [text, unit] :
       {std::pair("1569888005", base::TimeUnit::kSeconds),
        std::pair("1569888005.000", base::TimeUnit::kSeconds),
        std::pair("1569888005000", base::TimeUnit::kMillis),
        std::pair("1569888005000000", base::TimeUnit::kMicros),
        std::pair("1569888005000000000", base::TimeUnit::kNanos)}) {
    ReadReport report;
    ReadOptions options = Lenient();
    options.time_unit = unit;
    const auto clicks = ReadAll(write(text), &report, options);
    ASSERT_EQ(clicks.size(), 1U) << text;
    EXPECT_EQ(base::FormatTime(clicks[0].time_us), "2019-10-01 00:00:05 UTC");
  }
  for (const auto& [text, remedy] :
       {std::pair("1569888005", "--time-unit s"),
        std::pair("1569888005000", "--time-unit ms"),
        std::pair("1569888005000000000", "--time-unit ns"),
        std::pair("-5", "1973 to 2286"), std::pair("0", "1973 to 2286"),
        std::pair("9999-01-01", "1973 to 2286")}) {
    EXPECT_THAT(FindPeakWindow(write(text), 60).status(),
                test::StatusIs(
                    absl::StatusCode::kInvalidArgument,
                    AllOf(HasSubstr("line 2: event_time"), HasSubstr(remedy))))
        << text;
  }
}

TEST(TraceReaderTest, RefusesAFileWithMoreMalformedRowsThanAllowed) {
  std::string content = kHeader;
  for (int i = 0; i < 98; ++i) content += Row("00:00:01", i, i);
  const std::string one = WriteFile("one_bad.csv", content + "garbage\n");
  const std::string two = WriteFile("two_bad.csv", content + "garbage\nx\n");
  StringPool pool;
  ReadReport report;
  ReadOptions options;
  options.skipped_share_max = 0.011;
  EXPECT_THAT(ReadTrace(one, options, &pool, &report), test::IsOk());
  EXPECT_EQ(report.malformed, 1U);
  EXPECT_THAT(
      ReadTrace(two, options, &pool, &report).status(),
      test::StatusIs(
          absl::StatusCode::kInvalidArgument,
          AllOf(HasSubstr("two_bad.csv: 2 of 100 rows (2 %)"),
                HasSubstr("line 100: 1 fields"), HasSubstr("--skipped-max"))));
  options.skipped_share_max = 0.02;
  EXPECT_THAT(ReadTrace(two, options, &pool, &report), test::IsOk());
  EXPECT_THAT(FindPeakWindow(two, 2).status(),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             HasSubstr("--skipped-max")));
  EXPECT_THAT(FindPeakWindow(two, 2, options), test::IsOk());
}

TEST(TraceReaderTest, AnOddRowTakesNoGoodOneWithIt) {
  std::string odd = Row("00:00:02", 2, 1);
  odd.replace(odd.find("acme"), 4, "\"acme");
  std::string also = Row("00:00:04", 4, 1);
  also.replace(also.find("acme"), 4, "ac\"me");
  std::string closed = Row("00:00:06", 6, 1);
  closed.replace(closed.find("acme"), 4, "\"");
  std::string whole = Row("00:00:08", 8, 1);
  whole.replace(whole.find("acme"), 4, "\"acme, of \"\"Ohio\"\"\"");
  ReadReport report;
  const auto clicks =
      ReadAll(WriteFile("odd.csv", kHeader + Row("00:00:01", 1, 1) + odd +
                                       Row("00:00:03", 3, 1) + also +
                                       Row("00:00:05", 5, 1) + closed +
                                       Row("00:00:07", 7, 1) + whole),
              &report, Lenient());
  EXPECT_THAT(Items(clicks), ::testing::ElementsAre(1, 3, 4, 5, 7, 8));
  EXPECT_EQ(report.malformed, 2U);
}

TEST(TraceReaderTest, TakesTheColumnsByNameAndWhatIsNeededAlone) {
  ReadReport report;
  auto clicks =
      ReadAll(WriteFile("other.csv",
                        "\xef\xbb\xbfuser_id;shop;product_id;event_time\r\n"
                        "7;x;42.0;2019-10-01T02:00:05+02:00\r\n"
                        "8;y;43;1569888006000000\r\n;;;\r\n"),
              &report, Lenient());
  ASSERT_EQ(clicks.size(), 2U);
  EXPECT_EQ(clicks[0].user, 7);
  EXPECT_EQ(clicks[0].item, 42);
  EXPECT_EQ(base::FormatTime(clicks[0].time_us), "2019-10-01 00:00:05 UTC");
  EXPECT_EQ(base::FormatTime(clicks[1].time_us), "2019-10-01 00:00:06 UTC");
  EXPECT_EQ(clicks[0].type, ClickType::kView);
  EXPECT_NE(clicks[0].session, clicks[1].session);
  // Sessions are any text.
  clicks = ReadAll(WriteFile("session.csv",
                             "event_time,product_id,user_id,user_session\n"
                             "2019-10-01,1,1,17\n2019-10-01,1,1,18\n"
                             "2019-10-01,1,1,17\n"),
                   &report, Lenient());
  ASSERT_EQ(clicks.size(), 3U);
  EXPECT_EQ(clicks[0].session, clicks[2].session);
  EXPECT_NE(clicks[0].session, clicks[1].session);
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

TEST(TraceReaderTest, ATruncatedGzipIsAnErrorUnlessAllowed) {
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
  StringPool pool;
  EXPECT_THAT(ReadTrace(path, {}, &pool, &report).status(),
              test::StatusIs(
                  absl::StatusCode::kInvalidArgument,
                  AllOf(HasSubstr("cut.csv.gz: line "), HasSubstr("ends early"),
                        HasSubstr("--skipped-max 1"))));
  const auto clicks = ReadAll(path, &report, Lenient());
  EXPECT_GT(clicks.size(), 0U);
  EXPECT_LT(clicks.size(), 20'000U);
  ASSERT_EQ(report.malformed, 1U);
  EXPECT_THAT(report.examples.back().reason, HasSubstr("cannot be read on"));
}

absl::Status ReadError(const std::string& path) {
  StringPool pool;
  ReadReport report;
  return ReadTrace(path, {}, &pool, &report).status();
}

TEST(TraceReaderTest, RefusesAnotherHeaderAndMissingFiles) {
  EXPECT_THAT(ReadError(WriteFile("h.csv", "a,event_time\n")),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             AllOf(HasSubstr("h.csv: the header has no column "
                                             "product_id"),
                                   HasSubstr("a, event_time"))));
  EXPECT_THAT(
      ReadError("/nonexistent.csv"),
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
  EXPECT_EQ(base::FormatTime(clicks[99].time_us), "2019-10-01 00:00:10 UTC");
  EXPECT_NE(clicks[0].time_us % 1'000'000, clicks[99].time_us % 1'000'000);
  // The same seed, the same jitter.
  ReadReport again;
  EXPECT_EQ(ReadAll(path, &again)[50].time_us, clicks[50].time_us);
}

TEST(TraceReaderTest, ASecondWithAFinerTimeIsLeftAsItIs) {
  std::string finer = Row("00:00:10", 1, 1);
  finer.replace(finer.find(" UTC"), 4, ".25Z");
  ReadReport report;
  const auto clicks =
      ReadAll(WriteFile("finer.csv", kHeader + Row("00:00:10", 2, 1) + finer +
                                         Row("00:00:11", 3, 1)),
              &report);
  ASSERT_EQ(clicks.size(), 3U);
  EXPECT_EQ(clicks[0].time_us % 1'000'000, 0);
  EXPECT_EQ(clicks[1].time_us % 1'000'000, 250'000);
  EXPECT_NE(clicks[2].time_us % 1'000'000, 0);
}

// By session, by user, shuffled, newest first: as other programs write logs.
TEST(TraceReaderTest, RowsInAnyOrderComeInOrderOfTime) {
  std::vector<std::string> rows;
  for (int i = 0; i < 120; ++i) {
    rows.push_back(Row(absl::StrFormat("00:%02d:%02d", i / 4, i % 4 * 7), i,
                       i * 7919 % 13));
  }
  const auto write = [&](const std::string& name) {
    std::string content = kHeader;
    for (const std::string& row : rows) content += row;
    return WriteFile(name, content);
  };
  ReadReport report;
  const std::vector<int64_t> wanted =
      Items(ReadAll(write("sorted.csv"), &report, Lenient()));
  ASSERT_EQ(wanted.size(), 120U);
  EXPECT_EQ(report.out_of_order, 0U);
  const auto again = [&](const std::string& name) {
    const auto clicks = ReadAll(write(name), &report, Lenient());
    EXPECT_EQ(Items(clicks), wanted) << name;
    EXPECT_EQ(report.rows, 120U);
    EXPECT_GT(report.out_of_order, 0U);
  };
  const auto user = [](const std::string& row) {
    return row.substr(row.find("12.50"));
  };
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const std::string& a, const std::string& b) {
                     return user(a) < user(b);
                   });
  again("by_user.csv");
  base::Rng rng(4);
  for (size_t i = rows.size(); i > 1; --i) {
    std::swap(rows[i - 1], rows[rng.Below(i)]);
  }
  again("shuffled.csv");
}

TEST(TraceReaderTest, ClicksOfOneSecondKeepTheirOrderNewestFirstToo) {
  const std::string oldest_first =
      kHeader + Row("00:00:05", 1, 1) + Row("00:00:05", 2, 1) +
      Row("00:00:06", 3, 1) + Row("00:00:07", 4, 1);
  const std::string newest_first =
      kHeader + Row("00:00:07", 4, 1) + Row("00:00:06", 3, 1) +
      Row("00:00:05", 2, 1) + Row("00:00:05", 1, 1);
  ReadReport report;
  for (const std::string& content : {oldest_first, newest_first}) {
    const auto clicks =
        ReadAll(WriteFile("second.csv", content), &report, Lenient());
    EXPECT_THAT(Items(clicks), ::testing::ElementsAre(1, 2, 3, 4));
  }
}

TEST(TraceReaderTest, ARowFromTheFarFutureOrPastDoesNotSpoilTheRest) {
  const auto dated = [](absl::string_view date, int64_t item) {
    std::string row = Row("00:00:20", item, 1);
    return row.replace(0, 10, std::string(date));
  };
  const std::string content = kHeader + dated("2099-01-01", 1) +
                              Row("00:00:05", 2, 1) + dated("1999-12-31", 3) +
                              Row("00:00:06", 4, 1);
  ReadReport report;
  ReadOptions options = Lenient();
  options.since_us = *base::ParseTime("2019-10-01");
  options.until_us = *base::ParseTime("2019-10-02");
  const auto clicks = ReadAll(WriteFile("leap.csv", content), &report, options);
  EXPECT_THAT(Items(clicks), ::testing::ElementsAre(2, 4));
  EXPECT_EQ(report.rows, 4U);
}

TEST(TraceReaderTest, RefusesMoreRowsThanItMayKeep) {
  ReadOptions options;
  options.clicks_max = 1;
  StringPool pool;
  ReadReport report;
  EXPECT_THAT(ReadTrace(WriteFile("two.csv", kHeader + Row("00:00:05", 1, 1) +
                                                 Row("00:00:06", 2, 1)),
                        options, &pool, &report)
                  .status(),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             HasSubstr("more than 1 rows")));
}

TEST(TraceReaderTest, SaysWhyAFileCannotBeRead) {
  EXPECT_THAT(ReadError(::testing::TempDir()),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             HasSubstr("directory")));
  EXPECT_THAT(
      ReadError(WriteFile("empty.csv", "")),
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
  EXPECT_EQ(base::FormatTime(peak->start_us), "2019-10-01 00:00:30 UTC");
  ReadOptions options;
  options.since_us = peak->start_us;
  options.until_us = peak->end_us;
  ReadReport report;
  EXPECT_EQ(ReadAll(path, &report, options).size(), 40U);
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
