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
using base::MonoTime;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr FlowId kFast{0};  // SLO 10 ms
constexpr FlowId kSlow{1};  // SLO 50 ms

Guard::Options OptionsOf(double budget) {
  Guard::Options options;
  options.floor = milliseconds(1);
  options.violation_budget = budget;
  return options;
}

class GuardTest : public ::testing::Test {
 protected:
  // A caller of a flow, with its SLO for budget.
  static Guard::Asker Fast(uint64_t caller = 0) {
    return {kFast, milliseconds(10), caller};
  }
  static Guard::Asker Slow(uint64_t caller = 0) {
    return {kSlow, milliseconds(50), caller};
  }
  Duration Of(const Guard::Asker& asker) { return guard_.Of(asker, now_); }
  void Report(const Guard::Asker& asker, int64_t overhead_us, int times = 1) {
    for (int i = 0; i < times; ++i) guard_.Reported(asker, overhead_us, now_);
  }
  void Overshoot(FlowId flow, std::optional<Duration> by, int times = 1) {
    for (int i = 0; i < times; ++i) guard_.Answered(flow, by, false, now_);
  }
  Guard::FlowState StateOf(FlowId flow) {
    return guard_.States(now_)[base::ToInt(flow)];
  }
  // The medians are taken anew.
  void Later(Duration by = seconds(1)) { now_ += by; }

  static constexpr Duration kSlos[] = {milliseconds(10), milliseconds(50)};
  MonoTime now_{seconds(1000)};
  Guard guard_{OptionsOf(1e-3), kSlos};
};

TEST_F(GuardTest, WhoSaysNothingHasAShareOfTheBudgetOrTheFloor) {
  EXPECT_EQ(Of(Fast()), microseconds(1500));
  EXPECT_EQ(Of(Slow()), microseconds(7500));
  EXPECT_EQ(Of({kSlow, milliseconds(20), 7}), milliseconds(3));
  EXPECT_EQ(Of({kSlow, milliseconds(4), 7}), milliseconds(1));
  // Time beyond the SLO is not time on the way.
  EXPECT_EQ(Of({kSlow, milliseconds(500), 7}), microseconds(7500));
  EXPECT_EQ(Of({FlowId{7}, milliseconds(50), 7}), milliseconds(1));
}

