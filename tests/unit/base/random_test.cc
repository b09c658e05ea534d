// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace freshline::base {
namespace {

using ::testing::ElementsAre;

constexpr int kDraws = 100'000;

struct Moments {
  double mean = 0;
  double variance = 0;
};

Moments MomentsOf(const std::function<double()>& draw) {
  double sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = draw();
    sum += x;
    squares += x * x;
  }
  const double mean = sum / kDraws;
  return {mean, squares / kDraws - mean * mean};
}

// A seed means the same trace for ever. The values are from an implementation
// of the published algorithms in another language.
TEST(RngTest, DrawsAreTheSameOnEveryMachine) {
  Rng rng(42);
  EXPECT_THAT((std::vector<uint64_t>{rng.Next(), rng.Next(), rng.Next()}),
              ElementsAre(6667968346354703667ULL, 16249806489848801414ULL,
                          11489548399102462488ULL));
  EXPECT_EQ(rng.Below(1000), 901);
  EXPECT_EQ(rng.Uniform(), 0x1.2fe673447bf1cp-3);
  EXPECT_THAT((std::vector<uint64_t>{MixBits(0), MixBits(1)}),
              ElementsAre(0xe220a8397b1dcdafULL, 0x910a2dec89025cc1ULL));
}

TEST(RngTest, EqualSeedsAgreeAndOthersDiffer) {
  Rng a(7), b(7), c(8);
  int same = 0;
  for (int i = 0; i < 1000; ++i) {
    const uint64_t draw = a.Next();
    ASSERT_EQ(draw, b.Next());
    same += draw == c.Next() ? 1 : 0;
  }
  EXPECT_EQ(same, 0);
}

TEST(RngTest, SeedZeroIsAsGoodAsAny) {
  Rng rng(0);
  const Moments moments = MomentsOf([&] { return rng.Uniform(); });
  EXPECT_NEAR(moments.mean, 0.5, 0.005);
}

TEST(RngTest, BelowIsUniformAndStaysBelow) {
  for (const uint64_t n : {1ULL, 2ULL, 7ULL, 100ULL}) {
    Rng rng(n);
    std::vector<int> counts(n, 0);
    for (int i = 0; i < kDraws; ++i) {
      const uint64_t draw = rng.Below(n);
      ASSERT_LT(draw, n);
      ++counts[draw];
    }
    // Chi-squared with n - 1 degrees of freedom; the bound is 6 sigma.
    double chi = 0;
    const double expected =
        static_cast<double>(kDraws) / static_cast<double>(n);
    for (const int count : counts) {
      chi += (count - expected) * (count - expected) / expected;
    }
    const auto freedom = static_cast<double>(n - 1);
    EXPECT_LE(chi, freedom + 6 * std::sqrt(2 * freedom)) << n;
  }
  Rng rng(3);
  EXPECT_LT(rng.Below(UINT64_MAX), UINT64_MAX);
}

TEST(RngTest, DistributionsHaveTheirMoments) {
  Rng rng(11);
  const struct {
    const char* name;
    std::function<double()> draw;
    double mean, variance;
  } kCases[] = {
      {"uniform", [&] { return rng.Uniform(); }, 0.5, 1.0 / 12},
      {"exponential", [&] { return rng.Exponential(3); }, 3, 9},
      {"normal", [&] { return rng.Normal(); }, 0, 1},
      {"lognormal", [&] { return rng.LogNormal(0, 0.5); }, std::exp(0.125),
       std::exp(0.25) * (std::exp(0.25) - 1)},
      {"chance", [&] { return rng.Chance(0.3) ? 1.0 : 0.0; }, 0.3, 0.21},
      {"geometric", [&] { return static_cast<double>(rng.Geometric(0.25)); }, 3,
       12}};
  for (const auto& c : kCases) {
    const Moments moments = MomentsOf(c.draw);
    const double sigma = std::sqrt(c.variance / kDraws);
    EXPECT_NEAR(moments.mean, c.mean, 6 * sigma) << c.name;
    EXPECT_NEAR(moments.variance, c.variance, 0.06 * c.variance) << c.name;
  }
}

TEST(RngTest, UniformNeverReachesOne) {
  Rng rng(5);
  for (int i = 0; i < kDraws; ++i) {
    const double x = rng.Uniform();
    ASSERT_GE(x, 0);
    ASSERT_LT(x, 1);
  }
}

TEST(MixBitsTest, EveryInputBitReachesEveryOutputBit) {
  Rng rng(1);
  for (int bit = 0; bit < 64; ++bit) {
    uint64_t changed = 0;
    for (int i = 0; i < 200; ++i) {
      const uint64_t x = rng.Next();
      changed |= MixBits(x) ^ MixBits(x ^ (1ULL << bit));
    }
    EXPECT_EQ(changed, ~uint64_t{0}) << "input bit " << bit;
  }
}

}  // namespace
}  // namespace freshline::base
