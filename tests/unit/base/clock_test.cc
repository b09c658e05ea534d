// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"

#include "gtest/gtest.h"
#include "tests/support/fake_clock.h"

namespace freshline::base {
namespace {

TEST(ClockTest, RealTimeNeverGoesBack) {
  const Clock& clock = Clock::Real();
  MonoTime last = clock.Now();
  for (int i = 0; i < 10'000; ++i) {
    const MonoTime now = clock.Now();
    ASSERT_GE(now, last);
    last = now;
  }
  EXPECT_GT(last, MonoTime());
}

TEST(ClockTest, WallTimeIsInMicrosecondsSince1970) {
  // Between 2020 and 2100: milliseconds or nanoseconds would be far outside.
  const UnixMicros now = Clock::Real().WallNowMicros();
  EXPECT_GT(now, 1'577'836'800'000'000);
  EXPECT_LT(now, 4'102'444'800'000'000);
}

TEST(ClockTest, AFakeOneMovesOnlyWhenTold) {
  test::FakeClock clock;
  const MonoTime begin = clock.Now();
  const UnixMicros wall = clock.WallNowMicros();
  EXPECT_EQ(clock.Now(), begin);
  clock.Advance(std::chrono::milliseconds(3));
  EXPECT_EQ(clock.Now() - begin, std::chrono::milliseconds(3));
  EXPECT_EQ(clock.WallNowMicros() - wall, 3000);
  clock.JumpWall(-std::chrono::hours(1));
  EXPECT_EQ(clock.Now() - begin, std::chrono::milliseconds(3));
  EXPECT_LT(clock.WallNowMicros(), wall);
  clock.AdvanceTo(begin);
  EXPECT_EQ(clock.Now() - begin, std::chrono::milliseconds(3));
}

}  // namespace
}  // namespace freshline::base
