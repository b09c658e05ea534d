// SPDX-License-Identifier: Apache-2.0
#include "csv/reader.h"

#include <gmock/gmock.h>

#include <sstream>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "tests/support/status_matchers.h"

namespace freshline::csv {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

using Record = std::vector<std::string>;

// A reader and all that it reads from.
struct Opened {
  explicit Opened(const std::string& text, ReaderOptions options = {})
      : in(text),
        input(Input::FromStream(in)),
        reader(Reader::Open(*input, options)) {}
  std::istringstream in;
  std::unique_ptr<Input> input;
  absl::StatusOr<Reader> reader;
};

Record Fields(const Reader& reader) {
  Record record;
  for (const absl::string_view field : reader.fields()) {
    record.emplace_back(field);
  }
  return record;
}

// Every record, the header first; what is malformed as {"!", line, reason}.
std::vector<Record> ReadAll(const std::string& text,
                            ReaderOptions options = {}) {
  Opened opened(text, options);
  EXPECT_THAT(opened.reader, IsOk());
  if (!opened.reader.ok()) return {};
  Reader& reader = *opened.reader;
  std::vector<Record> records = {reader.header()};
  while (true) {
    switch (reader.Next()) {
      case Reader::Got::kRecord:
        records.push_back(Fields(reader));
        break;
      case Reader::Got::kMalformed:
        records.push_back({"!", std::to_string(reader.line()), reader.error()});
        break;
      case Reader::Got::kFailed:
        ADD_FAILURE() << reader.error();
        return records;
      case Reader::Got::kEnd:
        return records;
    }
  }
}

absl::Status OpenError(const std::string& text) {
  return Opened(text).reader.status();
}

TEST(ReaderTest, ReadsQuotesLineBreaksAndEmptyFields) {
  EXPECT_THAT(ReadAll("a,b\r\n\n1,\n\"x,\"\"y\"\"\n z\",\r\n,last"),
              ElementsAre(Record{"a", "b"}, Record{"1", ""},
                          Record{"x,\"y\"\n z", ""}, Record{"", "last"}));
  EXPECT_THAT(ReadAll("a\n\"\"\n"), ElementsAre(Record{"a"}, Record{""}));
}

TEST(ReaderTest, AQuoteInsideAPlainFieldStandsForItself) {
  EXPECT_THAT(ReadAll("a,b\n10\" pan,x\n\"10\"\" pan\",y\n"),
              ElementsAre(Record{"a", "b"}, Record{"10\" pan", "x"},
                          Record{"10\" pan", "y"}));
}

TEST(ReaderTest, LinesEndInEveryWayAndEmptyOnesAreSkipped) {
  for (const std::string brk : {"\n", "\r\n", "\r", "\r\r\n"}) {
    EXPECT_THAT(
        ReadAll(absl::StrCat(brk, "a,b", brk, "1,2", brk, brk, "3,4", brk, ",",
                             brk, brk)),
        ElementsAre(Record{"a", "b"}, Record{"1", "2"}, Record{"3", "4"}));
  }
}

TEST(ReaderTest, KnowsTheLineOfEveryRecord) {
  Opened opened("a,b\r\n\r\n1,\"x\ny\r\nz\"\r\n3,4\n\n5,6");
  ASSERT_THAT(opened.reader, IsOk());
  std::vector<uint64_t> lines;
  while (opened.reader->Next() == Reader::Got::kRecord) {
    lines.push_back(opened.reader->line());
  }
  EXPECT_THAT(lines, ElementsAre(3u, 6u, 8u));
}

TEST(ReaderTest, FindsTheDelimiterInTheHeader) {
  for (const char d : {',', ';', '\t', '|'}) {
    const std::string s(1, d);
    EXPECT_THAT(
        ReadAll(absl::StrCat("a", s, "\"b,;|\"", s, "c\n1", s, "2", s, "3\n")),
        ElementsAre(Record{"a", "b,;|", "c"}, Record{"1", "2", "3"}));
  }
  EXPECT_THAT(ReadAll("a\n1;2\n"), ElementsAre(Record{"a"}, Record{"1;2"}));
  EXPECT_THAT(OpenError("a;b,c\n"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("semicolon"), HasSubstr("comma"),
                             HasSubstr("--delimiter"))));
  ReaderOptions options;
  options.delimiter = ';';
  EXPECT_THAT(ReadAll("a;b,c\n1;2\n", options),
              ElementsAre(Record{"a", "b,c"}, Record{"1", "2"}));
}

