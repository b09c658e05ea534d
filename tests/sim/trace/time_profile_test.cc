// SPDX-License-Identifier: Apache-2.0
#include "bench/sim/trace/time_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

using base::Duration;
using base::FromMillis;
using ::testing::HasSubstr;

constexpr char kHeader[] =
    "freshline-times 1\nsource profile\nfunction next_items\n"
    "table_rows 1000\nkernel portable\nworkers 2\ncpu_share 0.5\n";

TimeProfile SomeProfile(uint64_t seed) {
  base::Rng rng(seed);
  TimeProfile profile;
  profile.source = rng.Chance(0.5) ? "profile" : "recorded";
  profile.function = "next_items";
  profile.table_rows = rng.Below(1'000'000);
  profile.kernel = "avx2";
  profile.workers = 1 + static_cast<uint32_t>(rng.Below(8));
  profile.cpu_share = static_cast<double>(1 + rng.Below(64)) / 64;
  const uint64_t overheads = rng.Below(20);
  for (uint64_t i = 0; i < overheads; ++i) {
    profile.overheads.push_back(FromMillis(0.1 * static_cast<double>(i)));
  }
  for (uint32_t batch = 1; batch <= 16; batch *= 4) {
    for (uint32_t scans = 1; scans <= 4; ++scans) {
      std::vector<Duration>& times = profile.times[{scans, batch}];
      const uint64_t count = 1 + rng.Below(50);
      for (uint64_t i = 0; i < count; ++i) {
        times.push_back(
            FromMillis((scans + rng.Uniform()) * (0.5 + 0.5 * batch)));
      }
    }
  }
  return profile;
}

base::JobShape Scans(uint32_t scans) { return {base::GroupId{0}, 8, scans}; }

TEST(TimeProfileTest, ComesBackFromItsFile) {
  const std::string path =
      ::testing::TempDir() + "freshline_profile/some/times.txt";
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const TimeProfile profile = SomeProfile(seed);
    ASSERT_THAT(SaveProfile(profile, path), test::IsOk());
    const auto loaded = LoadProfile(path);
    ASSERT_THAT(loaded, test::IsOk());
    EXPECT_EQ(*loaded, profile);
    EXPECT_EQ(loaded->batch_max(), 16U);
  }
  std::filesystem::remove_all(::testing::TempDir() + "freshline_profile");
}

TEST(TimeProfileTest, SaysWhichLineIsWrongAndWhy) {
  const std::string header = kHeader;
  const struct {
    std::string text;
    const char* says;
  } cases[] = {
      {"", "no line \"freshline-times\""},
      {"event_time,event_type\n", "f:1: no file of run times"},
      {"freshline-times 2\n", "f:1: version \"2\" is not 1"},
      {"freshline-times 1\nsource guess\n", "f:2: source \"guess\""},
      {"freshline-times 1\nsource profile\nsource profile\n",
       "f:3: \"source\" was given before"},
      {"freshline-times 1\nworkers 0\n", "workers \"0\""},
      {"freshline-times 1\nworkers -1\n", "workers \"-1\""},
      {"freshline-times 1\ncpu_share 0\n", "cpu_share \"0\""},
      {"freshline-times 1\ncpu_share 1.01\n", "cpu_share \"1.01\""},
      {"freshline-times 1\ncpu_share nan\n", "cpu_share \"nan\""},
      {"freshline-times 1\nworkers\n", "takes one value, there are 0"},
      {"freshline-times 1\ncolour red\n", "unknown word \"colour\""},
      {"freshline-times 1\ntimes 1 1 5\n", "no line \"source\""},
      {header, "no times of a batch of 1"},
      {header + "times 1 2 500\n", "no times of a batch of 1"},
      {header + "times 1 1\n", "f:8: \"times\" takes"},
      {header + "times 17 1 500\n", "scans \"17\""},
      {header + "times 1 0 500\n", "batch \"0\""},
      {header + "times 1 65 500\n", "batch \"65\""},
      {header + "times 1 1 0\n", "time \"0\""},
      {header + "times 1 1 500 nan\n", "time \"nan\""},
      {header + "times 1 1 500 1e3\n", "time \"1e3\""},
      {header + "times 1 1 -500\n", "time \"-500\""},
      {header + "times 1 1 60000000001\n", "time \"60000000001\""},
      {header + "times 1 1 99999999999999999999999\n", "is not a number"},
      {header + "times 1 1 500\ntimes 1 1 600\n",
       "f:9: times of 1 scans in batches of 1 were given before"},
  };
  for (const auto& c : cases) {
    const auto parsed = ParseProfile(c.text, "f");
    ASSERT_FALSE(parsed.ok()) << c.text;
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(parsed.status().message()), HasSubstr(c.says))
        << c.text;
  }
  std::string many = header + "times 1 1";
  for (size_t i = 0; i <= TimeProfile::kTimesMax; ++i) many += " 5";
  EXPECT_THAT(ParseProfile(many, "f"),
              test::StatusIs(absl::StatusCode::kInvalidArgument, ::testing::_));
  EXPECT_THAT(
      LoadProfile("/nonexistent/times"),
      test::StatusIs(absl::StatusCode::kNotFound, HasSubstr("/nonexistent")));
}

