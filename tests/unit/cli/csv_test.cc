// SPDX-License-Identifier: Apache-2.0
#include "cli/csv.h"

#include <gmock/gmock.h>

#include <sstream>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "freshline/v1/feature_store.pb.h"
#include "tests/support/status_matchers.h"

namespace freshline::cli {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Record = std::vector<std::string>;

std::vector<Record> ReadAll(const std::string& text) {
  std::istringstream in(text);
  CsvReader reader(in);
  std::vector<Record> records;
  while (true) {
    auto record = reader.Next();
    EXPECT_THAT(record, IsOk());
    if (!record.ok() || !record->has_value()) return records;
    records.push_back(**std::move(record));
  }
}

TEST(CsvReaderTest, ReadsQuotesLineBreaksAndEmptyFields) {
  EXPECT_THAT(ReadAll("a,b\r\n\n1,\n\"x,\"\"y\"\"\n z\",\r\n,last"),
              ElementsAre(Record{"a", "b"}, Record{"1", ""},
                          Record{"x,\"y\"\n z", ""}, Record{"", "last"}));
  EXPECT_THAT(ReadAll(""), ElementsAre());
  EXPECT_THAT(ReadAll("\"\"\n"), ElementsAre(Record{""}));
}

TEST(CsvReaderTest, WhatIsWrittenReadsBack) {
  const uint64_t seed = 11;
  base::Rng rng(seed);
  for (int round = 0; round < 300; ++round) {
    std::vector<Record> wanted(1 + rng.Below(4));
    std::string text;
    for (Record& record : wanted) {
      record.resize(1 + rng.Below(4));
      for (size_t f = 0; f < record.size(); ++f) {
        std::string quoted = "\"";
        for (uint64_t n = rng.Below(6); n > 0; --n) {
          const char c = "a,\"\n\r "[rng.Below(6)];
          record[f].push_back(c);
          quoted.append(c == '"' ? 2 : 1, c);
        }
        absl::StrAppend(&text, f == 0 ? "" : ",", quoted, "\"");
      }
      text += rng.Chance(0.5) ? "\r\n" : "\n";
    }
    ASSERT_EQ(ReadAll(text), wanted) << "seed " << seed << " round " << round;
  }
}

TEST(CsvReaderTest, AnOpenQuoteNamesTheLineWhereItsRecordBegan) {
  std::istringstream in("a\nb\n\"c\nd\n");
  CsvReader reader(in);
  ASSERT_THAT(reader.Next(), IsOk());
  ASSERT_THAT(reader.Next(), IsOk());
  EXPECT_THAT(reader.Next(),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("line 3"), HasSubstr("quote"))));
}

TEST(CsvReaderTest, AnEndlessRecordIsRefused) {
  std::istringstream in(std::string(CsvReader::kRecordBytesMax + 1, 'x'));
  CsvReader reader(in);
  EXPECT_THAT(reader.Next(),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("1 MiB")));
}

CsvEventOptions Clicks() {
  CsvEventOptions options;
  options.source = "clicks";
  return options;
}

absl::Status FirstError(const std::string& text,
                        const CsvEventOptions& options = Clicks()) {
  std::istringstream in(text);
  CsvEventReader reader(options, in);
  while (true) {
    const auto rows = reader.Next();
    if (!rows.ok()) return rows.status();
    if (!rows->has_value()) return absl::OkStatus();
  }
}

TEST(CsvEventReaderTest, InfersTheNarrowestTypeAndObeysTheHeader) {
  std::istringstream in(
      "event_time,user_id,price,brand,zip:string,gift:bool,seen:timestamp\n"
      "1000000,42,9,acme,01,true,7\n"
      "1970-01-01 00:00:02 UTC,43,9.5,,02,false,\n");
  CsvEventReader reader(Clicks(), in);
  const auto rows = reader.Next();
  ASSERT_THAT(rows, IsOk());
  ASSERT_TRUE(rows->has_value());
  const v1::EventBatch& batch = (*rows)->proto();
  EXPECT_THAT(batch.event_time_us(), ElementsAre(1'000'000, 2'000'000));
  ASSERT_EQ(batch.columns_size(), 6);
  EXPECT_THAT(batch.columns(0).values().int64s().values(), ElementsAre(42, 43));
  EXPECT_THAT(batch.columns(1).values().float64s().values(),
              ElementsAre(9, 9.5));
  EXPECT_THAT(batch.columns(2).values().strings().values(),
              ElementsAre("acme", ""));
  EXPECT_THAT(batch.columns(2).null_rows(), ElementsAre(1u));
  EXPECT_THAT(batch.columns(3).values().strings().values(),
              ElementsAre("01", "02"));
  EXPECT_THAT(batch.columns(4).values().bools().values(),
              ElementsAre(true, false));
  EXPECT_THAT(batch.columns(5).values().timestamps_us().values(),
              ElementsAre(7, 0));
  EXPECT_THAT(batch.columns(5).null_rows(), ElementsAre(1u));
  EXPECT_EQ(batch.producer_id(), "");
  EXPECT_FALSE((*reader.Next()).has_value());
}

