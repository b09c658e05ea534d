// SPDX-License-Identifier: Apache-2.0
#include "staleness/value_curve.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace freshline::staleness {
namespace {

using ::freshline::test::IsOk;
using ::freshline::test::StatusIs;

using ::testing::HasSubstr;

std::string WithHead(const std::string& points) {
  return "freshline-value-curve 1\n" + points;
}

TEST(ValueCurveTest, IsAStepFunctionOfTheKeysEvents) {
  auto curve = ValueCurve::Parse(
      WithHead("# n j loss\n\n1 1 .5\r\n3\t1 .2\n3 2 .4\n10 1 0\n10 2 .1\n"),
      "c");
  ASSERT_THAT(curve, IsOk());
  EXPECT_EQ(curve->Loss(0, 0), 0);
  EXPECT_EQ(curve->Loss(0, 5), 0);
  EXPECT_EQ(curve->Loss(2, 1), .5);
  EXPECT_EQ(curve->Loss(3, 1), .2);
  EXPECT_EQ(curve->Loss(9, 2), .4);
  EXPECT_EQ(curve->Loss(9, 7), .4);  // beyond the last j
  EXPECT_EQ(curve->Loss(10, 1), 0);
  EXPECT_EQ(curve->Loss(uint64_t{1} << 60, 2), .1);
}

TEST(ValueCurveTest, NeverFallsAsMoreIsMissing) {
  auto curve =
      ValueCurve::Parse(WithHead("1 1 .5\n3 1 .2\n3 2 .4\n7 1 .1\n"), "c");
  ASSERT_THAT(curve, IsOk());
  for (uint64_t n = 0; n < 12; ++n) {
    for (uint64_t j = 0; j < 14; ++j) {
      EXPECT_LE(curve->Loss(n, j), curve->Loss(n, j + 1)) << n << " " << j;
    }
  }
}

TEST(ValueCurveTest, ItsTextReadsBackAsTheSame) {
  auto curve = ValueCurve::Parse(
      WithHead("1 1 0.1\n4 1 0.30000000000000004\n4 2 1e9\n"), "c");
  ASSERT_THAT(curve, IsOk());
  auto again = ValueCurve::Parse(curve->Text(), "again");
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->Text(), curve->Text());
  EXPECT_EQ(again->Loss(5, 1), 0.30000000000000004);
}

TEST(ValueCurveTest, RefusesBadCurvesNamingLineAndRemedy) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {WithHead("1 2 .5\n"),
       "c:2: j is 2 where 1 is next: the curve has a hole"},
      {WithHead("1 1 0\n9 1 .5\n9 3 .6\n"), "c:4: j is 3 where 2 is next"},
      {WithHead("1 1 .5\n1 1 .5\n"), "c:3: j is 1 where 2 is next"},
      {WithHead("1 1 nan\n"), "c:2: loss is nan"},
      {WithHead("1 1 inf\n"), "c:2: loss is inf"},
      {WithHead("1 1 -0.5\n"), "c:2: loss is -0.5"},
      {WithHead("1 1 .5\n1 2 .4\n"), "c:3: loss falls from 0.5 to .4"},
      {WithHead("2 1 .5\n"), "c:2: n is 2: the first n has to be 1"},
      {WithHead("1 1 .5\n9 1 .5\n4 1 .5\n"), "c:4: n falls from 9 to 4"},
      {WithHead("1 1 .5\n1 2 .6\n2 1 .5\n"), "c:4: the lines before reach j"},
      {WithHead("1 1\n"), "c:2: has to hold three numbers"},
      {WithHead("1 1 .5 6\n"), "c:2: has to hold three numbers"},
      {WithHead("1 one .5\n"), "c:2: has to hold three numbers"},
      {WithHead("-1 1 .5\n"), "c:2: has to hold three numbers"},
      {WithHead("# nothing\n"), "a curve has at least one point"},
      {"1 1 .5\n", "c:1: is no value curve"},
      {"", "c:1: is no value curve"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(
        ValueCurve::Parse(text, "c"),
        StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(message)))
        << text;
  }
}

TEST(ValueCurveTest, IsBounded) {
  std::string many_n, many_j;
  for (size_t n = 1; n <= ValueCurve::kBucketsMax + 1; ++n) {
    absl::StrAppend(&many_n, n, " 1 .5\n");
  }
  for (uint32_t j = 1; j <= ValueCurve::kMissingMax + 1; ++j) {
    absl::StrAppend(&many_j, "1 ", j, " .5\n");
  }
  EXPECT_THAT(ValueCurve::Parse(WithHead(many_n), "c"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("at most 64 are allowed")));
  EXPECT_THAT(ValueCurve::Parse(WithHead(many_j), "c"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("at most 64 is allowed")));
}

}  // namespace
}  // namespace freshline::staleness