// Whatever a file holds: an error, or a profile that can be drawn from.
TEST(TimeProfileTest, SurvivesDamage) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Rng rng(seed);
    std::string text = FormatProfile(SomeProfile(seed));
    for (int i = 0; i < 3; ++i) {
      const size_t at = rng.Below(text.size());
      switch (rng.Below(3)) {
        case 0:
          text[at] = static_cast<char>(rng.Below(256));
          break;
        case 1:
          text.erase(at, rng.Below(200));
          break;
        default:
          text.insert(at, text.substr(rng.Below(text.size()), 30));
          break;
      }
    }
    const auto parsed = ParseProfile(text, "f");
    if (!parsed.ok()) continue;
    const ProfiledTimes times(*parsed);
    for (uint32_t batch = 1; batch <= 20; ++batch) {
      ASSERT_GT(times.Sample(Scans(batch % 6), batch, seed, {}).time.count(),
                0);
    }
  }
}

TEST(TimeProfileTest, SkipsCommentsAndBlankLines) {
  EXPECT_THAT(ParseProfile(std::string("# by hand\n\n") + kHeader +
                               "\n# one\ntimes 1 1 500\n",
                           "f"),
              test::IsOk());
}

TEST(ProfiledTimesTest, DrawsTheDistributionOfItsSize) {
  const TimeProfile profile = SomeProfile(7);
  const ProfiledTimes times(profile);
  for (const auto& [size, timed] : profile.times) {
    const auto [low, high] = std::minmax_element(timed.begin(), timed.end());
    double sum_ms = 0;
    constexpr uint64_t kDraws = 4000;
    for (uint64_t i = 0; i < kDraws; ++i) {
      const SimRun run = times.Sample(Scans(size.first), size.second,
                                      base::MixBits(i), FromMillis(5));
      EXPECT_TRUE(run.ok);
      ASSERT_GE(run.time, *low);
      ASSERT_LE(run.time, *high);
      sum_ms += base::ToMillis(run.time);
    }
    const double mean_ms = base::ToMillis(times.Mean(size.first, size.second));
    EXPECT_NEAR(sum_ms / kDraws, mean_ms, 0.1 * mean_ms);
  }
  EXPECT_EQ(times.Sample(Scans(2), 1, 42, {}).time,
            times.Sample(Scans(2), 1, 42, FromMillis(99)).time);
}

TEST(ProfiledTimesTest, FillsWhatWasNeverTimed) {
  TimeProfile profile;
  profile.times[{2, 1}] = {FromMillis(4)};
  profile.times[{2, 4}] = {FromMillis(10)};
  const ProfiledTimes times(profile);
  EXPECT_EQ(times.Mean(2, 1), FromMillis(4));
  EXPECT_EQ(times.Mean(4, 1), FromMillis(8));
  EXPECT_EQ(times.Mean(1, 1), FromMillis(2));
  EXPECT_EQ(times.Mean(0, 1), FromMillis(2));
  EXPECT_EQ(times.Mean(2, 2), FromMillis(6));
  EXPECT_EQ(times.Mean(2, 8), FromMillis(20));
  EXPECT_EQ(times.Sample(Scans(2), 3, 1, {}).time, FromMillis(8));
  EXPECT_EQ(times.Sample(Scans(99), 1, 1, {}).time, FromMillis(32));
}

}  // namespace
}  // namespace freshline::bench
