// SPDX-License-Identifier: Apache-2.0
#include "client/overhead_meter.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace freshline::client {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

TEST(OverheadMeterTest, TellsTheMostOnce) {
  OverheadMeter meter;
  EXPECT_FALSE(meter.TakeMicros().has_value());
  meter.Answered(milliseconds(5), 4000);
  meter.Answered(milliseconds(9), 6000);
  meter.Answered(milliseconds(2), 1900);
  EXPECT_EQ(meter.TakeMicros(), 3000);
  EXPECT_FALSE(meter.TakeMicros().has_value());
  meter.Answered(milliseconds(2), 1900);
  EXPECT_EQ(meter.TakeMicros(), 100);
}

TEST(OverheadMeterTest, BelievesNoServerThatClaimsMoreThanThereWas) {
  OverheadMeter meter;
  meter.Answered(milliseconds(1), 5000);
  EXPECT_EQ(meter.TakeMicros(), 0);
  meter.Answered(milliseconds(1), 0);  // an older server
  meter.Answered(milliseconds(1), -5);
  EXPECT_FALSE(meter.TakeMicros().has_value());
}

TEST(OverheadMeterTest, LosesNoMaximumBetweenThreads) {
  for (int round = 0; round < 50; ++round) {
    OverheadMeter meter;
    std::vector<std::thread> threads;
    for (int t = 1; t <= 3; ++t) {
      threads.emplace_back([&meter, t] {
        for (int i = 1; i <= 100; ++i) {
          meter.Answered(microseconds(1 + 100 * t + i), 1);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(meter.TakeMicros(), 400);
  }
}

}  // namespace
}  // namespace freshline::client
