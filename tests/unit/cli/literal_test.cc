// SPDX-License-Identifier: Apache-2.0
#include "cli/literal.h"

#include <gmock/gmock.h>

#include <limits>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "freshline/v1/feature_store.pb.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/cli/shop_schema.h"

namespace freshline::cli {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

auto Refused(const char* part) {
  return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(part));
}

Literal Value(absl::string_view text, v1::ScalarType type) {
  const auto value = ParseValue(text, type);
  EXPECT_THAT(value, IsOk());
  return value.ok() ? *value : Literal();
}

TEST(ParseValueTest, ReadsTheDeclaredType) {
  EXPECT_EQ(Value("42", v1::INT64), Literal(int64_t{42}));
  EXPECT_EQ(Value("10.0", v1::INT64), Literal(int64_t{10}));
  EXPECT_EQ(Value(" -7 ", v1::INT64), Literal(int64_t{-7}));
  EXPECT_EQ(Value("42", v1::FLOAT64), Literal(42.0));
  EXPECT_EQ(Value("1e3", v1::FLOAT64), Literal(1000.0));
  EXPECT_EQ(Value("True", v1::BOOL), Literal(true));
  EXPECT_EQ(Value("0", v1::BOOL), Literal(false));
  EXPECT_EQ(Value("42", v1::STRING), Literal(std::string("42")));
  EXPECT_EQ(Value(" a ", v1::STRING), Literal(std::string(" a ")));
  EXPECT_EQ(Value("2019-10-01", v1::TIMESTAMP),
            Literal(TimestampUs{1569888000000000}));
  EXPECT_EQ(*ParseValue("1569888000", v1::TIMESTAMP, base::TimeUnit::kSeconds),
            Literal(TimestampUs{1569888000000000}));
}

TEST(ParseValueTest, NullIsWhatCanBeNothingElse) {
  for (const v1::ScalarType type :
       {v1::BOOL, v1::INT64, v1::FLOAT64, v1::TIMESTAMP}) {
    for (const char* text : {"", " ", "NULL", "null", "\\N", "NA", "NaN", "NaT",
                             "None", "<NA>", "#N/A", "n/a"}) {
      EXPECT_EQ(Value(text, type), Literal()) << text;
    }
  }
  EXPECT_EQ(Value("", v1::STRING), Literal());
  for (const char* text : {" ", "NULL", "NA", "nan", "None"}) {
    EXPECT_EQ(Value(text, v1::STRING), Literal(std::string(text)));
  }
}

TEST(ParseValueTest, EveryInt64ReadsBack) {
  base::Rng rng(5);
  for (int i = 0; i < 1000; ++i) {
    const auto value =
        static_cast<int64_t>(rng.Next() >> rng.Below(63)) * (i % 2 ? 1 : -1);
    EXPECT_EQ(Value(absl::StrCat(value), v1::INT64), Literal(value)) << value;
  }
  for (int64_t value : {std::numeric_limits<int64_t>::min(),
                        std::numeric_limits<int64_t>::max()}) {
    EXPECT_EQ(Value(absl::StrCat(value), v1::INT64), Literal(value));
  }
}

TEST(ParseValueTest, NamesWhatIsWrong) {
  EXPECT_THAT(ParseValue("9223372036854775808", v1::INT64), Refused("INT64"));
  EXPECT_THAT(ParseValue("1.5", v1::INT64), Refused("\"1.5\" is no INT64"));
  EXPECT_THAT(ParseValue("1e400", v1::FLOAT64), Refused("infinite"));
  EXPECT_THAT(ParseValue("1,5", v1::FLOAT64), Refused("decimal point"));
  EXPECT_THAT(ParseValue("x", v1::FLOAT64), Refused("FLOAT64"));
  EXPECT_THAT(ParseValue("on", v1::BOOL), Refused("BOOL"));
  EXPECT_THAT(ParseValue("yesterday", v1::TIMESTAMP), Refused("yesterday"));
  EXPECT_THAT(ParseValue("\xff", v1::STRING), Refused("iconv"));
  EXPECT_THAT(ParseValue(std::string(1000, 'x'), v1::INT64),
              Refused("xx...\""));
  EXPECT_THAT(ParseValue("x", v1::SCALAR_TYPE_UNSPECIFIED),
              Refused("its own version"));
}

TEST(ParseArgumentTest, StringsMayBeMarkedAsSuch) {
  EXPECT_EQ(*ParseArgument("0017", v1::STRING), Literal(std::string("0017")));
  EXPECT_EQ(*ParseArgument("str:42", v1::STRING), Literal(std::string("42")));
  EXPECT_EQ(*ParseArgument("\"\"", v1::STRING), Literal(std::string()));
  EXPECT_EQ(*ParseArgument("ts:5", v1::TIMESTAMP), Literal(TimestampUs{5}));
  EXPECT_EQ(*ParseArgument("", v1::STRING), Literal());
  EXPECT_THAT(ParseArgument("\"open", v1::STRING), Refused("not closed"));
  EXPECT_THAT(ParseArgument("str:42", v1::INT64), Refused("declared INT64"));
}

