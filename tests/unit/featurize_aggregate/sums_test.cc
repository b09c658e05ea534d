// SPDX-License-Identifier: Apache-2.0
// SUM and MEAN against exact arithmetic.
#include "featurize/aggregate/sums.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "tests/unit/featurize_aggregate/aggregate_fixture.h"

namespace freshline::featurize {
namespace {

using Fn = Aggregate::Fn;
using Doubles = std::numeric_limits<double>;
using Ints = std::numeric_limits<int64_t>;

constexpr double kMax = Doubles::max();
constexpr double kTiny = Doubles::denorm_min();

// A sum of doubles without rounding: a two's complement number of 2,240 bits
// that counts the smallest denormals.
class ExactSum {
 public:
  void Add(double x) {
    int exponent = 0;
    const double fraction = std::frexp(std::abs(x), &exponent);
    if (fraction == 0) return;
    // The 53 bits begin at bit `at`; a denormal has zeros below.
    int at = exponent - 53 + 1074;
    auto bits = static_cast<uint64_t>(std::ldexp(fraction, 53));
    for (; at < 0; ++at) bits >>= 1;
    const auto limb = static_cast<size_t>(at / 64);
    const auto wide = static_cast<unsigned __int128>(bits) << (at % 64);
    AddAt(limb, static_cast<uint64_t>(wide), x < 0);
    AddAt(limb + 1, static_cast<uint64_t>(wide >> 64), x < 0);
  }

  // Right to about 2^-52 of itself; may be infinite.
  double Near() const {
    const bool negative = (limbs_.back() >> 63) != 0;
    std::array<uint64_t, kLimbs> size = limbs_;
    if (negative) {
      uint64_t carry = 1;
      for (uint64_t& limb : size) {
        limb = ~limb + carry;
        carry = carry != 0 && limb == 0 ? 1 : 0;
      }
    }
    double near = 0;
    for (size_t i = kLimbs; i-- > 0;) {
      near += std::ldexp(static_cast<double>(size[i]),
                         static_cast<int>(64 * i) - 1074);
    }
    return negative ? -near : near;
  }

 private:
  static constexpr size_t kLimbs = 35;

  void AddAt(size_t limb, uint64_t term, bool negative) {
    for (; term != 0 && limb < kLimbs; ++limb) {
      const uint64_t before = limbs_[limb];
      limbs_[limb] = negative ? before - term : before + term;
      term = (negative ? limbs_[limb] > before : limbs_[limb] < before) ? 1 : 0;
    }
  }

