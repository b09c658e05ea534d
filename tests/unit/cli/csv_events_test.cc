// SPDX-License-Identifier: Apache-2.0
#include "cli/csv_events.h"

#include <gmock/gmock.h>

#include <sstream>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/cli/shop_schema.h"

namespace freshline::cli {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kOctober = 1'569'888'000'000'000;

// A reader of clicks and all that it reads from.
struct Opened {
  explicit Opened(const std::string& text, CsvEventOptions options = {},
                  const std::string& source = "clicks")
      : schema(ShopSchema()),
        in(text),
        input(csv::Input::FromStream(in)),
        reader(CsvEventReader::Open(options, **schema.GetSource(source),
                                    *input)) {}
  const Schema schema;
  std::istringstream in;
  std::unique_ptr<csv::Input> input;
  absl::StatusOr<std::unique_ptr<CsvEventReader>> reader;
};

// The first batch.
CsvBatch First(const std::string& text, CsvEventOptions options = {},
               const std::string& source = "clicks") {
  Opened opened(text, options, source);
  EXPECT_THAT(opened.reader, IsOk());
  if (!opened.reader.ok()) return {};
  auto batch = (*opened.reader)->Next();
  EXPECT_THAT(batch, IsOk());
  return batch.ok() && batch->has_value() ? **std::move(batch) : CsvBatch();
}

absl::Status FirstError(const std::string& text, CsvEventOptions options = {}) {
  Opened opened(text, options);
  if (!opened.reader.ok()) return opened.reader.status();
  while (true) {
    const auto batch = (*opened.reader)->Next();
    if (!batch.ok()) return batch.status();
    if (!batch->has_value()) return absl::OkStatus();
  }
}

const v1::Column& ColumnOf(const CsvBatch& batch, const std::string& name) {
  static const v1::Column kNone;
  for (const v1::Column& column : batch.events.columns()) {
    if (column.name() == name) return column;
  }
  ADD_FAILURE() << "no column " << name;
  return kNone;
}

TEST(CsvEventReaderTest, ReadsValuesByTheirDeclaredTypes) {
  const CsvBatch batch = First(
      "brand,event_time,user_id,price,item,gift,seen\n"
      "4711,2019-10-01 00:00:00 UTC,0042,10,1e3,TRUE,2019-10-01\n"
      "nan,1569888000000001,43,,10.0,f,\n"
      ",2019-10-01T00:00:00.000002Z, 44 ,NaN,NULL,NA,\\N\n");
  EXPECT_EQ(batch.events.source(), "clicks");
  EXPECT_THAT(batch.events.event_time_us(),
              ElementsAre(kOctober, kOctober + 1, kOctober + 2));
  EXPECT_THAT(batch.lines, ElementsAre(2u, 3u, 4u));
  EXPECT_THAT(ColumnOf(batch, "user_id").values().int64s().values(),
              ElementsAre(42, 43, 44));
  const v1::Column& brand = ColumnOf(batch, "brand");
  EXPECT_THAT(brand.values().strings().values(),
              ElementsAre("4711", "nan", ""));
  EXPECT_THAT(brand.null_rows(), ElementsAre(2u));
  EXPECT_THAT(ColumnOf(batch, "price").values().float64s().values(),
              ElementsAre(10, 0, 0));
  EXPECT_THAT(ColumnOf(batch, "price").null_rows(), ElementsAre(1u, 2u));
  EXPECT_THAT(ColumnOf(batch, "item").values().int64s().values(),
              ElementsAre(1000, 10, 0));
  EXPECT_THAT(ColumnOf(batch, "gift").values().bools().values(),
              ElementsAre(true, false, false));
  EXPECT_THAT(ColumnOf(batch, "gift").null_rows(), ElementsAre(2u));
  EXPECT_THAT(ColumnOf(batch, "seen").values().timestamps_us().values(),
              ElementsAre(kOctober, 0, 0));
  EXPECT_EQ(batch.events.producer_id(), "");
}

TEST(CsvEventReaderTest, KeysThatAreStringsKeepTheirZeros) {
  const CsvBatch batch =
      First("event_time,card\n2019-10-01,0017\n", {}, "payments");
  EXPECT_THAT(ColumnOf(batch, "card").values().strings().values(),
              ElementsAre("0017"));
}

TEST(CsvEventReaderTest, ColumnsOfNothingButNullAreLeftOut) {
  Opened opened("event_time,user_id,brand\n2019-10-01,1,\n");
  ASSERT_THAT(opened.reader, IsOk());
  EXPECT_THAT((*opened.reader)->absent(),
              ElementsAre("item", "price", "gift", "seen"));
  const auto batch = (*opened.reader)->Next();
  ASSERT_THAT(batch, IsOk());
  ASSERT_EQ((*batch)->events.columns_size(), 1);
  EXPECT_EQ((*batch)->events.columns(0).name(), "user_id");
  EXPECT_FALSE((*(*opened.reader)->Next()).has_value());
}

TEST(CsvEventReaderTest, TextsOfTheUsersOwnAreNullInEveryColumn) {
  CsvEventOptions options;
  options.nulls = {"-", "none at all"};
  const CsvBatch batch = First(
      "event_time,user_id,brand,price\n2019-10-01,1,-,none at all\n"
      "2019-10-01,1,a,1\n",
      options);
  EXPECT_THAT(ColumnOf(batch, "brand").null_rows(), ElementsAre(0u));
  EXPECT_THAT(ColumnOf(batch, "price").null_rows(), ElementsAre(0u));
}

TEST(CsvEventReaderTest, TakesWhatASpreadsheetWrites) {
  const CsvBatch batch = First(
      "\xef\xbb\xbfsep=;\r\nevent_time;user_id;brand\r\n"
      "2019-10-01 00:00;1;\"M\xc3\xbcller; Co\"\r\n;;\r\n\r\n");
  EXPECT_THAT(ColumnOf(batch, "brand").values().strings().values(),
              ElementsAre("M\xc3\xbcller; Co"));
  EXPECT_THAT(batch.lines, ElementsAre(3u));
}

TEST(CsvEventReaderTest, SplitsIntoBatchesAndCountsSequencesOn) {
  CsvEventOptions options;
  options.batch_events = 2;
  options.producer = "web";
  options.first_sequence = 10;
  const std::string text =
      "event_time,user_id\n2019-10-01,1\n2019-10-01,2\n2019-10-01,3\n";
  Opened opened(text, options);
  ASSERT_THAT(opened.reader, IsOk());
  auto batch = (*opened.reader)->Next();
  ASSERT_THAT(batch, IsOk());
  EXPECT_THAT((*batch)->events.producer_sequence(), ElementsAre(10u, 11u));
  EXPECT_EQ((*opened.reader)->next_line(), 4u);
  batch = (*opened.reader)->Next();
  ASSERT_THAT(batch, IsOk());
  EXPECT_THAT((*batch)->events.producer_sequence(), ElementsAre(12u));
  // The same numbers where it goes on in the middle.
  options.from_line = 4;
  const CsvBatch rest = First(text, options);
  EXPECT_THAT(rest.events.producer_sequence(), ElementsAre(12u));
  EXPECT_THAT(rest.lines, ElementsAre(4u));
}

TEST(CsvEventReaderTest, BatchesAreNoLargerThanARequestMayBe) {
  CsvEventOptions options;
  options.batch_bytes = 10'000;
  std::string text = "event_time,user_id,brand\n";
  for (int i = 0; i < 100; ++i) {
    absl::StrAppend(&text, "2019-10-01,", i, ",", std::string(700, 'b'), "\n");
  }
  Opened opened(text, options);
  ASSERT_THAT(opened.reader, IsOk());
  size_t events = 0;
  size_t batches = 0;
  while (true) {
    const auto batch = (*opened.reader)->Next();
    ASSERT_THAT(batch, IsOk());
    if (!batch->has_value()) break;
    // Names and lengths come on top.
    EXPECT_LT((*batch)->events.ByteSizeLong(), options.batch_bytes + 100);
    EXPECT_EQ((*batch)->events.columns(0).values().int64s().values(0),
              static_cast<int64_t>(events));
    events += (*batch)->lines.size();
    ++batches;
  }
  EXPECT_EQ(events, 100u);
  EXPECT_EQ(batches, 8u);
  options.batch_bytes = 500;
  EXPECT_THAT(FirstError(text, options),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("line 2"), HasSubstr("500"))));
}

