// SPDX-License-Identifier: Apache-2.0
#include "cli/literal.h"

#include <gmock/gmock.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "freshline/v1/feature_store.pb.h"
#include "tests/support/status_matchers.h"

namespace freshline::cli {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

auto Refused(const char* part) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(part));
}

TEST(ParseLiteralTest, TypeFollowsFromTheWriting) {
  EXPECT_EQ(*ParseLiteral("42"), Literal(int64_t{42}));
  EXPECT_EQ(*ParseLiteral("-7"), Literal(int64_t{-7}));
  EXPECT_EQ(*ParseLiteral("4.5"), Literal(4.5));
  EXPECT_EQ(*ParseLiteral("1e3"), Literal(1000.0));
  EXPECT_EQ(*ParseLiteral("true"), Literal(true));
  EXPECT_EQ(*ParseLiteral("false"), Literal(false));
  EXPECT_EQ(*ParseLiteral("acme"), Literal(std::string("acme")));
  EXPECT_EQ(*ParseLiteral("str:42"), Literal(std::string("42")));
  EXPECT_EQ(*ParseLiteral("\"42\""), Literal(std::string("42")));
  EXPECT_EQ(*ParseLiteral("ts:1569888000000000"),
            Literal(TimestampUs{1569888000000000}));
  EXPECT_EQ(*ParseLiteral(""), Literal());
  // Not numbers, whatever a lenient parser says.
  EXPECT_EQ(*ParseLiteral("nan"), Literal(std::string("nan")));
  EXPECT_EQ(*ParseLiteral("inf"), Literal(std::string("inf")));
  EXPECT_EQ(*ParseLiteral("1-2"), Literal(std::string("1-2")));
}

TEST(ParseLiteralTest, EveryInt64ReadsBack) {
  base::Rng rng(5);
  for (int i = 0; i < 1000; ++i) {
    const auto value =
        static_cast<int64_t>(rng.Next() >> rng.Below(63)) * (i % 2 ? 1 : -1);
    EXPECT_EQ(*ParseLiteral(absl::StrCat(value)), Literal(value)) << value;
  }
  for (int64_t value : {std::numeric_limits<int64_t>::min(),
                        std::numeric_limits<int64_t>::max()}) {
    EXPECT_EQ(*ParseLiteral(absl::StrCat(value)), Literal(value));
  }
}

TEST(ParseLiteralTest, NamesWhatIsWrong) {
  EXPECT_THAT(ParseLiteral("9223372036854775808"), Refused("str:"));
  EXPECT_THAT(ParseLiteral("\"open"), Refused("not closed"));
  EXPECT_THAT(ParseLiteral("ts:yesterday"), Refused("yesterday"));
}

TEST(ParseTimeUsTest, ReadsTheThreeForms) {
  EXPECT_EQ(*ParseTimeUs("1569888000000001"), 1569888000000001);
  EXPECT_EQ(*ParseTimeUs("2019-10-01 00:00:00"), 1569888000000000);
  EXPECT_EQ(*ParseTimeUs("2019-10-01 00:00:00.5 UTC"), 1569888000500000);
  EXPECT_EQ(*ParseTimeUs("2019-10-01T02:00:00+02:00"), 1569888000000000);
  EXPECT_THAT(ParseTimeUs("99999999999999999999"), Refused("range"));
  EXPECT_THAT(ParseTimeUs(""), Refused("is no time"));
}

TEST(ParseEntityTest, AllNumbersAreInt64AllElseString) {
  FeatureRequest request("s");
  for (const char* text :
       {"user_id=42,43", "country=de,str:1,\"a,b\",true,1.5"}) {
    const auto entity = ParseEntity(text);
    ASSERT_THAT(entity, IsOk());
    entity->AddTo(request);
  }
  const auto& entities = request.proto().entities();
  EXPECT_EQ(entities[0].name(), "user_id");
  EXPECT_THAT(entities[0].values().int64s().values(), ElementsAre(42, 43));
  EXPECT_THAT(entities[1].values().strings().values(),
              ElementsAre("de", "1", "a,b", "true", "1.5"));
}

TEST(ParseEntityTest, NamesWhatIsWrong) {
  EXPECT_THAT(ParseEntity("42"), Refused("NAME=VALUE"));
  EXPECT_THAT(ParseEntity("=42"), Refused("NAME=VALUE"));
  EXPECT_THAT(ParseEntity("user_id="), Refused("missing"));
  EXPECT_THAT(ParseEntity("user_id=1,de"), Refused("mixes"));
}

TEST(ParseEventTest, ReadsColumnsTimeAndSequence) {
  const auto event = ParseEvent(
      "clicks:user_id=42,price=9.5,brand=\"a,b\",gift=true,category=,"
      "shown=ts:5,event_time_us=1970-01-01 00:00:01,producer_sequence=17",
      "web-1", 99);
  ASSERT_THAT(event, IsOk());
  const v1::EventBatch& batch = event->proto();
  EXPECT_EQ(batch.source(), "clicks");
  // category is NULL: left out.
  ASSERT_EQ(batch.columns_size(), 5);
  EXPECT_EQ(batch.columns(0).values().int64s().values(0), 42);
  EXPECT_EQ(batch.columns(1).values().float64s().values(0), 9.5);
  EXPECT_EQ(batch.columns(2).values().strings().values(0), "a,b");
  EXPECT_TRUE(batch.columns(3).values().bools().values(0));
  EXPECT_EQ(batch.columns(4).values().timestamps_us().values(0), 5);
  EXPECT_THAT(batch.event_time_us(), ElementsAre(1'000'000));
  EXPECT_EQ(batch.producer_id(), "web-1");
  EXPECT_THAT(batch.producer_sequence(), ElementsAre(17u));
}

TEST(ParseEventTest, TimeDefaultsToNow) {
  EXPECT_THAT(ParseEvent("clicks:user_id=42", "", 99)->proto().event_time_us(),
              ElementsAre(99));
}

TEST(ParseEventTest, NamesWhatIsWrong) {
  EXPECT_THAT(ParseEvent("user_id=42", "", 0), Refused("SOURCE:"));
  EXPECT_THAT(ParseEvent("clicks:user_id", "", 0), Refused("NAME=VALUE"));
  EXPECT_THAT(ParseEvent("clicks:a=1,producer_sequence=1", "", 0),
              Refused("--producer"));
  EXPECT_THAT(ParseEvent("clicks:a=1,producer_sequence=x", "p", 0),
              Refused("whole number"));
  EXPECT_THAT(ParseEvent("clicks:a=1", "p", 0), Refused("producer_sequence"));
}

TEST(SplitOutsideQuotesTest, KeepsEmptyParts) {
  EXPECT_THAT(SplitOutsideQuotes("a,,\"b,c\","),
              ElementsAre("a", "", "\"b,c\"", ""));
}

}  // namespace
}  // namespace freshline::cli