  std::array<uint64_t, kLimbs> limbs_{};
};

// SUM and MEAN of the numbers, as a row gives them.
struct OfFloats {
  explicit OfFloats(const std::vector<double>& numbers) {
    std::vector<Row> rows;
    rows.reserve(numbers.size());
    for (const double x : numbers) {
      rows.push_back({.time_us = kT, .price = x});
    }
    Aggregate sum_of;
    sum_of.fn = Fn::kSum;
    sum_of.column = kPrice;
    Aggregate mean_of = sum_of;
    mean_of.fn = Fn::kMean;
    const Events events(rows);
    const Computed computed({sum_of, mean_of}, {events.View(), kT});
    EXPECT_TRUE(computed.ok());
    status = computed.row().status(0);
    if (status == ValueStatus::kPresent) sum = computed.row().Float64(0);
    EXPECT_EQ(computed.row().status(1), ValueStatus::kPresent);
    mean = computed.row().Float64(1);
  }
  ValueStatus status;
  double sum = 0;
  double mean = 0;
};

TEST(SumsTest, NothingIsLostToLargeNumbersThatCancel) {
  EXPECT_EQ(OfFloats({1e16, 1, -1e16}).sum, 1);
  EXPECT_EQ(OfFloats({1, 1e100, 1, -1e100}).sum, 2);
  EXPECT_EQ(OfFloats(std::vector<double>(10, .1)).sum, 1);
  EXPECT_EQ(OfFloats(std::vector<double>(3, .1)).mean, .1);
}

TEST(SumsTest, ASumIsFiniteWhereItsPartialSumsAreNot) {
  EXPECT_EQ(OfFloats({kMax, kMax, -kMax}).sum, kMax);
  EXPECT_EQ(OfFloats({-kMax, -kMax, kMax, kMax, 1}).sum, 1);
  EXPECT_EQ(OfFloats({kMax, kMax / 2, -kMax}).sum, kMax / 2);
}

TEST(SumsTest, ASumBeyondTheDoublesIsAnErrorAndItsMeanIsNot) {
  const OfFloats both({kMax, kMax});
  EXPECT_EQ(both.status, ValueStatus::kError);
  EXPECT_EQ(both.mean, kMax);
  const OfFloats many(std::vector<double>(5000, -kMax));
  EXPECT_EQ(many.status, ValueStatus::kError);
  EXPECT_EQ(many.mean, -kMax);
  EXPECT_EQ(OfFloats({kMax, kMax, kMax, 0}).mean, kMax * .75);
}

TEST(SumsTest, TheSmallestNumbersCount) {
  EXPECT_EQ(OfFloats({kTiny, kTiny, kTiny}).sum, 3 * kTiny);
  EXPECT_EQ(OfFloats({kTiny, kTiny, kTiny}).mean, kTiny);
  EXPECT_EQ(OfFloats({1, kTiny, -1}).sum, kTiny);
  EXPECT_EQ(OfFloats({-0.0}).sum, 0);
}

std::vector<double> AnyNumbers(base::Rng* rng) {
  std::vector<double> numbers(1 + rng->Below(60));
  const uint64_t kind = rng->Below(5);
  for (double& x : numbers) {
    const double fraction = rng->Uniform() * 2 - 1;
    const double extremes[] = {kMax,  -kMax, kMax / 3, Doubles::min(),
                               kTiny, -0.0,  1,        -1e16};
    switch (kind) {
      case 0:  // prices
        x = std::round(fraction * 1e6) / 100;
        break;
      case 1:  // of every size
        x = std::ldexp(fraction, static_cast<int>(rng->Below(2090)) - 1070);
        break;
      case 2:  // large
        x = kMax * fraction;
        break;
      case 3:  // denormal
        x = std::round(fraction * 1e6) * kTiny;
        break;
      default:
        x = extremes[rng->Below(std::size(extremes))];
    }
  }
  // Most of it cancels.
  if (rng->Chance(.5)) {
    const size_t half = numbers.size() / 2;
    for (size_t i = 0; i < half; ++i) numbers[half + i] = -numbers[i];
  }
  return numbers;
}

TEST(SumsTest, AgreesWithExactArithmetic) {
  base::Rng rng(18);
  for (int round = 0; round < 20'000; ++round) {
    SCOPED_TRACE(testing::Message() << "round " << round);
    const std::vector<double> numbers = AnyNumbers(&rng);
    const auto n = static_cast<double>(numbers.size());
    const OfFloats got(numbers);
    ExactSum exact;
    ExactSum size;
    for (const double x : numbers) {
      exact.Add(x);
      size.Add(std::abs(x) * 0x1p-106);
    }
    const double near = exact.Near();
    const double slack =
        Doubles::epsilon() * std::abs(near) + n * n * size.Near() + kTiny;
    if (std::abs(near) < kMax * (1 - 1e-12)) {
      ASSERT_EQ(got.status, ValueStatus::kPresent);
      exact.Add(-got.sum);
      ASSERT_LE(std::abs(exact.Near()), slack);
    } else if (std::isinf(near)) {
      ASSERT_EQ(got.status, ValueStatus::kError);
    }
    const auto [least, most] =
        std::minmax_element(numbers.begin(), numbers.end());
    ASSERT_GE(got.mean, *least);
    ASSERT_LE(got.mean, *most);
    if (got.status == ValueStatus::kPresent) {
      ASSERT_LE(std::abs(got.mean - got.sum / n),
                Doubles::epsilon() * std::abs(got.sum / n) + kTiny);
    }
  }
}

__int128 Size(__int128 x) { return x < 0 ? -x : x; }

TEST(SumsTest, TheMeanOfIntegersIsTheNearestDouble) {
  base::Rng rng(64);
  for (int round = 0; round < 200'000; ++round) {
    const uint64_t count = 1 + (rng.Next() >> (40 + rng.Below(24)));
    __int128 sum = static_cast<int64_t>(rng.Next());
    sum = sum * static_cast<__int128>(1 + rng.Below(count));
    sum >>= rng.Below(80);
    const double mean = MeanOf(sum, count);
    int exponent = 0;
    const auto bits =
        static_cast<int64_t>(std::ldexp(std::frexp(mean, &exponent), 53));
    const int below = 53 - exponent;  // mean = bits * 2^-below
    const __int128 whole = below < 0 ? __int128{1} << -below : 1;
    const __int128 parts = sum == 0 || below < 0 ? 1 : __int128{1} << below;
    const __int128 wrong = sum * parts - bits * whole * __int128{count};
    ASSERT_LE(2 * Size(wrong), whole * __int128{count})
        << "round " << round << ": " << mean;
  }
}

TEST(SumsTest, TheMeanOfTheLargestIntegersIsOneOfThem) {
  EXPECT_EQ(MeanOf(__int128{Ints::min()} * 4096, 4096),
            static_cast<double>(Ints::min()));
  EXPECT_EQ(MeanOf(__int128{Ints::max()} * 4096, 4096),
            static_cast<double>(Ints::max()));
  EXPECT_EQ(MeanOf(0, 3), 0);
  EXPECT_EQ(MeanOf(-1, 3), -1.0 / 3);
  EXPECT_EQ(MeanOf(1, uint64_t{1} << 63), 0x1p-63);
}

}  // namespace
}  // namespace freshline::featurize