TEST(AppendToTest, ANullHasAnElementToo) {
  v1::Column column;
  AppendTo(Literal(2.5), v1::FLOAT64, 0, &column);
  AppendTo(Literal(), v1::FLOAT64, 1, &column);
  AppendTo(Literal(1.5), v1::FLOAT64, 2, &column);
  EXPECT_THAT(column.values().float64s().values(), ElementsAre(2.5, 0, 1.5));
  EXPECT_THAT(column.null_rows(), ElementsAre(1u));
}

TEST(ParseEntityTest, KeysAreOfTheirDeclaredType) {
  const Schema schema(ShopSchema());
  FeatureRequest request("s");
  for (const char* text :
       {"user_id=42,0043", "card=0017,str:1,\"a,b\",true,1.5", "visit=1,2"}) {
    const auto entity = ParseEntity(text, schema);
    ASSERT_THAT(entity, IsOk());
    entity->AddTo(request);
  }
  const auto& entities = request.proto().entities();
  EXPECT_EQ(entities[0].name(), "user_id");
  EXPECT_THAT(entities[0].values().int64s().values(), ElementsAre(42, 43));
  EXPECT_THAT(entities[1].values().strings().values(),
              ElementsAre("0017", "1", "a,b", "true", "1.5"));
  // Declared as both: as it looks.
  EXPECT_THAT(entities[2].values().int64s().values(), ElementsAre(1, 2));
  EXPECT_THAT(ParseEntity("visit=str:1", schema)->strings, ElementsAre("1"));
}

TEST(ParseEntityTest, NamesWhatIsWrong) {
  const Schema schema(ShopSchema());
  EXPECT_THAT(ParseEntity("42", schema), Refused("NAME=VALUE"));
  EXPECT_THAT(ParseEntity("=42", schema), Refused("NAME=VALUE"));
  EXPECT_THAT(ParseEntity("user_id=", schema), Refused("missing"));
  EXPECT_THAT(ParseEntity("user_id=1,de", schema),
              Refused("\"user_id=1,de\": \"de\" is no INT64"));
  EXPECT_THAT(ParseEntity("user_id=NA", schema), Refused("must have a value"));
  EXPECT_THAT(ParseEntity("user=1", schema),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("there are: user_id, card, visit")));
}

TEST(ParseEventTest, ReadsColumnsTimeAndSequence) {
  const Schema schema(ShopSchema());
  const auto event = ParseEvent(
      "clicks:user_id=42,price=9,brand=\"a,b\",gift=true,item=,seen=ts:5,"
      "event_time_us=1970-01-01 00:00:01,producer_sequence=17",
      "web-1", 99, schema);
  ASSERT_THAT(event, IsOk());
  const v1::EventBatch& batch = event->proto();
  EXPECT_EQ(batch.source(), "clicks");
  // item is NULL: left out.
  ASSERT_EQ(batch.columns_size(), 5);
  EXPECT_EQ(batch.columns(0).values().int64s().values(0), 42);
  EXPECT_EQ(batch.columns(1).values().float64s().values(0), 9);
  EXPECT_EQ(batch.columns(2).values().strings().values(0), "a,b");
  EXPECT_TRUE(batch.columns(3).values().bools().values(0));
  EXPECT_EQ(batch.columns(4).values().timestamps_us().values(0), 5);
  EXPECT_THAT(batch.event_time_us(), ElementsAre(1'000'000));
  EXPECT_EQ(batch.producer_id(), "web-1");
  EXPECT_THAT(batch.producer_sequence(), ElementsAre(17u));
}

TEST(ParseEventTest, TimeDefaultsToNow) {
  EXPECT_THAT(ParseEvent("clicks:user_id=42", "", 99, Schema(ShopSchema()))
                  ->proto()
                  .event_time_us(),
              ElementsAre(99));
}

TEST(ParseEventTest, NamesWhatIsWrong) {
  const Schema schema(ShopSchema());
  const auto parse = [&](const char* text, const char* producer) {
    return ParseEvent(text, producer, 0, schema).status();
  };
  EXPECT_THAT(parse("user_id=42", ""), Refused("SOURCE:"));
  EXPECT_THAT(parse("clicks:user_id", ""), Refused("NAME=VALUE"));
  EXPECT_THAT(parse("clicks:item=1,producer_sequence=1", ""),
              Refused("--producer"));
  EXPECT_THAT(parse("clicks:item=1,producer_sequence=x", "p"),
              Refused("whole number"));
  EXPECT_THAT(parse("clicks:item=1", "p"), Refused("producer_sequence"));
  EXPECT_THAT(parse("clicks:price=x", ""), Refused("FLOAT64"));
  EXPECT_THAT(parse("clicks:cost=1", ""),
              Refused("no column \"cost\" (it has: user_id, item"));
  EXPECT_THAT(parse("click:item=1", ""),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("clicks")));
}

TEST(SplitOutsideQuotesTest, KeepsEmptyParts) {
  EXPECT_THAT(SplitOutsideQuotes("a,,\"b,c\","),
              ElementsAre("a", "", "\"b,c\"", ""));
}

}  // namespace
}  // namespace freshline::cli
