// SPDX-License-Identifier: Apache-2.0
#include "bench/load/stall_watcher.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "bench/load/absolute_sleep.h"

namespace freshline::bench {
namespace {

using std::chrono::milliseconds;

base::MonoTime At(int ms) { return base::MonoTime(milliseconds(ms)); }

TEST(StallDetectorTest, KeepsWhatIsLateByMoreThanTheThreshold) {
  StallDetector detector;
  detector.Observe(At(10), At(10));
  detector.Observe(At(20), At(25));
  detector.Observe(At(30), At(36));
  detector.Observe(At(40), At(60));
  ASSERT_EQ(detector.count(), 2u);
  EXPECT_EQ(detector.stalls()[0].start, At(30));
  EXPECT_EQ(detector.stalls()[0].length, milliseconds(6));
  EXPECT_EQ(detector.longest(), milliseconds(20));
}

TEST(StallDetectorTest, IsBoundedAndCountsTheRest) {
  StallDetector detector;
  for (size_t i = 0; i < StallDetector::kStallsMax + 5; ++i) {
    detector.Observe(At(0), At(6));
  }
  EXPECT_EQ(detector.stalls().size(), StallDetector::kStallsMax);
  EXPECT_EQ(detector.count(), StallDetector::kStallsMax + 5);
}

TEST(StallWatcherTest, WhatItReportsLiesWithinItsLife) {
  const base::Clock& clock = base::Clock::Real();
  const base::MonoTime began = clock.Now();
  StallWatcher watcher;
  SleepUntil(clock.Now() + milliseconds(10));
  const StallDetector seen = watcher.Stop();
  const base::MonoTime ended = clock.Now();
  for (const Stall& stall : seen.stalls()) {
    EXPECT_GE(stall.start, began);
    EXPECT_LE(stall.start + stall.length, ended);
    EXPECT_GT(stall.length, milliseconds(5));
  }
  EXPECT_LE(seen.longest(), ended - began);
}

}  // namespace
}  // namespace freshline::bench
