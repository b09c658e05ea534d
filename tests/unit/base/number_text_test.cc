// SPDX-License-Identifier: Apache-2.0
#include "base/number_text.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <limits>

#include "base/random.h"

namespace freshline::base {
namespace {

TEST(ShortestTextTest, IsShortAndReadsBack) {
  EXPECT_EQ(ShortestText(1234567.75), "1234567.75");
  EXPECT_EQ(ShortestText(0.1), "0.1");
  EXPECT_EQ(ShortestText(0.1F), "0.1");
  EXPECT_EQ(ShortestText(100.0), "100");
  EXPECT_EQ(ShortestText(1e300), "1e+300");
  EXPECT_EQ(ShortestText(5e-324), "5e-324");
  EXPECT_EQ(ShortestText(std::numeric_limits<double>::quiet_NaN()), "nan");
  Rng rng(3);
  for (int i = 0; i < 10'000; ++i) {
    const uint64_t bits = rng.Next();
    double value = 0;
    std::memcpy(&value, &bits, sizeof(value));
    if (value != value) continue;
    EXPECT_EQ(std::strtod(ShortestText(value).c_str(), nullptr), value);
  }
}

TEST(ParseWholeNumberTest, TakesWholeNumbersInEveryForm) {
  EXPECT_EQ(ParseWholeNumber("42"), 42);
  EXPECT_EQ(ParseWholeNumber("+42"), 42);
  EXPECT_EQ(ParseWholeNumber("-7"), -7);
  EXPECT_EQ(ParseWholeNumber("0017"), 17);
  EXPECT_EQ(ParseWholeNumber("10.0"), 10);
  EXPECT_EQ(ParseWholeNumber("10."), 10);
  EXPECT_EQ(ParseWholeNumber("1e3"), 1000);
  EXPECT_EQ(ParseWholeNumber("1E+3"), 1000);
  EXPECT_EQ(ParseWholeNumber("12.50e1"), 125);
  EXPECT_EQ(ParseWholeNumber("1200e-2"), 12);
  EXPECT_EQ(ParseWholeNumber("-0.0"), 0);
  EXPECT_EQ(ParseWholeNumber("0e999999"), 0);
  EXPECT_EQ(ParseWholeNumber("9007199254740993.0"), 9007199254740993);
  EXPECT_EQ(ParseWholeNumber("9223372036854775807"), 9223372036854775807);
  EXPECT_EQ(ParseWholeNumber("-9223372036854775808"),
            std::numeric_limits<int64_t>::min());
}

TEST(ParseWholeNumberTest, RefusesWhatIsNotWholeOrTooLarge) {
  for (const char* text : {"",
                           "-",
                           "+",
                           ".",
                           "e3",
                           "10.5",
                           "1e-1",
                           "1,000",
                           "1 000",
                           "0x10",
                           "1e",
                           "1e+",
                           "1e+-3",
                           "--1",
                           "9223372036854775808",
                           "-9223372036854775809",
                           "1e19",
                           "1e999999999999999999999",
                           "nan",
                           "inf",
                           " 1",
                           "1 "}) {
    EXPECT_EQ(ParseWholeNumber(text), std::nullopt) << text;
  }
}

TEST(ParseFiniteNumberTest, TakesDecimalNumbersOnly) {
  EXPECT_EQ(ParseFiniteNumber("10"), 10);
  EXPECT_EQ(ParseFiniteNumber("+4.5"), 4.5);
  EXPECT_EQ(ParseFiniteNumber(".5"), 0.5);
  EXPECT_EQ(ParseFiniteNumber("-1e3"), -1000);
  EXPECT_EQ(ParseFiniteNumber("1e-400"), 0);
  for (const char* text : {"", "+", "+-1", "nan", "inf", "-inf", "1e400", "1,5",
                           "0x1p3", "4.5 ", "4.5x"}) {
    EXPECT_EQ(ParseFiniteNumber(text), std::nullopt) << text;
  }
}

TEST(ParseTruthTest, TakesWhatOtherToolsWrite) {
  for (const char* text : {"true", "True", "TRUE", "t", "yes", "Y", "1"}) {
    EXPECT_EQ(ParseTruth(text), true) << text;
  }
  for (const char* text : {"false", "False", "F", "no", "n", "0"}) {
    EXPECT_EQ(ParseTruth(text), false) << text;
  }
  for (const char* text : {"", "2", "on", "truth"}) {
    EXPECT_EQ(ParseTruth(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace freshline::base
