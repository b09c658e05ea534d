// SPDX-License-Identifier: Apache-2.0
#include "registry/textproto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "freshline/v1/registry.pb.h"
#include "tests/support/status_matchers.h"

namespace freshline::registry {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class TextprotoTest : public ::testing::Test {
 protected:
  bool Parse(absl::string_view text) {
    return ParseTextproto(text, "x.textproto", &definitions_, &locations_,
                          &violations_);
  }
  FieldPlace Root() const {
    return FieldPlace::Root("x.textproto", definitions_.GetDescriptor(),
                            &locations_);
  }
  std::string Message() const {
    return std::string(violations_.ToStatus().message());
  }

  freshline::v1::Definitions definitions_;
  LocationTree locations_;
  Violations violations_;
};

// The violations of a text that cannot be parsed.
std::string Refusal(absl::string_view text) {
  freshline::v1::Definitions definitions;
  LocationTree locations;
  Violations violations;
  EXPECT_FALSE(ParseTextproto(text, "x.textproto", &definitions, &locations,
                              &violations));
  return std::string(violations.ToStatus().message());
}

TEST_F(TextprotoTest, PlacesAreThoseOfTheFieldsWithTheirPaths) {
  ASSERT_TRUE(
      Parse("# a comment\n"
            "entity { name: \"a\" }\n"
            "entity {\n"
            "  key { name: \"k\"\n"
            "    type: BOOL }\n"
            "}\n"));
  const FieldPlace second = Root().Field("entity", 1);
  EXPECT_EQ(second.Where(), "x.textproto:3:1");
  const FieldPlace type = second.Field("key", 0).Field("type");
  EXPECT_EQ(type.Where(), "x.textproto:5:5");
  EXPECT_EQ(type.path(), "entity[1].key[0].type");
  // What was not written stands where its message does.
  EXPECT_EQ(second.Field("name").Where(), "x.textproto:3:1");
  EXPECT_EQ(second.Field("name").path(), "entity[1].name");
  type.Report("is odd", &violations_);
  EXPECT_EQ(Message(), "x.textproto:5:5: entity[1].key[0].type: is odd");
}

TEST_F(TextprotoTest, ElementsOfABracketedListStandWhereTheListDoes) {
  ASSERT_TRUE(
      Parse("feature_service {\n"
            "  feature: [\"a:b\",\n"
            "            \"c:d\"]\n"
            "}\n"));
  const FieldPlace service = Root().Field("feature_service", 0);
  EXPECT_EQ(service.Field("feature", 1).Where(), "x.textproto:2:3");
  EXPECT_EQ(service.Field("feature", 1).path(),
            "feature_service[0].feature[1]");
}

TEST_F(TextprotoTest, PlacesWithoutTextAreFileAndPath) {
  const FieldPlace place =
      FieldPlace::Root("made", definitions_.GetDescriptor(), nullptr)
          .Field("entity", 0)
          .Field("name");
  place.Report("is odd", &violations_);
  EXPECT_EQ(Message(), "made: entity[0].name: is odd");
}

TEST_F(TextprotoTest, EveryUnknownFieldIsReportedWithTheNearestName) {
  EXPECT_TRUE(
      Parse("entity { nmae: \"a\" }\n"
            "entity { name: \"b\"\n"
            "  kei { name: \"k\" } }\n"));
  EXPECT_EQ(violations_.size(), 2u);
  EXPECT_THAT(Message(),
              AllOf(HasSubstr("x.textproto:1:10: "),
                    HasSubstr("has no field named \"nmae\"; did you mean "
                              "\"name\"?"),
                    HasSubstr("x.textproto:3:3: "),
                    HasSubstr("did you mean \"key\"?")));
  EXPECT_EQ(definitions_.entity_size(), 2);
}

TEST_F(TextprotoTest, ColumnsOfUnknownFieldsCountTabsAsTheParserDoes) {
  EXPECT_TRUE(Parse("entity {\n\tnmae : \"a\" \tnmae: \"b\" }"));
  EXPECT_THAT(Message(), AllOf(HasSubstr("x.textproto:2:9: "),
                               HasSubstr("x.textproto:2:25: ")));
}

TEST_F(TextprotoTest, SyntaxErrorsAreReportedAndEndTheReading) {
  EXPECT_FALSE(Parse("entity {\n  name \"a\"\n}\n"));
  EXPECT_THAT(Message(), HasSubstr("x.textproto:2:8: "));
}

TEST_F(TextprotoTest, WrongValuesAreErrors) {
  for (const char* text :
       {"source { events_max: -1 }", "source { events_max: 4294967296 }",
        "source { column { type: INT65 } }", "source { retention: 30 }",
        "source { retention: \"1d\" retention: \"2d\" }",
        "feature_group { feature { type { scalar: BOOL list: BOOL } } }"}) {
    SCOPED_TRACE(text);
    EXPECT_THAT(Refusal(text), HasSubstr("x.textproto:1:"));
  }
}

TEST_F(TextprotoTest, TextThatIsNoUtf8IsAnErrorWhereverItStands) {
  EXPECT_TRUE(
      Parse("entity { name: \"caf\xc3\xa9\" }\n"
            "entity { name: \"\\377x\" }\n"
            "feature_group { feature { default {\n"
            "  list { strings { values: \"a\" values: \"b\xc3\" } } } } }"));
  EXPECT_THAT(
      Message(),
      AllOf(HasSubstr("x.textproto:2:10: entity[1].name: is \"\\377x\", which"),
            HasSubstr("x.textproto:4:32: feature_group[0].feature[0].default."
                      "list.strings.values[1]: is \"b\\303\", which"),
            Not(HasSubstr("entity[0]"))));
}

TEST_F(TextprotoTest, DeepNestingIsAnErrorNotACrash) {
  for (const char* open : {"feature_group { embedding { ", "x { ", "x < ",
                           "x: [", "value { list { lists { elements { "}) {
    SCOPED_TRACE(open);
    std::string text;
    for (int i = 0; i < 200'000; ++i) text += open;
    EXPECT_THAT(Refusal(text), HasSubstr("x.textproto:1:"));
  }
}

TEST_F(TextprotoTest, TooLargeATextIsRefused) {
  EXPECT_FALSE(Parse(std::string(kTextBytesMax + 1, ' ')));
  EXPECT_THAT(Message(), HasSubstr("8388609 bytes; at most 8388608"));
}

TEST(ViolationsTest, OnlyTheFirstHundredAreListedAndTheRestCounted) {
  Violations violations;
  EXPECT_THAT(violations.ToStatus(), IsOk());
  for (int i = 0; i < 130; ++i) violations.Add("f", std::to_string(i));
  EXPECT_EQ(violations.size(), 130u);
  EXPECT_THAT(violations.ToStatus(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("f: 99\nand 30 more"),
                             Not(HasSubstr("f: 100")))));
}

TEST(ReadTextFileTest, ReadsTheWholeFile) {
  const std::string path =
      ::testing::TempDir() + "freshline_read_" + std::to_string(::getpid());
  std::ofstream(path) << "a\nb";
  const auto text = ReadTextFile(path);
  std::remove(path.c_str());
  ASSERT_THAT(text, IsOk());
  EXPECT_EQ(*text, "a\nb");
}

TEST(ReadTextFileTest, MissingFilesAndDirectoriesAreNamed) {
  EXPECT_THAT(ReadTextFile("no/such.textproto"),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("no/such.textproto: No such file")));
  EXPECT_THAT(ReadTextFile(::testing::TempDir()),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("is not a regular file")));
}

}  // namespace
}  // namespace freshline::registry
