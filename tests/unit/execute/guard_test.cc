// SPDX-License-Identifier: Apache-2.0
#include "execute/guard.h"

#include <gtest/gtest.h>

namespace freshline::execute {
namespace {

using base::Duration;
using std::chrono::microseconds;
using std::chrono::milliseconds;

Guard::Options SmallWindow() {
  return {milliseconds(1), milliseconds(20), /*window=*/1024};
}

TEST(GuardTest, StartsAtItsFloor) {
  const Guard guard(SmallWindow());
  EXPECT_EQ(guard.Current(), milliseconds(1));
}

TEST(GuardTest, AddsTheOvershootThatOneInAThousandExceeds) {
  Guard guard(SmallWindow());
  for (int i = 0; i < 1024; ++i) {
    guard.Observe(i % 100 == 0 ? milliseconds(3) : microseconds(50));
  }
  EXPECT_GE(guard.overshoot(), milliseconds(3));
  EXPECT_LT(guard.overshoot(), microseconds(3100));
  EXPECT_EQ(guard.Current(), milliseconds(1) + guard.overshoot());
}

TEST(GuardTest, ForgetsABadTimeAfterTwoWindows) {
  Guard guard(SmallWindow());
  for (int i = 0; i < 1024; ++i) guard.Observe(milliseconds(9));
  EXPECT_GE(guard.overshoot(), milliseconds(9));
  for (int i = 0; i < 3 * 1024; ++i) guard.Observe(microseconds(10));
  EXPECT_LT(guard.overshoot(), microseconds(11));
}

TEST(GuardTest, NeverGrowsBeyondItsCap) {
  Guard guard(SmallWindow());
  for (int i = 0; i < 1024; ++i) guard.Observe(std::chrono::seconds(5));
  EXPECT_EQ(guard.overshoot(), milliseconds(20));
}

}  // namespace
}  // namespace freshline::execute
