// SPDX-License-Identifier: Apache-2.0
#include "log/rate_limit.h"

#include <gtest/gtest.h>

namespace freshline::log {
namespace {

constexpr base::MonoTime At(int64_t ms) {
  return base::MonoTime(std::chrono::seconds(1000) +
                        std::chrono::milliseconds(ms));
}

TEST(RateLimitTest, ABurstAndThenSoManyASecond) {
  RateLimit limit(/*burst=*/3, /*per_second=*/2);
  int taken = 0;
  for (int i = 0; i < 100; ++i) taken += limit.Take(At(0));
  EXPECT_EQ(taken, 3);
  EXPECT_FALSE(limit.Take(At(499)));
  EXPECT_TRUE(limit.Take(At(500)));
  EXPECT_FALSE(limit.Take(At(500)));
}

TEST(RateLimitTest, ALongPauseFillsNoMoreThanABurst) {
  RateLimit limit(3, 2);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limit.Take(At(0)));
  int taken = 0;
  for (int i = 0; i < 100; ++i) taken += limit.Take(At(3'600'000));
  EXPECT_EQ(taken, 3);
}

}  // namespace
}  // namespace freshline::log
