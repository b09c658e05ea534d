// SPDX-License-Identifier: Apache-2.0
#include "registry/group_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/registry/definitions_fixture.h"

namespace freshline::registry {
namespace {

using test::IsOk;
using ::testing::HasSubstr;

// The result of one aggregate of type `type` over a source that has a column
// of each type.
absl::Status Declare(absl::string_view type, absl::string_view aggregate) {
  return ParseDefinitions(
             absl::StrCat(
                 R"(entity { name: "e" key { name: "k" type: INT64 } }
source {
  name: "s" entity: "e" retention: "10d" events_max: 20
  column { name: "b" type: BOOL }
  column { name: "i" type: INT64 }
  column { name: "f" type: FLOAT64 }
  column { name: "s" type: STRING }
  column { name: "t" type: TIMESTAMP }
}
feature_group {
  name: "g" source: "s"
  feature { name: "x" type { )",
                 type, " } aggregate { ", aggregate, " } } }"),
             "x")
      .status();
}

constexpr const char* kColumns[] = {"b", "i", "f", "s", "t"};
constexpr const char* kTypes[] = {"BOOL", "INT64", "FLOAT64", "STRING",
                                  "TIMESTAMP"};

TEST(GroupCheckTest, AggregatesHaveTheTypesThatSqlGivesThem) {
  // Per function, the scalar of each column's result; "" where it is refused.
  struct {
    const char* fn;
    const char* result[5];
    const char* shape;
  } const table[] = {
      {"COUNT", {"INT64", "INT64", "INT64", "INT64", "INT64"}, "scalar"},
      {"SUM", {"", "INT64", "FLOAT64", "", ""}, "scalar"},
      {"MEAN", {"", "FLOAT64", "FLOAT64", "", ""}, "scalar"},
      {"MIN", {"", "INT64", "FLOAT64", "", "TIMESTAMP"}, "scalar"},
      {"MAX", {"", "INT64", "FLOAT64", "", "TIMESTAMP"}, "scalar"},
      {"LAST", {"BOOL", "INT64", "FLOAT64", "STRING", "TIMESTAMP"}, "scalar"},
      {"LAST_N", {"BOOL", "INT64", "FLOAT64", "STRING", "TIMESTAMP"}, "list"},
  };
  for (const auto& row : table) {
    for (int column = 0; column < 5; ++column) {
      for (const char* type : kTypes) {
        for (const char* shape : {"scalar", "list"}) {
          const std::string aggregate =
              absl::StrCat("fn: ", row.fn, " column: \"", kColumns[column],
                           "\" over: ", "\"1h\"",
                           std::string(row.fn) == "LAST_N" ? " n: 2" : "");
          const bool right = std::string(type) == row.result[column] &&
                             std::string(shape) == row.shape;
          EXPECT_EQ(Declare(absl::StrCat(shape, ": ", type), aggregate).ok(),
                    right)
              << aggregate << " as " << shape << " of " << type;
        }
      }
      EXPECT_FALSE(
          Declare("vector_dim: 4",
                  absl::StrCat("fn: ", row.fn, " column: \"", kColumns[column],
                               "\" over: \"1h\" n: 2"))
              .ok());
    }
  }
}

TEST(GroupCheckTest, AWindowAsLongAsTheRetentionIsTheLongest) {
  EXPECT_THAT(Declare("scalar: INT64", "fn: COUNT over: \"10d\""), IsOk());
  EXPECT_EQ(
      std::string(
          Declare("scalar: INT64", "fn: COUNT over: \"10d1us\"").message()),
      "x:12:68: feature_group[0].feature[0].aggregate.over: \"10d1us\" "
      "is longer than source s keeps events (retention 10d): the window "
      "would always be cut; shorten it, or raise the retention");
}

TEST(GroupCheckTest, OnlyCountAndLastGoWithoutColumnOrWindow) {
  EXPECT_THAT(Declare("scalar: INT64", "fn: COUNT last_events: 20"), IsOk());
  EXPECT_THAT(Declare("scalar: INT64", "fn: LAST column: \"i\""), IsOk());
  EXPECT_THAT(std::string(Declare("scalar: INT64", "fn: COUNT").message()),
              HasSubstr("aggregate.over: COUNT needs a window"));
  EXPECT_THAT(
      std::string(Declare("scalar: INT64", "fn: SUM over: \"1h\"").message()),
      HasSubstr("aggregate.column: is required"));
  EXPECT_THAT(std::string(Declare("scalar: INT64", "over: \"1h\"").message()),
              HasSubstr("aggregate.fn: is required"));
}

TEST(GroupCheckTest, RefusesWrongAggregates) {
  for (const Fault& fault : {
           Fault{"column: \"price\" over", "column: \"prize\" over",
                 "aggregate.column: source clicks has no column \"prize\"; "
                 "did you mean \"price\"?"},
           Fault{"column: \"price\" over", "column: \"brand\" over",
                 "\"brand\" is STRING, but SUM takes INT64 or FLOAT64"},
           Fault{"scalar: FLOAT64 } default { float64: 1.5 }",
                 "scalar: INT64 }",
                 "feature[0].type: is INT64, but SUM of price is FLOAT64: "
                 "declare that"},
           Fault{"over: \"14d\"", "over: \"31d\"",
                 "is longer than source clicks keeps events (retention 30d)"},
           Fault{"over: \"14d\"", "over: \"14d\" n: 3",
                 "aggregate.n: is the list length of LAST_N; SUM has none"},
           Fault{"over: \"14d\"", "last_events: 101",
                 "is 101, but source clicks keeps at most 100 events per key"},
           Fault{"last_events: 9 n: 5", "last_events: 9",
                 "aggregate.n: is 0: it must be 1 to 1000"},
           Fault{"last_events: 9 n: 5", "over: \"1h\" n: 101",
                 "aggregate.n: is 101, but source clicks keeps at most 100"},
           Fault{"last_events: 9 n: 5", "last_events: 9 n: 10",
                 "is 10, more than the window of 9 last_events holds"},
           Fault{"aggregate { fn: COUNT over: \"1d\" }", "",
                 "feature_group[3].feature[0]: has no aggregate"},
           Fault{"aggregate { fn: COUNT over: \"1d\" }",
                 "aggregate { fn: COUNT over: \"1d\" } output: ITEMS",
                 "only features of a retrieval group have an output"},
           Fault{"column: \"bought\" op", "column: \"buoght\" op",
                 "filter[0].column: source clicks has no column"},
           Fault{"op: EQ", "", "filter[0].op: is required"},
           Fault{"op: EQ", "op: LT",
                 "is LT, but column bought is BOOL, which has no order"},
           Fault{"value { bool: true }", "value { int64: 1 }",
                 "filter[0].value: is int64, but the type is BOOL: write { "
                 "bool: ... }"},
           Fault{"value { bool: true }", "",
                 "filter[0].value: has no value, but the type is BOOL"},
           Fault{"column: \"bought\" op: EQ value { bool: true }",
                 "column: \"price\" op: GE value { float64: nan }",
                 "filter[0].value: is nan: it must be finite"},
       }) {
    ExpectRefused(fault);
  }
}

TEST(GroupCheckTest, FiltersAreBounded) {
  std::string filters;
  for (uint32_t i = 0; i < kFiltersMax; ++i) {
    filters += " filter { column: \"f\" op: LT value { int64: 3 } }";
  }
  EXPECT_THAT(Declare("scalar: INT64", "fn: COUNT over: \"1h\"" + filters),
              IsOk());
  filters += " filter { column: \"f\" op: LT value { int64: 3 } }";
  EXPECT_THAT(
      std::string(Declare("scalar: INT64", "fn: COUNT over: \"1h\"" + filters)
                      .message()),
      HasSubstr("aggregate.filter[16]: there are 17 filters; at most 16"));
}

TEST(GroupCheckTest, RefusesWrongEmbeddings) {
  const char* const embedding = "item_table: \"items\" item_column: \"item\" }";
  for (const Fault& fault : {
           Fault{embedding, "item_table: \"item\" item_column: \"item\" }",
                 "unknown item table \"item\"; did you mean \"items\"?"},
           Fault{embedding, "item_column: \"item\" }",
                 "embedding.item_table: is required"},
           Fault{embedding, "item_table: \"items\" }",
                 "embedding.item_column: is required"},
           Fault{embedding, "item_table: \"items\" item_column: \"brand\" }",
                 "column \"brand\" is STRING: it must be INT64"},
           Fault{embedding,
                 "item_table: \"items\" item_column: \"item\" decay: 1.1 }",
                 "embedding.decay: is 1.1: it must be greater than 0 and at "
                 "most 1"},
           Fault{embedding,
                 "item_table: \"items\" item_column: \"item\" decay: nan }",
                 "embedding.decay: is nan"},
           Fault{embedding,
                 "item_table: \"items\" item_column: \"item\" last_events: 51}",
                 "embedding.last_events: is 51: it must be 1 to 50"},
           Fault{"type { vector_dim: 8 }", "type { vector_dim: 9 }",
                 "is vector of 9, but item table items has vectors of 8"},
           Fault{"type { vector_dim: 8 }", "type { list: FLOAT64 }",
                 "is list of FLOAT64, but an embedding is a vector"},
           Fault{"feature { name: \"vector\" type { vector_dim: 8 } }",
                 "feature { name: \"vector\" type { vector_dim: 8 } }"
                 "feature { name: \"w\" type { vector_dim: 8 } }",
                 "an embedding is one feature, and the group has 2"},
           Fault{"type { vector_dim: 8 } }",
                 "type { vector_dim: 8 } aggregate { fn: COUNT } }",
                 "the group computes an embedding or a retrieval"},
           Fault{"type { vector_dim: 8 } }",
                 "type { vector_dim: 8 } output: ITEMS }",
                 "only features of a retrieval group have an output"},
       }) {
    ExpectRefused(fault);
  }
}

TEST(GroupCheckTest, RefusesWrongRetrievals) {
  for (const Fault& fault : {
           Fault{"brand_column: \"brand\"", "brand_column: \"price\"",
                 "column \"price\" is FLOAT64: it must be STRING"},
           Fault{"brand_column: \"brand\"", "category_column: \"brand\"",
                 "column \"brand\" is STRING: it must be INT64"},
           Fault{"brand_column: \"brand\"", "price_column: \"item\"",
                 "column \"item\" is INT64: it must be FLOAT64"},
           Fault{"top: 7", "top: 101",
                 "retrieval.top: is 101: it must be 1 to 100"},
           Fault{"top: 7", "last_events: 51",
                 "retrieval.last_events: is 51: it must be 1 to 50"},
           Fault{"type { list: INT64 } output: ITEMS",
                 "type { list: STRING } output: ITEMS",
                 "is list of STRING, but ITEMS is list of INT64"},
           Fault{"type { list: FLOAT64 } output: SCORES",
                 "type { list: INT64 } output: SCORES",
                 "is list of INT64, but SCORES is list of FLOAT64"},
           Fault{"output: SCORES", "",
                 "feature[1].output: is required in a retrieval group"},
           Fault{"type { list: FLOAT64 } output: SCORES",
                 "type { list: INT64 } output: ITEMS",
                 "ITEMS is answered by an earlier feature"},
           Fault{"output: SCORES", "output: SCORES aggregate { fn: COUNT }",
                 "put aggregates into a group of their own"},
       }) {
    ExpectRefused(fault);
  }
}

TEST(GroupCheckTest, EventsReadByDefaultNeverExceedWhatIsKept) {
  std::string text = kSound;
  text.replace(text.find("events_max: 100"), 15, "events_max: 10");
  const auto revision = ParseDefinitions(text, "x");
  ASSERT_THAT(revision, IsOk());
  const auto& groups = (*revision)->groups();
  EXPECT_EQ(std::get<Embedding>(groups[1].computation).last_events, 10u);
  EXPECT_EQ(std::get<Retrieval>(groups[2].computation).last_events, 10u);
  text.replace(text.find("top: 7"), 6, "last_events: 11");
  EXPECT_THAT(std::string(ParseDefinitions(text, "x").status().message()),
              HasSubstr("is 11, but source clicks keeps at most 10 events"));
}

// What was refused once is unknown, not wrong: it causes no second violation.
TEST(GroupCheckTest, ARefusedColumnIsReportedOnce) {
  ExpectRefused({"name: \"price\" type: FLOAT64", "name: \"price\"",
                 "source[0].column[1].type: is required"});
  ExpectRefused({"dim: 8", "dim: 0", "item_table[0].dim: is 0"});
}

}  // namespace
}  // namespace freshline::registry
