// SPDX-License-Identifier: Apache-2.0
#include "base/duration_text.h"

#include <string>

#include "base/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace freshline::base {
namespace {

using ::freshline::test::IsOk;
using ::freshline::test::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int64_t kMicrosMax = 100LL * 366 * 86'400'000'000;

Duration Micros(int64_t us) { return std::chrono::microseconds(us); }

TEST(DurationTextTest, ReadsEveryUnitAndTheirSums) {
  const struct {
    const char* text;
    int64_t micros;
  } kCases[] = {{"14d", 14 * 86'400'000'000},
                {"30m", 1'800'000'000},
                {"1h30m", 5'400'000'000},
                {"250ms", 250'000},
                {"10us", 10},
                {"90s", 90'000'000},
                {"0s", 0},
                {"007s", 7'000'000},
                {"1s1s", 2'000'000},
                {"1ms1d", 86'400'001'000}};
  for (const auto& c : kCases) {
    const auto parsed = ParseDuration(c.text);
    ASSERT_THAT(parsed, IsOk()) << c.text;
    EXPECT_EQ(*parsed, Micros(c.micros)) << c.text;
  }
}

TEST(DurationTextTest, NamesTheTextAndTheUnitsThatAreKnown) {
  for (const std::string text : {"",
                                 "5",
                                 "d",
                                 "5x",
                                 "5 s",
                                 " 5s",
                                 "5s ",
                                 "-5s",
                                 "+5s",
                                 "1.5h",
                                 "5S",
                                 "5sec",
                                 "s5",
                                 "5s5",
                                 "1h-30m",
                                 "99999999999999999999s",
                                 "36601d",
                                 "36600d1us",
                                 "18446744073709551617us",
                                 "9223372036854775807d"}) {
    EXPECT_THAT(ParseDuration(text),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         AllOf(HasSubstr("\"" + text + "\""),
                               HasSubstr("d, h, m, s, ms or us"))))
        << text;
  }
  EXPECT_THAT(ParseDuration("36600d"), IsOk());
}

TEST(DurationTextTest, ReadsBackWhatItWrote) {
  for (uint64_t seed = 1; seed <= 2000; ++seed) {
    Rng rng(seed);
    // Any magnitude, so that every unit is met alone and in sums.
    const auto bound = static_cast<uint64_t>(kMicrosMax) >> rng.Below(56);
    const Duration duration =
        Micros(static_cast<int64_t>(rng.Below(bound + 1)));
    const std::string text = FormatDuration(duration);
    const auto parsed = ParseDuration(text);
    ASSERT_THAT(parsed, IsOk()) << "seed " << seed << ": " << text;
    ASSERT_EQ(*parsed, duration) << "seed " << seed << ": " << text;
    // Largest unit first, none twice: writing again changes nothing.
    ASSERT_EQ(FormatDuration(*parsed), text) << "seed " << seed;
  }
}

TEST(DurationTextTest, WritesTheShortestText) {
  EXPECT_EQ(FormatDuration(Micros(0)), "0s");
  EXPECT_EQ(FormatDuration(Micros(14 * 86'400'000'000)), "14d");
  EXPECT_EQ(FormatDuration(Micros(5'400'000'000)), "1h30m");
  EXPECT_EQ(FormatDuration(Micros(1'000'001)), "1s1us");
}

TEST(DurationTextTest, GarbageIsRefusedOrMeansWhatItsRewritingMeans) {
  const std::string alphabet = "0123456789dhmsu .-x\n";
  for (uint64_t seed = 1; seed <= 5000; ++seed) {
    Rng rng(seed);
    std::string text;
    for (uint64_t n = rng.Below(12); n > 0; --n) {
      text += alphabet[rng.Below(alphabet.size())];
    }
    const auto parsed = ParseDuration(text);
    if (!parsed.ok()) {
      ASSERT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
      continue;
    }
    ASSERT_GE(*parsed, Duration::zero()) << "seed " << seed << ": " << text;
    ASSERT_LE(*parsed, Micros(kMicrosMax)) << "seed " << seed << ": " << text;
    const auto again = ParseDuration(FormatDuration(*parsed));
    ASSERT_THAT(again, IsOk()) << "seed " << seed << ": " << text;
    ASSERT_EQ(*again, *parsed) << "seed " << seed << ": " << text;
  }
}

}  // namespace
}  // namespace freshline::base
