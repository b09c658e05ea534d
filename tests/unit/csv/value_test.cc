// SPDX-License-Identifier: Apache-2.0
#include "csv/value.h"

#include <gmock/gmock.h>

#include <limits>

#include "tests/support/status_matchers.h"

namespace freshline::csv {
namespace {

using base::TimeUnit;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

auto Refused(const char* what, const char* remedy) {
  return StatusIs(absl::StatusCode::kInvalidArgument,
                  AllOf(HasSubstr(what), HasSubstr(remedy)));
}

TEST(PlainValueTest, NullIsEmptyHoweverItIsWritten) {
  for (const char* text :
       {"", " ", "\t", "NULL", "null", "\\N", "NA", "N/A", "nan", "NaN", "NaT",
        "None", "nil", "<NA>", "#N/A", " NULL "}) {
    EXPECT_EQ(PlainValue(text), "") << text;
  }
  EXPECT_EQ(PlainValue(" 4.5\t"), "4.5");
  EXPECT_EQ(PlainValue("nul"), "nul");
  EXPECT_EQ(PlainValue("NULLS"), "NULLS");
  EXPECT_EQ(PlainValue("0"), "0");
}

TEST(ParseEventTimeTest, ReadsDatesAndNumbersOfTheUnit) {
  constexpr int64_t kOctober = 1'569'888'000'000'000;
  EXPECT_EQ(*ParseEventTime("2019-10-01", TimeUnit::kMicros), kOctober);
  EXPECT_EQ(*ParseEventTime(" 2019-10-01 00:00:00 UTC ", TimeUnit::kNanos),
            kOctober);
  EXPECT_EQ(*ParseEventTime("1569888000.5", TimeUnit::kSeconds),
            kOctober + 500'000);
  EXPECT_EQ(*ParseEventTime("1569888000000", TimeUnit::kMillis), kOctober);
  EXPECT_EQ(*ParseEventTime("1569888000000000", TimeUnit::kMicros), kOctober);
  EXPECT_EQ(*ParseEventTime("1569888000000000000", TimeUnit::kNanos), kOctober);
  EXPECT_EQ(*ParseEventTime("1970-01-02", TimeUnit::kMicros, kOctober),
            kOctober + 86'400'000'000);
}

TEST(ParseEventTimeTest, ATimeOfAnotherUnitIsRefusedAndTheUnitNamed) {
  for (const TimeUnit given : {TimeUnit::kSeconds, TimeUnit::kMillis,
                               TimeUnit::kMicros, TimeUnit::kNanos}) {
    const auto check = [&](const char* text, TimeUnit meant, const char* flag) {
      if (given == meant) return;
      EXPECT_THAT(ParseEventTime(text, given), Refused("1973", flag)) << text;
    };
    check("1569888000", TimeUnit::kSeconds, "--time-unit s");
    check("1569888000.0", TimeUnit::kSeconds, "--time-unit s");
    check("1569888000000", TimeUnit::kMillis, "--time-unit ms");
    check("1569888000000000", TimeUnit::kMicros, "--time-unit us");
  }
  EXPECT_THAT(ParseEventTime("1569888000000000000", TimeUnit::kMicros),
              Refused("1973", "--time-unit ns"));
}

TEST(ParseEventTimeTest, NoOtherTimeIsTakenEither) {
  for (const char* text : {"0", "-5", "7", "99999999999999"}) {
    EXPECT_THAT(ParseEventTime(text, TimeUnit::kMicros),
                Refused(text, "--time-unit"))
        << text;
  }
  for (const char* text : {"0001-01-01", "9999-01-01 00:00:00 UTC"}) {
    EXPECT_THAT(ParseEventTime(text, TimeUnit::kMicros),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr(text), HasSubstr("1973"),
                               Not(HasSubstr("--time-unit")))));
  }
  for (const char* text : {"", "NULL", "noon"}) {
    EXPECT_THAT(ParseEventTime(text, TimeUnit::kMicros),
                Refused("no time", "2019-10-01"));
  }
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_THAT(ParseEventTime("2019-10-01", TimeUnit::kMicros, kMost),
              Refused("1973", "shifted"));
}

}  // namespace
}  // namespace freshline::csv
