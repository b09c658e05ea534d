// SPDX-License-Identifier: Apache-2.0
#include "cli/print.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "cli/print_status.h"
#include "freshline/v1/feature_store.pb.h"
#include "freshline/v1/operations.pb.h"
#include "tests/support/status_matchers.h"

namespace freshline::cli {
namespace {

using ::testing::HasSubstr;

FeatureAnswer AnswerFrom(const char* text) {
  auto response = std::make_unique<v1::GetFeaturesResponse>();
  EXPECT_TRUE(
      google::protobuf::TextFormat::ParseFromString(text, response.get()));
  return FeatureAnswer(std::move(response));
}

TEST(TextTableTest, AlignsByCharactersAndLeavesNoTrailingSpace) {
  TextTable table({"A", "LONG", "C"});
  table.Add({"\xc3\xa9\xc3\xa9\xc3\xa9", "1", ""});
  table.Add({"x", "2", "3"});
  std::ostringstream out;
  table.Print(out);
  EXPECT_EQ(out.str(),
            "A    LONG  C\n"
            "\xc3\xa9\xc3\xa9\xc3\xa9  1\n"
            "x    2     3\n");
}

TEST(DurationTextTest, TakesTheUnitThatReads) {
  EXPECT_EQ(DurationText(999), "999 us");
  EXPECT_EQ(DurationText(1500), "1.5 ms");
  EXPECT_EQ(DurationText(3'200'000), "3.2 s");
  EXPECT_EQ(DurationText(240'000'000), "4 min");
  EXPECT_EQ(DurationText(7'200'000'000), "2.0 h");
  EXPECT_EQ(DurationText(864'000'000'000), "10.0 d");
  EXPECT_EQ(DurationText(-1500), "-1.5 ms");
}

TEST(PrintAnswerTest, OneLinePerFeatureAndRowWithFreshness) {
  const FeatureAnswer answer = AnswerFrom(R"(
    revision: 3 rows: 2
    features { name: "u:v" group: 0
               values { vectors { dim: 9
                 values: [ 1, 2, 3, 4, 5, 6, 7, 8, 9,
                           1, 1, 1, 1, 1, 1, 1, 1, 1 ] } }
               statuses: [ PRESENT, NOT_FOUND ] }
    features { name: "u:brand" group: 0
               values { strings { values: "a\n" values: "b" } } }
    groups { group: "u" obtained: [ REFRESHED, STALE_SHED ]
             fidelity: [ FULL, FULL ] as_of_us: [ 1000000, 0 ]
             as_of_sequence: [ 7, 0 ] pending_events: [ 0, 2 ] }
    events { ingest_sequence: 12 ack_level: MEMORY })");
  std::ostringstream out;
  PrintAnswer(answer, 1'002'500, out);
  EXPECT_EQ(
      out.str(),
      "FEATURE  ROW  VALUE                                   STATUS     "
      "OBTAINED    FIDELITY  PENDING  COMPUTED    SEQUENCE\n"
      "u:v      0    [1, 2, 3, 4, 5, 6, 7, 8, ... 9 in all]  PRESENT    "
      "REFRESHED   FULL      0        2.5 ms ago  7\n"
      "u:v      1    -                                       NOT_FOUND  "
      "STALE_SHED  FULL      2        never       0\n"
      "u:brand  0    \"a\\n\"                                   PRESENT    "
      "REFRESHED   FULL      0        2.5 ms ago  7\n"
      "u:brand  1    \"b\"                                     PRESENT    "
      "STALE_SHED  FULL      2        never       0\n"
      "revision 3\n"
      "event 0.0: ACCEPTED, sequence 12, MEMORY\n");
}

TEST(PrintAnswerTest, ThePriceStandsWhereARefreshWasGivenUp) {
  std::ostringstream out;
  PrintAnswer(AnswerFrom("revision: 3 rows: 1 price: 0.012345"), 0, out);
  EXPECT_THAT(out.str(), HasSubstr("price 0.012345 per worker-"));
  out.str("");
  PrintAnswer(AnswerFrom("revision: 3 rows: 1"), 0, out);
  EXPECT_THAT(out.str(), ::testing::Not(HasSubstr("price")));
}

TEST(ValueTextTest, WritesEveryType) {
  const FeatureAnswer answer = AnswerFrom(R"(
    rows: 1
    features { name: "a" values { int64s { values: 5 } } }
    features { name: "b" values { float64s { values: 0.5 } } }
    features { name: "c" values { bools { values: true } } }
    features { name: "d" values { timestamps_us { values: 9 } } }
    features { name: "e" values { lists { lengths: 2
                 elements { int64s { values: [ 1, 2 ] } } } } }
    features { name: "f" values { lists { lengths: 1
                 elements { float64s { values: 0.25 } } } } }
    features { name: "g" values { lists { lengths: 0
                 elements { strings {} } } } }
    features { name: "h" values {} }
    features { name: "i" values { float64s { values: 1234567.75 } } }
    features { name: "j" values { vectors { dim: 2
                 values: [ 0.1, 16777217 ] } } }
    features { name: "k" values { lists { lengths: 1
                 elements { float64s { values: 0.1234567890123 } } } } })");
  std::string all;
  for (size_t i = 0; i < answer.feature_count(); ++i) {
    all += ValueText(answer.feature(i), 0) + ";";
  }
  EXPECT_EQ(all,
            "5;0.5;true;9;[1, 2];[0.25];[];"
            "(of a type that this version does not know);1234567.75;"
            "[0.1, 16777216];[0.1234567890123];");
}

// What a column holds for a type: the field of Values, its elements, their text
// in a list, and the first one's on its own.
struct TypeText {
  v1::ScalarType type;
  const char* field;
  const char* elements;
  const char* list;
  const char* scalar;
};
constexpr TypeText kTypeTexts[] = {
    {v1::BOOL, "bools", "[ true, false ]", "[true, false]", "true"},
    {v1::INT64, "int64s", "[ -7, 0 ]", "[-7, 0]", "-7"},
    {v1::FLOAT64, "float64s", "[ 0.1, 1e22 ]", "[0.1, 1e+22]", "0.1"},
    {v1::STRING, "strings", "[ 'a\\n', '' ]", "[\"a\\n\", \"\"]", "\"a\\n\""},
    {v1::TIMESTAMP, "timestamps_us", "[ 9, 1 ]", "[9, 1]", "9"},
};

TEST(ValueTextTest, NoTypeIsLeftOutAsAScalarOrInAList) {
  for (int number = v1::ScalarType_MIN + 1; number <= v1::ScalarType_MAX;
       ++number) {
    const auto* text =
        std::find_if(std::begin(kTypeTexts), std::end(kTypeTexts),
                     [&](const TypeText& one) { return one.type == number; });
    ASSERT_NE(text, std::end(kTypeTexts)) << number;
    const std::string values =
        absl::StrCat(text->field, " { values: ", text->elements, " }");
    const FeatureAnswer answer = AnswerFrom(
        absl::StrCat("rows: 2 features { name: 'scalar' values { ", values,
                     " } } features { name: 'list' values { lists { ",
                     "lengths: [ 2, 0 ] elements { ", values, " } } } }")
            .c_str());
    EXPECT_EQ(ValueText(answer.feature(0), 0), text->scalar);
    EXPECT_EQ(ValueText(answer.feature(1), 0), text->list);
    EXPECT_EQ(ValueText(answer.feature(1), 1), "[]");
  }
}

TEST(PrintFieldsTest, PrintsZerosMapsInOrderAndTables) {
  v1::GetStatusResponse status;
  status.set_version("1");
  (*status.mutable_queries()->mutable_rows_by_obtained())["REFRESHED"] = 2;
  (*status.mutable_queries()->mutable_rows_by_obtained())["ALREADY_FRESH"] = 1;
  v1::ThreadStatus& thread = *status.add_threads();
  thread.set_name("worker-0");
  thread.set_sched_class("idle");
  std::ostringstream out;
  PrintFields(status, out);
  EXPECT_THAT(out.str(), HasSubstr("queries.late "));
  EXPECT_THAT(out.str(), ::testing::ContainsRegex(
                             "queries.rows_by_obtained.ALREADY_FRESH +1\n"
                             "queries.rows_by_obtained.REFRESHED +2\n"));
  EXPECT_THAT(out.str(), HasSubstr("threads\nname      sched_class  wanted\n"
                                   "worker-0  idle\n"));
  EXPECT_THAT(out.str(), ::testing::Not(HasSubstr("featurizers")));
}

TEST(PrintFieldsTest, ATableHasTheMessagesAndMapsOfItsRows) {
  v1::GetStatusResponse status;
  v1::StalenessStatus& staleness = *status.add_staleness();
  staleness.set_group("g");
  staleness.mutable_stale()->set_outcomes(7);
  staleness.mutable_stale()->set_mean_loss(0.25);
  v1::RequestCounters& requests = *status.add_requests();
  requests.set_method("GetFeatures");
  (*requests.mutable_by_code())["OK"] = 3;
  (*requests.mutable_by_code())["NOT_FOUND"] = 2;
  std::ostringstream out;
  PrintFields(status, out);
  EXPECT_THAT(out.str(), HasSubstr("stale.outcomes  stale.mean_loss"));
  EXPECT_THAT(out.str(), ::testing::ContainsRegex("g .* 7  +0.25 "));
  EXPECT_THAT(out.str(), HasSubstr("GetFeatures  2 NOT_FOUND, 3 OK\n"));
}

TEST(PrintStatusTest, BeginsWithWhatIsWrong) {
  v1::GetStatusResponse status;
  status.set_version("1.2");
  status.set_phase(v1::SERVING);
  status.set_uptime_us(3'200'000);
  std::ostringstream well;
  PrintStatus(status, well);
  EXPECT_THAT(well.str(), ::testing::StartsWith(
                              "freshlined 1.2 SERVING, up 3.2 s: all is well"));
  status.add_degraded("the roof leaks");
  status.add_degraded("the cellar is full");
  std::ostringstream wrong;
  PrintStatus(status, wrong);
  EXPECT_THAT(wrong.str(),
              ::testing::StartsWith("freshlined 1.2 SERVING, up 3.2 s: WRONG\n"
                                    "  - the roof leaks\n"
                                    "  - the cellar is full\n\n"));
  EXPECT_THAT(wrong.str(), HasSubstr("queries.late"));
}

TEST(PrintJsonTest, KeepsTheWiresNamesAndZeros) {
  v1::GetStatusResponse status;
  status.set_uptime_us(5);
  std::ostringstream out;
  ASSERT_THAT(PrintJson(status, false, out), test::IsOk());
  EXPECT_THAT(out.str(), HasSubstr("\"uptime_us\":\"5\""));
  EXPECT_THAT(out.str(), HasSubstr("\"revision\":\"0\""));
}

}  // namespace
}  // namespace freshline::cli
