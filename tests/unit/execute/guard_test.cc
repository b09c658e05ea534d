// SPDX-License-Identifier: Apache-2.0
#include "execute/guard.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"

namespace freshline::execute {
namespace {

using base::Duration;
using base::FlowId;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr FlowId kFast{0};  // SLO 10 ms
constexpr FlowId kSlow{1};  // SLO 50 ms

Guard MakeGuard(double budget = 1e-3) {
  Guard::Options options;
  options.floor = milliseconds(1);
  options.violation_budget = budget;
  const Duration slos[] = {milliseconds(10), milliseconds(50)};
  return Guard(options, slos);
}

Duration Micros(double us) { return Duration(static_cast<int64_t>(us * 1000)); }

TEST(GuardTest, StartsAtItsFloor) {
  const Guard guard = MakeGuard();
  EXPECT_EQ(guard.Of(kFast), milliseconds(1));
  EXPECT_EQ(guard.Of(FlowId{7}), milliseconds(1));
  EXPECT_EQ(guard.Largest(), milliseconds(1));
}

TEST(GuardTest, AViolationRaisesItAtOnceAndCalmLowersItSlowly) {
  Guard guard = MakeGuard();
  guard.Answered(kFast, milliseconds(3), true);
  const Duration raised = guard.Of(kFast);
  EXPECT_GT(raised, microseconds(1200));
  for (int i = 0; i < 100; ++i) guard.Answered(kFast, {}, false);
  EXPECT_GT(guard.Of(kFast), microseconds(1200));
  for (int i = 0; i < 4000; ++i) guard.Answered(kFast, microseconds(0), false);
  EXPECT_EQ(guard.Of(kFast), milliseconds(1));
  EXPECT_EQ(guard.StateOf(kFast).late, 1U);
}

// Whatever the overshoots and the overheads are like: the share of queries for
// which what was kept did not suffice, and a guard within the bounds would
// have, is the budget.
TEST(GuardTest, SpendsItsBudget) {
  constexpr Duration kBound = milliseconds(20);  // 40 % of the SLO
  constexpr double kBudget = 0.004;
  constexpr int kQueries = 400'000;
  for (const double sigma : {0.3, 1.0, 1.5}) {
    SCOPED_TRACE(sigma);
    Guard guard = MakeGuard(kBudget);
    base::Rng rng(3);
    int overshot = 0;
    int overheard = 0;
    for (int i = 0; i < kQueries; ++i) {
      // It drifts to and fro.
      const double level = 1 + std::sin(i / 30'000.0);
      const Duration overshoot = Micros(80 * level * rng.LogNormal(0, sigma));
      const auto overhead_us =
          static_cast<int64_t>(150 * level * rng.LogNormal(0, sigma));
      const Guard::FlowState state = guard.StateOf(kSlow);
      if (overshoot > state.overshoot && overshoot <= kBound) ++overshot;
      const Duration overhead = microseconds(overhead_us);
      if (overhead > state.overhead && overhead <= kBound) ++overheard;
      guard.Answered(kSlow, overshoot, false);
      guard.Reported(kSlow, overhead_us);
    }
    EXPECT_NEAR(overshot, kBudget / 2 * kQueries, 0.2 * kBudget * kQueries);
    EXPECT_NEAR(overheard, kBudget / 2 * kQueries, 0.2 * kBudget * kQueries);
  }
}

TEST(GuardTest, ReportsReplaceMostOfTheFloorAndSilenceBringsItBack) {
  Guard guard = MakeGuard();
  for (int i = 0; i < 99; ++i) guard.Reported(kSlow, 0);
  EXPECT_EQ(guard.Of(kSlow), milliseconds(1));
  guard.Reported(kSlow, 0);
  EXPECT_EQ(guard.Of(kSlow), microseconds(250));
  for (int i = 0; i < 40; ++i) guard.Reported(kSlow, 4000);
  EXPECT_GT(guard.Of(kSlow), microseconds(4000));
  EXPECT_LT(guard.Of(kSlow), microseconds(4600));
  for (int i = 0; i < 10'001; ++i) guard.Answered(kFast, {}, false);
  EXPECT_GT(guard.Of(kSlow), microseconds(4000));  // not its silence
  Guard silent = MakeGuard();
  for (int i = 0; i < 100; ++i) silent.Reported(kSlow, 0);
  for (int i = 0; i < 10'000; ++i) silent.Answered(kSlow, {}, false);
  EXPECT_EQ(silent.Of(kSlow), microseconds(250));
  silent.Answered(kSlow, {}, false);
  EXPECT_EQ(silent.Of(kSlow), milliseconds(1));
}

TEST(GuardTest, HostileReportsMoveNothingBeyondAShareOfTheirOwnService) {
  Guard guard = MakeGuard();
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  for (const int64_t report : {kHuge, kLeast, int64_t{-1}, int64_t{4001}}) {
    for (int i = 0; i < 1000; ++i) guard.Reported(kFast, report);
  }
  EXPECT_EQ(guard.Of(kFast), milliseconds(1));
  EXPECT_EQ(guard.StateOf(kFast).overhead_implausible, 4000U);
  // The largest that is believed.
  for (int i = 0; i < 100'000; ++i) guard.Reported(kFast, 4000);
  for (int i = 0; i < 1000; ++i) guard.Answered(kFast, milliseconds(4), true);
  EXPECT_EQ(guard.Of(kFast), milliseconds(4));
  EXPECT_EQ(guard.Of(kSlow), milliseconds(1));
  guard.Reported(FlowId{9}, 4000);  // of no service
  EXPECT_EQ(guard.Of(FlowId{9}), milliseconds(1));
}

TEST(GuardTest, WhatNoGuardAvertsTeachesNothing) {
  Guard guard = MakeGuard();
  for (int i = 0; i < 1000; ++i) {
    guard.Answered(kFast, std::chrono::seconds(5), true);
  }
  EXPECT_EQ(guard.Of(kFast), milliseconds(1));
  EXPECT_EQ(guard.StateOf(kFast).beyond_guard, 1000U);
}

TEST(GuardTest, AFloorBeyondTheShareHolds) {
  Guard::Options options;
  options.floor = milliseconds(6);
  const Duration slos[] = {milliseconds(10)};
  Guard guard(options, slos);
  for (int i = 0; i < 1000; ++i) guard.Answered(kFast, milliseconds(5), true);
  EXPECT_EQ(guard.Of(kFast), milliseconds(6));
}

}  // namespace
}  // namespace freshline::execute