TEST(ReaderTest, TakesTheMarkAndTheFirstLineThatSpreadsheetsWrite) {
  EXPECT_THAT(ReadAll("\xef\xbb\xbf"
                      "a,b\n1,2\n"),
              ElementsAre(Record{"a", "b"}, Record{"1", "2"}));
  Opened opened("\xef\xbb\xbfsep=;\r\na;b,c\r\n1;2\r\n;\r\n");
  ASSERT_THAT(opened.reader, IsOk());
  EXPECT_EQ(opened.reader->header(), (Record{"a", "b,c"}));
  EXPECT_EQ(opened.reader->Next(), Reader::Got::kRecord);
  EXPECT_EQ(opened.reader->line(), 3u);
  EXPECT_EQ(opened.reader->Next(), Reader::Got::kEnd);
}

TEST(ReaderTest, NamesColumnsWithoutANameAndRefusesNamesGivenTwice) {
  EXPECT_THAT(ReadAll(", b ,\n"), ElementsAre(Record{"#1", "b", "#3"}));
  EXPECT_THAT(OpenError("\n\na,b,a\n"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("line 3"), HasSubstr("\"a\""))));
}

TEST(ReaderTest, RefusesWhatIsNoTextAndSaysWhatToDo) {
  const auto refused = [](const char* part) {
    return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(part));
  };
  EXPECT_THAT(OpenError(""), refused("empty"));
  EXPECT_THAT(OpenError("\r\n\n"), refused("empty"));
  EXPECT_THAT(OpenError(std::string("\xff\xfe"
                                    "a\0,\0",
                                    6)),
              refused("iconv"));
  EXPECT_THAT(OpenError(std::string("\xfe\xff\0a\0,", 6)), refused("iconv"));
  EXPECT_THAT(OpenError(std::string("a\0,\0", 4)), refused("iconv"));
  EXPECT_THAT(OpenError(std::string("abc\0d", 5)), refused("no text"));
  // In a value, it is a character, near the file's beginning and further down.
  EXPECT_THAT(OpenError(std::string("abc\nd\0e\n", 8)), test::IsOk());
  EXPECT_THAT(OpenError("PK\x03\x04xlsx"), refused("workbook"));
  EXPECT_THAT(OpenError("\xfd"
                        "7zXZ"),
              refused("xzcat"));
}

TEST(ReaderTest, WhatIsWrongCostsItsFirstLineAlone) {
  EXPECT_THAT(ReadAll("a,b\n1,\"x\"y\n2,\"open\n3,z\n4,w\n"),
              ElementsAre(Record{"a", "b"},
                          Record{"!", "2",
                                 "text behind the quote that closes field 2; a "
                                 "quote within a field is doubled"},
                          Record{"!", "3",
                                 "a quote is not closed before the end of the "
                                 "file"},
                          Record{"3", "z"}, Record{"4", "w"}));
}

