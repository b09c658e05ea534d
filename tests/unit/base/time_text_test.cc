// SPDX-License-Identifier: Apache-2.0
#include "base/time_text.h"

#include <gmock/gmock.h>

#include "base/random.h"
#include "tests/support/status_matchers.h"

namespace freshline::base {
namespace {

using test::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int64_t kOctober = 1'569'888'000'000'000;  // 2019-10-01 00:00 UTC

TEST(ParseTimeTest, ReadsWhatOtherToolsWrite) {
  for (const char* text :
       {"2019-10-01", "2019-10-01 00:00", "2019-10-01 00:00:00",
        "2019-10-01 00:00:00 UTC", "2019-10-01 00:00:00 GMT",
        "2019-10-01T00:00:00Z", "2019-10-01t00:00:00z",
        "2019-10-01T00:00:00.000Z", "2019-10-01 00:00:00.000000000",
        "2019-10-01 00:00:00+00", "2019-10-01 00:00:00+00:00",
        "2019-10-01T02:00:00.000+02:00", "2019-09-30T18:30:00-0530",
        "2019-10-01 02:00:00 +0200", "2019-10-01 00:00:00,000",
        "1569888000000000", "+1569888000000000"}) {
    const auto time = ParseTime(text);
    ASSERT_TRUE(time.ok()) << time.status();
    EXPECT_EQ(*time, kOctober) << text;
  }
  EXPECT_EQ(*ParseTime("2019-10-01 00:00:00.5 UTC"), kOctober + 500'000);
  EXPECT_EQ(*ParseTime("2019-10-01 00:00:00.1234569"), kOctober + 123'456);
  EXPECT_EQ(*ParseTime("1969-12-31T23:59:59.999999Z"), -1);
  EXPECT_EQ(*ParseTime("0001-01-01"), -62'135'596'800'000'000);
}

TEST(ParseTimeTest, NumbersCountWhatTheyAreSaidToCount) {
  EXPECT_EQ(*ParseTime("1569888000", TimeUnit::kSeconds), kOctober);
  EXPECT_EQ(*ParseTime("1569888000.25", TimeUnit::kSeconds),
            kOctober + 250'000);
  EXPECT_EQ(*ParseTime("1569888000000", TimeUnit::kMillis), kOctober);
  EXPECT_EQ(*ParseTime("1569888000000000999", TimeUnit::kNanos), kOctober);
  EXPECT_EQ(*ParseTime("-1", TimeUnit::kNanos), -1);
  EXPECT_EQ(*ParseTime("-1.5", TimeUnit::kMillis), -1500);
  // What is written as a date has no unit.
  EXPECT_EQ(*ParseTime("2019-10-01", TimeUnit::kSeconds), kOctober);
  EXPECT_EQ(ParseTimeUnit("ms"), TimeUnit::kMillis);
  EXPECT_EQ(ParseTimeUnit("m"), std::nullopt);
}

TEST(ParseTimeTest, RefusesTheRestByName) {
  for (const char* text : {"",
                           " ",
                           "noon",
                           "2019",
                           "2019-13-01",
                           "2019-02-29",
                           "2019-00-01",
                           "2019-10-01X",
                           "2019-10-01 24:00:00",
                           "2019-10-01 00:60:00",
                           "2019-10-01 00:00:60",
                           "2019-10-01 00:00:00.",
                           "2019-10-01 0:00:00",
                           "2019-10-01 00:00:00.1234567891",
                           "2019-10-01 00:00:00 CEST",
                           "2019-10-01 00:00:00 Europe/Berlin",
                           "2019-10-01 00:00:00+2",
                           "2019-10-01 00:00:00+02:",
                           "2019-10-01 00:00:00+99",
                           "01/10/2019 00:00",
                           "10/1/19",
                           "1.10.2019",
                           "x019-10-01",
                           "2019-10-01 00:00:00 UTC x",
                           "1e15",
                           "0x10",
                           "5.",
                           "-"}) {
    if (std::string(text) == "2019") continue;  // a number of microseconds
    EXPECT_THAT(ParseTime(text),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr(text), HasSubstr("is no time"))))
        << text;
  }
  EXPECT_THAT(ParseTime("99999999999999999999"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("range")));
  EXPECT_THAT(ParseTime("9999999999999999999999999999999999999999999999"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("range")));
  EXPECT_EQ(*ParseTime("9223372036854775807"), 9223372036854775807);
}

TEST(FormatTimeTest, ReadsBack) {
  EXPECT_EQ(FormatTime(kOctober), "2019-10-01 00:00:00 UTC");
  EXPECT_EQ(FormatTime(-1), "1969-12-31 23:59:59 UTC");
  Rng rng(7);
  for (int i = 0; i < 10'000; ++i) {
    const auto time = static_cast<int64_t>(rng.Below(4'000'000'000)) *
                      1'000'000 * (i % 2 == 0 ? 1 : -1);
    ASSERT_EQ(*ParseTime(FormatTime(time)), time);
  }
}

}  // namespace
}  // namespace freshline::base