TEST(CsvEventReaderTest, TakesTimeAndSequenceFromTheColumnsNamed) {
  CsvEventOptions options;
  options.time_column = "at";
  options.time_unit = base::TimeUnit::kSeconds;
  options.sequence_column = "n";
  options.producer = "web";
  options.shift_us = 7;
  const CsvBatch batch =
      First("n,at,user_id,seen\n17,1569888000.5,1,1569888000\n", options);
  EXPECT_THAT(batch.events.event_time_us(), ElementsAre(kOctober + 500'007));
  EXPECT_THAT(batch.events.producer_sequence(), ElementsAre(17u));
  EXPECT_THAT(ColumnOf(batch, "seen").values().timestamps_us().values(),
              ElementsAre(kOctober));
}

TEST(CsvEventReaderTest, FindsTheNewestTime) {
  Opened opened(
      "event_time,user_id\n2019-10-01 00:00:01,x\n2019-10-01 00:00:03,1\n"
      "2019-10-01 00:00:02,1\n");
  ASSERT_THAT(opened.reader, IsOk());
  EXPECT_EQ(*(*opened.reader)->NewestTime(), kOctober + 3'000'000);
  Opened none("event_time,user_id\n");
  EXPECT_EQ(*(*none.reader)->NewestTime(), std::nullopt);
}

TEST(CsvEventReaderTest, NamesWhatIsWrongWithTheHeader) {
  const auto refused = [](const char* part) {
    return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(part));
  };
  EXPECT_THAT(FirstError(""), refused("empty"));
  EXPECT_THAT(FirstError("user_id\n"), refused("--time-column"));
  EXPECT_THAT(FirstError("event_time\n"), refused("join key"));
  EXPECT_THAT(FirstError("event_time,user_id,price:int\n"), refused("\"int\""));
  EXPECT_THAT(FirstError("event_time,user_id,price:string\n"),
              refused("declared FLOAT64"));
  EXPECT_THAT(FirstError("event_time,user_id,price:float64\n"), IsOk());
  EXPECT_THAT(FirstError("event_time,user_id:INT64,price:Float64\n"), IsOk());
  EXPECT_THAT(FirstError("event_time,user_id,code,my session,\n"),
              refused("no column code, my session, #5 (it has: user_id, item"));
  EXPECT_THAT(FirstError("event_time,user_id,code,my session,\n"),
              refused("--ignore code --ignore 'my session' --ignore '#5'"));
  CsvEventOptions options;
  options.ignore = {"code", "my session", "#5"};
  EXPECT_THAT(FirstError("event_time,user_id,code,my session,\n"
                         "2019-10-01,1,x,y,z\n",
                         options),
              IsOk());
  options = {};
  options.sequence_column = "n";
  EXPECT_THAT(FirstError("event_time,user_id\n", options),
              refused("--sequence-column"));
}

TEST(CsvEventReaderTest, NamesLineAndColumnOfABadValue) {
  const auto wrong = [](const char* line, const char* part) {
    return StatusIs(absl::StatusCode::kDataLoss,
                    AllOf(HasSubstr(line), HasSubstr(part)));
  };
  const auto row = [](const char* column, const char* value) {
    return absl::StrCat("event_time,user_id,", column,
                        "\n2019-10-01,1,\n2019-10-01,1,", value, "\n");
  };
  EXPECT_THAT(FirstError("event_time,user_id\n2019-10-01,1\n1\n"),
              wrong("line 3", "1 fields; the header has 2"));
  EXPECT_THAT(FirstError("event_time,user_id\nnoon,2\n"),
              wrong("line 2, column event_time", "noon"));
  EXPECT_THAT(FirstError("event_time,user_id\n1569888000,2\n"),
              wrong("line 2, column event_time", "--time-unit s"));
  EXPECT_THAT(FirstError("event_time,user_id\n1569888000000,2\n"),
              wrong("line 2, column event_time", "--time-unit ms"));
  EXPECT_THAT(FirstError("event_time,user_id\n2019-10-01,\n"),
              wrong("line 2, column user_id", "join key"));
  EXPECT_THAT(FirstError(row("item", "1.5")),
              wrong("line 3, column item", "\"1.5\" is no INT64"));
  EXPECT_THAT(FirstError(row("price", "inf")),
              wrong("line 3, column price", "infinite"));
  EXPECT_THAT(FirstError(row("price", "\"1,5\"")),
              wrong("line 3, column price", "decimal point"));
  EXPECT_THAT(FirstError(row("gift", "7")),
              wrong("line 3, column gift", "BOOL"));
  EXPECT_THAT(FirstError(row("seen", "soon")),
              wrong("line 3, column seen", "soon"));
  EXPECT_THAT(FirstError(row("brand", "M\xfcller")),
              wrong("line 3, column brand", "iconv"));
  EXPECT_THAT(FirstError(row("brand", "\"open")), wrong("line 3", "quote"));
  CsvEventOptions options;
  options.producer = "web";
  options.sequence_column = "n";
  EXPECT_THAT(FirstError("event_time,user_id,n\n2019-10-01,1,x\n", options),
              wrong("line 2, column n", "whole number"));
}

TEST(CsvEventReaderTest, WhatStandsBeforeAnErrorIsGivenFirst) {
  Opened opened(
      "event_time,user_id\n2019-10-01,1\n2019-10-01,2\n2019-10-01,x\n"
      "2019-10-01,3\n");
  ASSERT_THAT(opened.reader, IsOk());
  const auto batch = (*opened.reader)->Next();
  ASSERT_THAT(batch, IsOk());
  EXPECT_THAT((*batch)->lines, ElementsAre(2u, 3u));
  const auto wrong = StatusIs(absl::StatusCode::kDataLoss, HasSubstr("line 4"));
  EXPECT_THAT((*opened.reader)->Next(), wrong);
  EXPECT_THAT((*opened.reader)->Next(), wrong);
  EXPECT_EQ((*opened.reader)->next_line(), 4u);
}

}  // namespace
}  // namespace freshline::cli