TEST(ReaderTest, ARecordTakenBackGivesTheLinesAfterItsFirst) {
  // Two quotes that are not closed look like one field of three lines.
  Opened opened("a,b\n1,\"x\n2,y\n3,\"\n4,z\n");
  ASSERT_THAT(opened.reader, IsOk());
  Reader& reader = *opened.reader;
  ASSERT_EQ(reader.Next(), Reader::Got::kRecord);
  EXPECT_EQ(Fields(reader), (Record{"1", "x\n2,y\n3,"}));
  reader.Reject();
  ASSERT_EQ(reader.Next(), Reader::Got::kRecord);
  EXPECT_EQ(Fields(reader), (Record{"2", "y"}));
  EXPECT_EQ(reader.line(), 3u);
  EXPECT_EQ(reader.Next(), Reader::Got::kMalformed);
  EXPECT_EQ(reader.line(), 4u);
  ASSERT_EQ(reader.Next(), Reader::Got::kRecord);
  EXPECT_EQ(reader.line(), 5u);
}

TEST(ReaderTest, LongRecordsAndManyFieldsAreRefusedAlone) {
  ReaderOptions options;
  options.record_bytes_max = 1000;
  options.fields_max = 5;
  const std::string wide(1'000'000, 'x');
  const auto records =
      ReadAll(absl::StrCat("a\n", wide, "\n1\n\"", wide, "\"\n2\n",
                           "1,2,3,4,5,6\n\"1\",2,3,4,5,6\n3\n"),
              options);
  ASSERT_EQ(records.size(), 8u);
  EXPECT_THAT(records[1][2], HasSubstr("longer than 1000"));
  EXPECT_EQ(records[2], Record{"1"});
  EXPECT_THAT(records[3][2], HasSubstr("longer than 1000"));
  EXPECT_EQ(records[4], Record{"2"});
  EXPECT_THAT(records[5][2], HasSubstr("more than 5 fields"));
  EXPECT_THAT(records[6][2], HasSubstr("more than 5 fields"));
  EXPECT_EQ(records[7], Record{"3"});
}

TEST(ReaderTest, WhatIsWrittenReadsBackAcrossBlocks) {
  const uint64_t seed = 11;
  base::Rng rng(seed);
  for (int round = 0; round < 200; ++round) {
    const bool large = round % 20 == 0;
    std::vector<Record> wanted(large ? 20'000 : 1 + rng.Below(4));
    std::string text = "h\n";
    for (Record& record : wanted) {
      record.resize(1 + rng.Below(4));
      for (size_t f = 0; f < record.size(); ++f) {
        std::string quoted = "\"";
        const bool plain = rng.Chance(0.3);
        for (uint64_t n = 1 + rng.Below(large ? 30 : 6); n > 0; --n) {
          const char c = plain ? 'p' : "a,\"\n\r "[rng.Below(6)];
          record[f].push_back(c);
          quoted.append(c == '"' ? 2 : 1, c);
        }
        absl::StrAppend(&text, f == 0 ? "" : ",",
                        plain ? record[f] : quoted + "\"");
      }
      text += rng.Chance(0.5) ? "\r\n" : "\n";
    }
    std::vector<Record> got = ReadAll(text);
    got.erase(got.begin());
    ASSERT_EQ(got.size(), wanted.size()) << "seed " << seed << " " << round;
    ASSERT_TRUE(got == wanted) << "seed " << seed << " round " << round;
  }
}

TEST(ReaderTest, AnInputThatFailsGivesTheWholeRecordsBeforeIt) {
  // A gzip archive that is cut within its first block.
  std::string packed("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
  // One stored block: 9 of the 11 bytes that it announces.
  packed += std::string("\x01\x0b\0\xf4\xff", 5) + "a\n1\n2\n345";
  Opened opened(packed);
  ASSERT_THAT(opened.reader, IsOk());
  Reader& reader = *opened.reader;
  EXPECT_EQ(reader.Next(), Reader::Got::kRecord);
  EXPECT_EQ(reader.Next(), Reader::Got::kRecord);
  EXPECT_EQ(Fields(reader), Record{"2"});
  EXPECT_EQ(reader.Next(), Reader::Got::kFailed);
  EXPECT_THAT(reader.error(), HasSubstr("ends early"));
  EXPECT_EQ(reader.Next(), Reader::Got::kFailed);
}

}  // namespace
}  // namespace freshline::csv
