// SPDX-License-Identifier: Apache-2.0
#include "schedule/recent_offers.h"

#include <gtest/gtest.h>

#include <cmath>

namespace freshline::schedule {
namespace {

using base::FromMillis;

constexpr base::RowId kRow{base::KeyId{1}, base::GroupId{0}};
constexpr base::MonoTime kStart{std::chrono::hours(1)};

TEST(RecentOffersTest, AskedAgainItIsTheSameWork) {
  RecentOffers offers(std::chrono::seconds(1));
  EXPECT_EQ(offers.Renew(kRow, 5, kStart), 1);
  EXPECT_EQ(offers.Renew(kRow, 5, kStart), 0);
  // However often: together what would have been forgotten meanwhile.
  double sum = 0;
  for (int ms = 2; ms <= 1000; ms += 2) {
    sum =
        sum * std::exp(-0.002) + offers.Renew(kRow, 5, kStart + FromMillis(ms));
  }
  EXPECT_NEAR(sum + std::exp(-1), 1, 1e-9);
}

TEST(RecentOffersTest, NewEventsAndOtherRowsAreMoreWork) {
  RecentOffers offers(std::chrono::seconds(1));
  EXPECT_EQ(offers.Renew(kRow, 5, kStart), 1);
  EXPECT_EQ(offers.Renew(kRow, 6, kStart), 1);
  EXPECT_EQ(offers.Renew({base::KeyId{1}, base::GroupId{1}}, 6, kStart), 1);
  EXPECT_EQ(offers.Renew({base::KeyId{2}, base::GroupId{0}}, 6, kStart), 1);
  EXPECT_EQ(offers.Renew(kRow, 6, kStart), 0);
}

TEST(RecentOffersTest, WhatWasDoneIsWantedAnew) {
  RecentOffers offers(std::chrono::seconds(1));
  EXPECT_EQ(offers.Renew(kRow, 5, kStart), 1);
  offers.Done({base::KeyId{2}, base::GroupId{0}});
  EXPECT_EQ(offers.Renew(kRow, 5, kStart), 0);
  offers.Done(kRow);
  EXPECT_EQ(offers.Renew(kRow, 5, kStart), 1);
}

TEST(RecentOffersTest, IsBounded) {
  RecentOffers offers(std::chrono::seconds(1));
  for (uint64_t key = 0; key < 100'000; ++key) {
    EXPECT_EQ(offers.Renew({base::KeyId{key}, base::GroupId{0}}, 1, kStart), 1);
  }
  EXPECT_EQ(offers.Renew({base::KeyId{99'999}, base::GroupId{0}}, 1, kStart),
            0);
}

}  // namespace
}  // namespace freshline::schedule
