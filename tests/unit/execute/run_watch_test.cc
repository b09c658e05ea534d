// SPDX-License-Identifier: Apache-2.0
#include "execute/run_watch.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "base/random.h"

namespace freshline::execute {
namespace {

using base::Duration;
using base::MonoTime;
using base::WorkerId;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr base::RowId kRow{base::KeyId{7}, base::GroupId{1}};
const MonoTime kBegin{std::chrono::hours(1)};

TEST(RunWatchTest, TheBoundIsAMultipleOfThePredictionWithAFloor) {
  RunWatch watch({10, seconds(2)});
  EXPECT_EQ(watch.NextCheck(), base::kInfiniteFuture);
  watch.Started(WorkerId{0}, base::JobId{1}, {&kRow, 1}, milliseconds(5),
                kBegin);
  watch.Started(WorkerId{2}, base::JobId{2}, {&kRow, 1}, milliseconds(500),
                kBegin);
  EXPECT_EQ(watch.running(), 2U);
  EXPECT_LE(watch.NextCheck(), kBegin + seconds(2));
  EXPECT_FALSE(watch.Hung(kBegin + milliseconds(1999)).has_value());
  EXPECT_EQ(watch.Hung(kBegin + seconds(2)), WorkerId{0});
  const RunWatch::Run& run = watch.Ended(WorkerId{0});
  EXPECT_EQ(run.job, base::JobId{1});
  EXPECT_EQ(run.group, kRow.group);
  EXPECT_EQ(run.predicted_p99, milliseconds(5));
  EXPECT_FALSE(watch.Hung(kBegin + seconds(4)).has_value());
  EXPECT_LE(watch.NextCheck(), kBegin + seconds(5));
  EXPECT_EQ(watch.Hung(kBegin + seconds(5)), WorkerId{2});
}

TEST(RunWatchTest, NoPredictionKeepsAWorkerForEver) {
  RunWatch watch({20, seconds(2)});
  watch.Started(WorkerId{0}, base::JobId{1}, {&kRow, 1}, Duration::max(),
                kBegin);
  EXPECT_FALSE(
      watch.Hung(kBegin + std::chrono::hours(1) - seconds(1)).has_value());
  EXPECT_EQ(watch.Hung(kBegin + std::chrono::hours(1)), WorkerId{0});
}

TEST(RunWatchTest, ARunIsSlowEveryTimeThatItHasTakenTwiceItsPredictionAgain) {
  RunWatch watch({20, seconds(2)});
  watch.Started(WorkerId{0}, base::JobId{1}, {&kRow, 1}, milliseconds(4),
                kBegin);
  watch.Started(WorkerId{1}, base::JobId{2}, {&kRow, 1}, seconds(1), kBegin);
  EXPECT_EQ(watch.NextCheck(), kBegin + milliseconds(8));
  EXPECT_FALSE(watch.Slow(kBegin + milliseconds(7)).has_value());
  EXPECT_EQ(watch.Slow(kBegin + milliseconds(8)), WorkerId{0});
  EXPECT_FALSE(watch.Slow(kBegin + milliseconds(8)).has_value());
  EXPECT_FALSE(watch.Hung(kBegin + milliseconds(8)).has_value());
  EXPECT_EQ(watch.Slow(kBegin + milliseconds(16)), WorkerId{0});
  watch.Ended(WorkerId{0});
  // However long it is predicted to be.
  EXPECT_EQ(watch.Slow(kBegin + milliseconds(20)), WorkerId{1});
}

TEST(RunWatchTest, AgreesWithTheRunsThatAreBeyondTheirBounds) {
  base::Rng rng(5);
  RunWatch watch({20, milliseconds(100)});
  std::vector<std::optional<MonoTime>> hung_at(8);  // the model
  MonoTime now = kBegin;
  for (uint64_t i = 0; i < 5000; ++i) {
    now += base::FromMillis(rng.Exponential(20));
    const auto w = static_cast<uint32_t>(rng.Below(8));
    if (hung_at[w].has_value()) {
      watch.Ended(WorkerId{w});
      hung_at[w].reset();
    } else {
      const Duration p99 = base::FromMillis(rng.Exponential(8));
      watch.Started(WorkerId{w}, base::JobId{i}, {&kRow, 1}, p99, now);
      hung_at[w] = now + std::max<Duration>(milliseconds(100), p99 * 20);
    }
    bool any = false;
    for (const auto& at : hung_at) any |= at.has_value() && *at <= now;
    const auto found = watch.Hung(now);
    ASSERT_EQ(found.has_value(), any) << i;
    for (const auto& at : hung_at) {
      if (!any && at.has_value()) {
        ASSERT_LE(watch.NextCheck(), *at);
      }
    }
    if (found.has_value()) {
      ASSERT_LE(*hung_at[base::ToInt(*found)], now);
    }
  }
}

TEST(RunWatchTest, AStopOfTheProcessIsNoTimeOfARun) {
  RunWatch watch({20, milliseconds(100)});
  watch.Started(WorkerId{0}, base::JobId{1}, {&kRow, 1}, milliseconds(1),
                kBegin);
  watch.Forgive(std::chrono::seconds(5));
  EXPECT_EQ(watch.NextCheck(), kBegin + milliseconds(5005));
  EXPECT_EQ(watch.Slow(kBegin + milliseconds(5005)), WorkerId{0});
  EXPECT_FALSE(watch.Hung(kBegin + milliseconds(5099)).has_value());
  EXPECT_TRUE(watch.Hung(kBegin + milliseconds(5100)).has_value());
  EXPECT_EQ(watch.Ended(WorkerId{0}).started, kBegin);
  watch.Forgive(std::chrono::seconds(5));
  EXPECT_EQ(watch.NextCheck(), base::kInfiniteFuture);
}

}  // namespace
}  // namespace freshline::execute