TEST(CsvEventReaderTest, SplitsIntoBatchesAndCountsSequencesOn) {
  CsvEventOptions options = Clicks();
  options.batch_events = 2;
  options.producer = "web";
  options.first_sequence = 10;
  std::istringstream in("event_time,late\n1,\n2,\n3,5\n");
  CsvEventReader reader(options, in);
  const auto first = reader.Next();
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT((*first)->proto().producer_sequence(), ElementsAre(10u, 11u));
  // Nothing but NULL so far: absent rather than of a guessed type.
  EXPECT_EQ((*first)->proto().columns_size(), 0);
  const auto second = reader.Next();
  ASSERT_THAT(second, IsOk());
  EXPECT_THAT((*second)->proto().producer_sequence(), ElementsAre(12u));
  EXPECT_THAT((*second)->proto().columns(0).values().int64s().values(),
              ElementsAre(5));
}

TEST(CsvEventReaderTest, TakesTimeAndSequenceFromTheColumnsNamed) {
  CsvEventOptions options = Clicks();
  options.time_column = "at";
  options.sequence_column = "n";
  options.producer = "web";
  std::istringstream in("n,at,user\n17,5,1\n");
  const auto rows = CsvEventReader(options, in).Next();
  ASSERT_THAT(rows, IsOk());
  EXPECT_THAT((*rows)->proto().event_time_us(), ElementsAre(5));
  EXPECT_THAT((*rows)->proto().producer_sequence(), ElementsAre(17u));
  ASSERT_EQ((*rows)->proto().columns_size(), 1);
}

TEST(CsvEventReaderTest, NamesWhatIsWrongWithTheHeader) {
  const auto refused = [](const char* part) {
    return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(part));
  };
  EXPECT_THAT(FirstError(""), refused("empty"));
  EXPECT_THAT(FirstError("user_id\n"), refused("--time-column"));
  EXPECT_THAT(FirstError("event_time,a:int\n"), refused("\"int\""));
  CsvEventOptions options = Clicks();
  options.sequence_column = "n";
  EXPECT_THAT(FirstError("event_time\n", options),
              refused("--sequence-column"));
}

TEST(CsvEventReaderTest, NamesLineAndColumnOfABadValue) {
  const auto wrong = [](const char* line, const char* part) {
    return StatusIs(absl::StatusCode::kDataLoss,
                    AllOf(HasSubstr(line), HasSubstr(part)));
  };
  EXPECT_THAT(FirstError("event_time,a\n1,2\n1\n"), wrong("line 3", "1 field"));
  EXPECT_THAT(FirstError("event_time,a\nnoon,2\n"), wrong("line 2", "noon"));
  EXPECT_THAT(FirstError("event_time,a:int64\n1,x\n"),
              wrong("line 2, column a", "a:string"));
  EXPECT_THAT(FirstError("event_time,a:float64\n1,\"\n\"\n"),
              wrong("line 2", "float64"));
  EXPECT_THAT(FirstError("event_time,a:bool\n1,\n1,7\n"),
              wrong("line 3", "bool"));
  CsvEventOptions options = Clicks();
  options.producer = "web";
  options.sequence_column = "n";
  EXPECT_THAT(FirstError("event_time,n\n1,x\n", options),
              wrong("line 2, column n", "whole number"));
}

TEST(CsvEventReaderTest, AnInferredTypeStaysAndIsExplained) {
  CsvEventOptions options = Clicks();
  options.batch_events = 1;
  EXPECT_THAT(FirstError("event_time,price\n1,5\n1,5.5\n", options),
              StatusIs(absl::StatusCode::kDataLoss,
                       AllOf(HasSubstr("line 3"), HasSubstr("5.5"),
                             HasSubstr("header"))));
}

}  // namespace
}  // namespace freshline::cli
