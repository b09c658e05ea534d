// SPDX-License-Identifier: Apache-2.0
// Queries of many rows, and rows that time changes.

#include "tests/unit/serve/feature_server_harness.h"

namespace freshline::serve {
namespace {

using base::Obtained;
using ingest::ColumnInput;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using ::testing::HasSubstr;
using ::testing::Optional;

constexpr base::UnixMicros kRetentionUs = int64_t{30} * 86'400 * 1'000'000;

// 100 rows of a predicted 150 us each are more than the caller's thread may do.
TEST_F(FeatureServerTest, CheapRowsBeyondTheCallersThreadAreFannedOut) {
  const std::vector<int64_t> users = Users(100);
  costs_.Set(base::GroupId{1}, 1, microseconds(150));
  Outcome outcome;
  Get({.service = "quick_only", .click = false, .users = users}, &outcome);
  EXPECT_EQ(fan_out_.posted, 1);
  ASSERT_TRUE(outcome.answer.has_value());
  for (uint32_t row = 0; row < 100; ++row) {
    ASSERT_EQ(outcome.How(0, row), Obtained::kComputedInline) << row;
    ASSERT_EQ(outcome.Int(0, row), 1) << row;
  }
  EXPECT_FALSE(outcome.ticket.has_value());
}

// 0 asks for the stored answer, and of what is made anew nothing is stored.
TEST_F(FeatureServerTest, ABudgetOfZeroStillMakesCheapRows) {
  const std::vector<int64_t> users = Users(100);
  Outcome outcome;
  Get({.service = "quick_only", .click = false, .budget_us = 0, .users = users},
      &outcome);
  ASSERT_TRUE(outcome.answer.has_value());
  for (uint32_t row = 0; row < 100; ++row) {
    ASSERT_EQ(outcome.How(0, row), Obtained::kComputedInline) << row;
  }
}

// What was given up for want of time is refreshed once nothing is due, and the
// next query finds it.
TEST_F(FeatureServerTest, ARowThatTimeDidNotSufficeForIsFreshTheNextTime) {
  const std::vector<int64_t> users = Users(100);
  costs_.Set(base::GroupId{1}, 1, microseconds(150));
  fan_out_at_once_ = false;
  Outcome late;
  Get({.service = "quick_only", .click = false, .users = users}, &late);
  EXPECT_FALSE(late.answer.has_value());
  clock_.Advance(milliseconds(31));
  fan_out_.RunAll();
  ASSERT_TRUE(late.answer.has_value());
  EXPECT_EQ(late.How(0, 0), Obtained::kComputedInline);
  EXPECT_EQ(late.How(0, 99), Obtained::kDefaultCold);

  fan_out_.RunIdle();
  fan_out_.full = true;  // so that nothing but what is stored can answer
  Outcome again;
  Get({.service = "quick_only", .click = false, .users = {users[99]}}, &again);
  ASSERT_TRUE(again.answer.has_value());
  EXPECT_EQ(again.How(0), Obtained::kAlreadyFresh);
  EXPECT_EQ(again.Int(0), 1);
}

// Storing pays where making a row costs several times as much.
TEST_F(FeatureServerTest, WhatCostsMuchToMakeAnewIsKeptAndWhatCostsLittleNot) {
  const std::vector<int64_t> users = Users(2);
  for (const auto& [cost, then] :
       {std::pair(nanoseconds(300), Obtained::kComputedInline),
        std::pair(nanoseconds(9000), Obtained::kAlreadyFresh)}) {
    costs_.Set(base::GroupId{1}, 1, cost);
    for (const Obtained how : {Obtained::kComputedInline, then}) {
      Outcome outcome;
      Get({.service = "quick_only", .click = false, .users = users}, &outcome);
      ASSERT_TRUE(outcome.answer.has_value());
      EXPECT_EQ(outcome.How(0, 0), how);
      EXPECT_EQ(outcome.How(0, 1), how);
      EXPECT_EQ(outcome.Int(0), 1);
    }
  }
}

TEST_F(FeatureServerTest, AFullFanOutLosesNoQuery) {
  const std::vector<int64_t> users = Users(100);
  costs_.Set(base::GroupId{1}, 1, microseconds(150));
  fan_out_.full = true;
  Outcome outcome;
  Get({.service = "quick_only", .click = false, .users = users}, &outcome);
  ASSERT_TRUE(outcome.answer.has_value());
  EXPECT_EQ(outcome.How(0, 0), Obtained::kComputedInline);
  EXPECT_EQ(outcome.How(0, 99), Obtained::kDefaultCold);
}

TEST_F(FeatureServerTest, EveryStaleRowOfALargeQueryIsOneForTheScheduler) {
  const std::vector<int64_t> users = Users(100);
  Outcome outcome;
  EXPECT_TRUE(
      Get({.click = false, .budget_us = 290'000, .users = users}, &outcome)
          .has_value());
  for (int i = 0; i < 100 && !outcome.answer.has_value(); ++i) {
    dispatcher_->Step();
    if (!pool_.running(0)) continue;
    clock_.Advance(microseconds(100));
    pool_.Finish(0, microseconds(100));
  }
  dispatcher_->Step();
  RunFor(milliseconds(290));
  ASSERT_TRUE(outcome.answer.has_value());
  size_t refreshed = 0;
  for (uint32_t row = 0; row < 100; ++row) {
    refreshed += outcome.How(0, row) == Obtained::kRefreshed ? 1 : 0;
  }
  // All that fitted into the time as it was predicted at first, 3 ms a row.
  EXPECT_GE(refreshed, 90U);
}

TEST_F(FeatureServerTest, WhoeverGoesAwayWhileRowsAreMadeIsNotWaitedFor) {
  Outcome outcome;
  outcome.wanted = false;
  Get({}, &outcome);
  ASSERT_TRUE(outcome.error.has_value());
  EXPECT_EQ(outcome.error->code(), absl::StatusCode::kCancelled);
  dispatcher_->Step();
  EXPECT_EQ(dispatcher_->Stats().policy.tickets_waiting, 0U);
}

// A window empties without an event: the row is as stale as with one.
TEST_F(FeatureServerTest, ARowThatTimeHasChangedIsStale) {
  slow_->holds_us = 5'000'000;
  Outcome first;
  Get({}, &first);
  dispatcher_->Step();
  pool_.Finish(0, milliseconds(3));
  dispatcher_->Step();
  ASSERT_EQ(first.How(0), Obtained::kRefreshed);
  const base::UnixMicros until = first.answer->freshness(0, 0).holds_until_us;
  EXPECT_GT(until, clock_.WallNowMicros());

  clock_.Advance(microseconds(until - clock_.WallNowMicros() - 1));
  Outcome held;
  EXPECT_FALSE(Get({.click = false}, &held).has_value());
  EXPECT_EQ(held.How(0), Obtained::kAlreadyFresh);
  EXPECT_EQ(held.answer->freshness(0, 0).holds_until_us, until);

  clock_.Advance(microseconds(1));
  Outcome acceptable;  // a pending event would be, and this is no worse
  EXPECT_FALSE(
      Get({.click = false, .max_pending = 1}, &acceptable).has_value());
  EXPECT_EQ(acceptable.How(0), Obtained::kAlreadyFresh);
  EXPECT_EQ(acceptable.answer->freshness(0, 0).holds_until_us, until);
  Outcome stale;
  EXPECT_TRUE(Get({.click = false, .max_pending = 0}, &stale).has_value());
  dispatcher_->Step();
  ASSERT_TRUE(pool_.running(0));  // it has a gain, though nothing is pending
  pool_.Finish(0, milliseconds(3));
  dispatcher_->Step();
  ASSERT_TRUE(stale.answer.has_value());
  EXPECT_EQ(stale.How(0), Obtained::kRefreshed);
  EXPECT_GT(stale.answer->freshness(0, 0).holds_until_us, until);
}

// The key lives on through what other sources hold, or until it is swept.
TEST_F(FeatureServerTest, ARowIsStaleOnceTheRetentionHasEndedItsEvents) {
  Outcome first;
  Get({}, &first);
  dispatcher_->Step();
  pool_.Finish(0, milliseconds(3));
  dispatcher_->Step();
  ASSERT_EQ(first.Int(0), 1);
  const base::UnixMicros until = first.answer->freshness(0, 0).holds_until_us;
  EXPECT_LE(until, clock_.WallNowMicros() + kRetentionUs);

  clock_.Advance(microseconds(until - clock_.WallNowMicros()));
  Outcome later;
  EXPECT_TRUE(Get({.click = false}, &later).has_value());
  dispatcher_->Step();
  ASSERT_TRUE(pool_.running(0));
  pool_.Finish(0, milliseconds(3));
  dispatcher_->Step();
  ASSERT_TRUE(later.answer.has_value());
  EXPECT_EQ(later.How(0), Obtained::kRefreshed);
  EXPECT_EQ(later.Int(0), 0);
  EXPECT_EQ(later.answer->freshness(0, 0).holds_until_us, table::kHoldsForEver);
}

}  // namespace
}  // namespace freshline::serve
