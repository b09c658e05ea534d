// SPDX-License-Identifier: Apache-2.0
#include "schedule/background_gate.h"

#include "base/random.h"
#include "gtest/gtest.h"

namespace freshline::schedule {
namespace {

using base::FromMillis;
using base::MonoTime;

constexpr MonoTime kStart{std::chrono::hours(1)};

// Arrivals every `gap_ms` for ten seconds.
MonoTime Feed(BackgroundGate* gate, double gap_ms) {
  MonoTime now = kStart;
  for (double ms = 0; ms < 10'000; ms += gap_ms) {
    now = kStart + FromMillis(ms);
    gate->Arrived(now);
  }
  return now;
}

TEST(BackgroundGateTest, MeasuresTheRateAndForgetsIt) {
  BackgroundGate gate(0.3);
  const MonoTime now = Feed(&gate, 5);
  EXPECT_NEAR(gate.Rate(now), 200, 5);
  EXPECT_LT(gate.Rate(now + std::chrono::seconds(8)), 0.2);
}

TEST(BackgroundGateTest, IsOpenWhenNothingArrives) {
  const BackgroundGate gate(0.01);
  EXPECT_TRUE(gate.MayRun(FromMillis(1000), 0, kStart));
}

TEST(BackgroundGateTest, ClosesByTheChanceOfArrivalsDuringTheRun) {
  BackgroundGate gate(0.1);
  const MonoTime now = Feed(&gate, 10);  // 100/s
  // One worker, 1 ms: 1 - exp(-0.1) = 0.095.
  EXPECT_TRUE(gate.MayRun(FromMillis(0.9), 0, now));
  EXPECT_FALSE(gate.MayRun(FromMillis(2), 0, now));
  // A second worker stays free: P(two or more in 4 ms) = 0.06.
  EXPECT_TRUE(gate.MayRun(FromMillis(4), 1, now));
  EXPECT_FALSE(gate.MayRun(FromMillis(10), 1, now));
  EXPECT_TRUE(gate.MayRun(FromMillis(10), 3, now));
}

}  // namespace
}  // namespace freshline::schedule