TEST_F(GuardTest, NoBudgetIsTakenWhole) {
  Overshoot(kSlow, milliseconds(15), 1000);
  Report(Slow(7), 20'000, 1000);
  for (const int64_t us : {50'000, 10'000, 1000, 100, 1}) {
    for (const uint64_t caller : {0, 7}) {
      const Duration guard = Of({kSlow, microseconds(us), caller});
      EXPECT_LE(guard, Duration(microseconds(us)) * 4 / 10) << us;
      EXPECT_GE(guard, Duration(microseconds(us)) * 39 / 100) << us;
    }
  }
  EXPECT_EQ(Of({kSlow, Duration(), 7}), Duration());
}

TEST_F(GuardTest, AViolationRaisesItAtOnceAndCalmLowersItSlowly) {
  const Duration calm = Of(Fast());
  guard_.Answered(kFast, milliseconds(3), true, now_);
  EXPECT_GT(Of(Fast()), calm + microseconds(200));
  Overshoot(kFast, std::nullopt, 100);
  EXPECT_GT(Of(Fast()), calm + microseconds(200));
  Overshoot(kFast, microseconds(0), 4000);
  EXPECT_EQ(Of(Fast()), calm);
  EXPECT_EQ(StateOf(kFast).late, 1U);
}

// Whatever the overshoots and the overheads are like: the share of queries for
// which what was kept did not suffice, and a guard within the bounds would
// have, is the budget.
TEST_F(GuardTest, SpendsItsBudget) {
  constexpr Duration kBound = milliseconds(20);  // 40 % of the SLO
  constexpr double kBudget = 0.004;
  constexpr int kQueries = 400'000;
  for (const double sigma : {0.3, 1.0, 1.5}) {
    SCOPED_TRACE(sigma);
    Guard guard(OptionsOf(kBudget), kSlos);
    base::Rng rng(3);
    int overshot = 0;
    int overheard = 0;
    for (int i = 0; i < kQueries; ++i) {
      // It drifts to and fro.
      const double level = 1 + std::sin(i / 30'000.0);
      const Duration overshoot =
          base::FromMicros(80 * level * rng.LogNormal(0, sigma));
      const auto overhead_us =
          static_cast<int64_t>(150 * level * rng.LogNormal(0, sigma));
      const Guard::FlowState state = guard.States(now_)[1];
      if (overshoot > state.overshoot && overshoot <= kBound) ++overshot;
      const Duration overhead = microseconds(overhead_us);
      if (overhead > state.overhead_reported && overhead <= kBound) ++overheard;
      guard.Answered(kSlow, overshoot, false, now_);
      guard.Reported(Slow(7), overhead_us, now_);
    }
    EXPECT_NEAR(overshot, kBudget / 2 * kQueries, 0.2 * kBudget * kQueries);
    EXPECT_NEAR(overheard, kBudget / 2 * kQueries, 0.2 * kBudget * kQueries);
  }
}

TEST_F(GuardTest, ReportsReplaceTheDefaultAndSilenceBringsItBack) {
  Report(Slow(7), 0, 99);
  EXPECT_EQ(Of(Slow(7)), microseconds(7750));
  Report(Slow(7), 0);
  EXPECT_EQ(Of(Slow(7)), microseconds(250));
  Report(Slow(7), 4000, 40);
  EXPECT_GT(Of(Slow(7)), microseconds(4000));
  EXPECT_LT(Of(Slow(7)), microseconds(4600));
  for (int i = 0; i < 10'001; ++i) Of(Slow(8));
  EXPECT_LT(Of(Slow(7)), microseconds(4600));  // not its silence
  for (int i = 0; i < 9'996; ++i) Of(Slow(7));
  EXPECT_LT(Of(Slow(7)), microseconds(4600));
  EXPECT_EQ(Of(Slow(7)), microseconds(7500));
}

// As a library of ours beside one of another language.
TEST_F(GuardTest, OneCallerMovesNoOther) {
  Of(Slow(8));
  Of(Fast(8));
  const Duration slow = Of(Slow(8));
  const Duration fast = Of(Fast(8));
  for (int i = 0; i < 20; ++i) {
    Report(Slow(7), 19'000, 500);
    Later();
    EXPECT_EQ(Of(Slow(8)), slow);
    EXPECT_EQ(Of(Fast(8)), fast);
    EXPECT_EQ(Of(Slow(0)), slow);
  }
  EXPECT_GT(Of(Slow(7)), milliseconds(19));
}

TEST_F(GuardTest, TwoCallersAreNobodysMeasure) {
  Report(Slow(7), 19'000, 1000);
  Report(Slow(8), 19'000, 1000);
  Later();
  EXPECT_EQ(Of(Slow(0)), microseconds(7500));
  EXPECT_EQ(StateOf(kSlow).overhead_silent, microseconds(7500));
  Report(Slow(9), 19'000, 1000);
  Later();
  EXPECT_GT(Of(Slow(0)), milliseconds(19));
}

TEST_F(GuardTest, LongBudgetsMoveNoShortOnes) {
  const Guard::Asker brief{kSlow, milliseconds(10), 7};
  // The same connection, a proxy's say.
  Report(Slow(7), 11'000, 10'000);
  Later();
  EXPECT_EQ(Of(brief), microseconds(1500));
  EXPECT_EQ(Of({kSlow, milliseconds(10), 8}), microseconds(1500));
}

TEST_F(GuardTest, MostCallersMoveTheSilentOnesUpAndNeverDown) {
  for (uint64_t caller = 1; caller <= 5; ++caller) {
    Of(Slow(caller));
    Report(Slow(caller), 12'000, 1000);
  }
  for (uint64_t caller = 11; caller <= 14; ++caller) Of(Slow(caller));
  Later();
  EXPECT_GT(Of(Slow(11)), milliseconds(12));
  EXPECT_LT(Of(Slow(11)), milliseconds(13));
  Of(Slow(15));
  Of(Slow(16));
  Later();
  EXPECT_EQ(Of(Slow(11)), microseconds(7500));  // five of eleven
  for (uint64_t caller = 101; caller <= 150; ++caller) {
    Report(Slow(caller), 100, 1000);
  }
  Later();
  EXPECT_EQ(Of(Slow(11)), microseconds(7500));
}

TEST_F(GuardTest, WhoBeginsToReportIsAsThoseWhoDo) {
  for (uint64_t caller = 1; caller <= 3; ++caller) {
    Report(Slow(caller), 900, 1000);
  }
  Later();
  EXPECT_EQ(Of(Slow(4)), microseconds(7500));
  Report(Slow(4), 300);
  EXPECT_LT(Of(Slow(4)), microseconds(1600));
  EXPECT_GT(Of(Slow(4)), microseconds(1000));
}

TEST_F(GuardTest, AbsurdReportsAreBoundedAndCounted) {
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  for (const int64_t report : {kHuge, kLeast, int64_t{-1}, int64_t{10'001}}) {
    Report(Fast(7), report, 1000);
  }
  EXPECT_EQ(Of(Fast(7)), microseconds(1500));
  EXPECT_EQ(StateOf(kFast).overhead_implausible, 4000U);
  EXPECT_EQ(StateOf(kFast).overhead_reports, 0U);
  // Beyond the share, and just within it.
  Report(Fast(7), 10'000, 1000);
  EXPECT_EQ(StateOf(kFast).overhead_bounded, 1000U);
  Report(Fast(7), 4000, 1000);
  EXPECT_EQ(StateOf(kFast).overhead_bounded, 1000U);
  EXPECT_EQ(StateOf(kFast).overhead_reports, 2000U);
  EXPECT_EQ(Of(Fast(7)), milliseconds(4));
  guard_.Reported({FlowId{9}, milliseconds(10), 7}, 4000, now_);
  // The stored answer was asked for; the report is of an earlier answer.
  guard_.Reported({kFast, Duration(), 7}, 9000, now_);
  EXPECT_EQ(StateOf(kFast).overhead_implausible, 4000U);
}

TEST_F(GuardTest, WhatWasLearnedFadesWithoutTraffic) {
  Report(Slow(7), 12'000, 1000);
  Overshoot(kSlow, milliseconds(5), 1000);
  const Duration learned = Of(Slow(7));
  EXPECT_GT(learned, milliseconds(17));
  Later(seconds(9));
  EXPECT_EQ(Of(Slow(7)), learned);
  Later(seconds(61));
  EXPECT_LT(Of(Slow(7)), learned * 6 / 10);
  EXPECT_LT(StateOf(kSlow).overshoot, milliseconds(3));
  Later(seconds(600));
  EXPECT_LT(Of(Slow(7)), milliseconds(1));
  // And not at once back again.
  Overshoot(kSlow, std::nullopt);
  EXPECT_LT(StateOf(kSlow).overshoot, milliseconds(1));
}

TEST_F(GuardTest, CallersAreBoundedAndThoseThatAskAreKept) {
  Report(Slow(7), 100, 1000);
  for (uint64_t caller = 100; caller < 100 + 10 * Guard::kCallersMax;
       ++caller) {
    Of(Slow(caller));
    if (caller % 8 != 0) continue;
    EXPECT_LT(Of(Slow(7)), milliseconds(1)) << caller;
  }
  const Guard::FlowState state = StateOf(kSlow);
  EXPECT_EQ(state.callers_reporting + state.callers_silent, Guard::kCallersMax);
  EXPECT_EQ(state.callers_reporting, 1U);
}

TEST_F(GuardTest, TheStateIsThatOfMostCallers) {
  Guard::FlowState state = StateOf(kSlow);
  EXPECT_EQ(state.guard, microseconds(7500));
  EXPECT_EQ(state.overhead_silent, microseconds(7500));
  Report(Slow(1), 1000, 1000);
  Report(Slow(2), 1000, 1000);
  Of(Slow(3));
  state = StateOf(kSlow);
  EXPECT_EQ(state.callers_reporting, 2U);
  EXPECT_EQ(state.callers_silent, 1U);
  EXPECT_EQ(state.overhead, state.overhead_reported + microseconds(250));
  EXPECT_EQ(state.guard, state.overhead);
  EXPECT_EQ(state.overhead_silent, microseconds(7500));
}

TEST_F(GuardTest, WhatNoGuardAvertsTeachesNothing) {
  for (int i = 0; i < 1000; ++i) {
    guard_.Answered(kFast, seconds(5), true, now_);
  }
  EXPECT_EQ(Of(Fast()), microseconds(1500));
  EXPECT_EQ(StateOf(kFast).beyond_guard, 1000U);
}

TEST_F(GuardTest, AFloorBeyondTheShareHoldsForTheSloAndShrinksBelowIt) {
  Guard::Options options;
  options.floor = milliseconds(6);
  Guard guard(options, kSlos);
  for (int i = 0; i < 1000; ++i) {
    guard.Answered(kFast, milliseconds(5), true, now_);
  }
  EXPECT_EQ(guard.Of(Fast(), now_), milliseconds(6));
  EXPECT_EQ(guard.Of({kFast, milliseconds(5), 0}, now_), milliseconds(3));
}

}  // namespace
}  // namespace freshline::execute
