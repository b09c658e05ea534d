// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"

#include "gtest/gtest.h"

namespace freshline::base {
namespace {

TEST(TimeTest, ConvertsToAndFromFractions) {
  EXPECT_EQ(FromMillis(1.5), std::chrono::microseconds(1500));
  EXPECT_EQ(FromMicros(0.25), std::chrono::nanoseconds(250));
  EXPECT_EQ(ToMillis(std::chrono::microseconds(250)), 0.25);
  EXPECT_EQ(ToMicros(std::chrono::nanoseconds(1500)), 1.5);
  EXPECT_EQ(ToMillis(FromMillis(-2)), -2);
}

TEST(TimeTest, TheInfiniteFutureIsLaterThanEveryDeadline) {
  EXPECT_GT(kInfiniteFuture, MonoTime(std::chrono::hours(24 * 365 * 200)));
  EXPECT_LT(kInfinitePast, MonoTime());
}

}  // namespace
}  // namespace freshline::base
