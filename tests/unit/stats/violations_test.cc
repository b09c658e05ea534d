// SPDX-License-Identifier: Apache-2.0
#include "bench/stats/violations.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace freshline::bench {
namespace {

// P(X <= k) of a binomial, term by term: another way to the same number.
double BinomialAtMost(uint64_t k, uint64_t n, double p) {
  double sum = 0;
  const auto trials = static_cast<double>(n);
  for (uint64_t i = 0; i <= k; ++i) {
    const auto x = static_cast<double>(i);
    sum += std::exp(std::lgamma(trials + 1) - std::lgamma(x + 1) -
                    std::lgamma(trials - x + 1) + x * std::log(p) +
                    (trials - x) * std::log1p(-p));
  }
  return sum;
}

TEST(RegularizedIncompleteBetaTest, AgreesWithClosedForms) {
  for (double x : {0.0, 0.1, 0.5, 0.9, 1.0}) {
    EXPECT_NEAR(RegularizedIncompleteBeta(1, 1, x), x, 1e-13);
    EXPECT_NEAR(RegularizedIncompleteBeta(2, 1, x), x * x, 1e-13);
    EXPECT_NEAR(RegularizedIncompleteBeta(1, 3, x), 1 - std::pow(1 - x, 3),
                1e-13);
    EXPECT_NEAR(RegularizedIncompleteBeta(0.5, 0.5, x),
                2 / M_PI * std::asin(std::sqrt(x)), 1e-12);
  }
}

TEST(RegularizedIncompleteBetaTest, IsSymmetricAndMonotonic) {
  const uint64_t seed = 3;
  base::Rng rng(seed);
  for (int i = 0; i < 1000; ++i) {
    const double a = rng.Uniform() * 200 + 0.01;
    const double b = rng.Uniform() * 200 + 0.01;
    const double x = rng.Uniform();
    const double y = x + (1 - x) * rng.Uniform();
    EXPECT_NEAR(RegularizedIncompleteBeta(a, b, x),
                1 - RegularizedIncompleteBeta(b, a, 1 - x), 1e-10)
        << "seed " << seed << " a " << a << " b " << b << " x " << x;
    EXPECT_LE(RegularizedIncompleteBeta(a, b, x),
              RegularizedIncompleteBeta(a, b, y) + 1e-12)
        << "seed " << seed << " a " << a << " b " << b << " x " << x;
  }
}

TEST(ClopperPearsonUpperTest, KnownValues) {
  // With no success, 1 - alpha^(1/n): the rule of three.
  EXPECT_NEAR(ClopperPearsonUpper(0, 10'000), 1 - std::pow(0.05, 1e-4), 1e-14);
  EXPECT_NEAR(ClopperPearsonUpper(0, 10'000), 2.9952e-4, 1e-8);
  // The upper end of the two-sided 95 % intervals that tables print.
  EXPECT_NEAR(ClopperPearsonUpper(5, 100, 0.975), 0.1128349, 1e-7);
  EXPECT_NEAR(ClopperPearsonUpper(1, 10, 0.975), 0.4450161, 1e-7);
  EXPECT_EQ(ClopperPearsonUpper(7, 7), 1);
  EXPECT_EQ(ClopperPearsonUpper(0, 0), 1);
}

TEST(ClopperPearsonUpperTest, LeavesExactlyTheChanceOfFewer) {
  const uint64_t seed = 17;
  base::Rng rng(seed);
  for (int i = 0; i < 200; ++i) {
    const uint64_t n = 1 + rng.Below(i % 2 == 0 ? 100 : 500'000);
    const uint64_t k = rng.Below(std::min<uint64_t>(n, 200));
    const double upper = ClopperPearsonUpper(k, n);
    EXPECT_GT(upper, static_cast<double>(k) / static_cast<double>(n));
    EXPECT_NEAR(BinomialAtMost(k, n, upper), 0.05, 1e-6)
        << "seed " << seed << " k " << k << " n " << n;
  }
}

std::vector<base::MonoTime> AtMillis(std::initializer_list<int> times) {
  std::vector<base::MonoTime> result;
  for (int ms : times) {
    result.push_back(base::MonoTime(std::chrono::milliseconds(ms)));
  }
  return result;
}

TEST(SummarizeViolationsTest, MergesWhatIsLessThanAGapApart) {
  // 0 50 140 | 240 | 1000 1001: 100 ms apart is another episode.
  const ViolationSummary summary =
      SummarizeViolations(1000, AtMillis({1000, 0, 140, 240, 50, 1001}));
  EXPECT_EQ(summary.violations, 6u);
  EXPECT_EQ(summary.episodes, 3u);
  EXPECT_DOUBLE_EQ(summary.rate, 0.006);
  EXPECT_DOUBLE_EQ(summary.upper95, ClopperPearsonUpper(6, 1000));
}

TEST(SummarizeViolationsTest, NothingSeenIsNothingKnown) {
  const ViolationSummary summary = SummarizeViolations(0, {});
  EXPECT_EQ(summary.episodes, 0u);
  EXPECT_EQ(summary.rate, 0);
  EXPECT_EQ(summary.upper95, 1);
}

TEST(SummarizeViolationsTest, PoolsCountsAndBoundsThemAnew) {
  const ViolationSummary a = SummarizeViolations(100, AtMillis({1}));
  const ViolationSummary b = SummarizeViolations(900, AtMillis({1, 500}));
  const ViolationSummary both = a.Pooled(b);
  EXPECT_EQ(both.queries, 1000u);
  EXPECT_EQ(both.violations, 3u);
  EXPECT_EQ(both.episodes, 3u);
  EXPECT_DOUBLE_EQ(both.rate, 0.003);
  EXPECT_DOUBLE_EQ(both.upper95, ClopperPearsonUpper(3, 1000));
}

}  // namespace
}  // namespace freshline::bench
