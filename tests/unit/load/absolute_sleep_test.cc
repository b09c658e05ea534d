// SPDX-License-Identifier: Apache-2.0
#include "bench/load/absolute_sleep.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace freshline::bench {
namespace {

TEST(SleepUntilTest, NeverReturnsEarly) {
  const base::Clock& clock = base::Clock::Real();
  for (int us : {0, 1, 50, 300}) {
    const base::MonoTime until = clock.Now() + std::chrono::microseconds(us);
    SleepUntil(until);
    EXPECT_GE(clock.Now(), until);
  }
}

TEST(SleepUntilTest, ATimeThatIsPastDoesNotWait) {
  const base::Clock& clock = base::Clock::Real();
  const base::MonoTime before = clock.Now();
  SleepUntil(before - std::chrono::hours(1));
  EXPECT_LT(clock.Now() - before, std::chrono::seconds(1));
}

TEST(SleepUntilTest, ReturnsWhenToldToStop) {
  const base::Clock& clock = base::Clock::Real();
  const std::atomic<bool> stop{true};
  const base::MonoTime before = clock.Now();
  SleepUntil(before + std::chrono::hours(1), &stop);
  EXPECT_LT(clock.Now() - before, std::chrono::seconds(10));
}

}  // namespace
}  // namespace freshline::bench
