// SPDX-License-Identifier: Apache-2.0
#include "schedule/density_price.h"

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace freshline::schedule {
namespace {

using base::Duration;
using base::FromMillis;
using base::MonoTime;

constexpr MonoTime kStart{std::chrono::hours(1)};

// Offers work of `load` times what two workers can do, of densities uniform
// in [0, 1), for ten seconds.
MonoTime Offer(DensityPrice* price, double load, double scale, uint64_t seed) {
  base::Rng rng(seed);
  const Duration work = FromMillis(3);
  const double per_second = load * 2 / 0.003;
  double at = 0;
  while (at < 10) {
    at += rng.Exponential(1 / per_second);
    price->Offer(scale * rng.Uniform(), work, kStart + FromMillis(at * 1e3));
  }
  const MonoTime now = kStart + FromMillis(at * 1e3);
  price->Refresh(2, now);
  return now;
}

TEST(DensityPriceTest, IsNothingWhileEverythingFits) {
  DensityPrice price(std::chrono::seconds(1));
  price.Refresh(2, kStart);
  EXPECT_EQ(price.price(), 0);
  Offer(&price, 0.8, 1, 1);
  EXPECT_EQ(price.price(), 0);
}

TEST(DensityPriceTest, IsTheDensityAtWhichTheBestWorkFillsTheWorkers) {
  for (const double load : {1.5, 2.0, 3.0, 10.0}) {
    for (const double scale : {1e-9, 1.0, 1e6}) {
      SCOPED_TRACE(testing::Message() << "load " << load << " x " << scale);
      DensityPrice price(std::chrono::seconds(1));
      Offer(&price, load, scale, 7);
      const double exact = scale * (1 - 1 / load);
      EXPECT_LE(price.price(), exact * 1.1);
      EXPECT_GE(price.price(), exact * 0.7);
    }
  }
}

TEST(DensityPriceTest, FallsWhenTheOverloadIsOver) {
  DensityPrice price(std::chrono::seconds(1));
  const MonoTime now = Offer(&price, 5, 1, 3);
  EXPECT_GT(price.price(), 0.5);
  price.Refresh(2, now + std::chrono::seconds(3));
  EXPECT_EQ(price.price(), 0);
  // Far beyond the range of its weights.
  price.Offer(1, FromMillis(3), now + std::chrono::hours(1000));
  price.Refresh(2, now + std::chrono::hours(1000));
  EXPECT_EQ(price.price(), 0);
}

TEST(DensityPriceTest, TakesEveryDensity) {
  DensityPrice price(std::chrono::seconds(1));
  for (const double density : {0.0, -1.0, 1e-300, 1e300}) {
    price.Offer(density, std::chrono::seconds(10), kStart);
  }
  price.Refresh(1, kStart);
  EXPECT_GT(price.price(), 0);
}

}  // namespace
}  // namespace freshline::schedule
