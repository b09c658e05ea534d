// SPDX-License-Identifier: Apache-2.0
#include "bench/stats/violations.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace freshline::bench {
namespace {

// The fraction 1/(1 + d1/(1 + d2/(1 + ...))) of DLMF 8.17.22.
double BetaFraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  constexpr double kEnough = 1e-15;
  constexpr int kTermsMax = 100'000;  // needs about sqrt(max(a, b))
  const auto away_from_zero = [](double v) {
    return std::abs(v) < kTiny ? kTiny : v;
  };
  double c = 1;
  double d = 1 / away_from_zero(1 - (a + b) * x / (a + 1));
  double h = d;
  for (int m = 1; m <= kTermsMax; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / away_from_zero(1 + even * d);
    c = away_from_zero(1 + even / c);
    h *= d * c;
    const double odd =
        -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / away_from_zero(1 + odd * d);
    c = away_from_zero(1 + odd / c);
    h *= d * c;
    if (std::abs(d * c - 1) < kEnough) break;
  }
  return h;
}

}  // namespace

double RegularizedIncompleteBeta(double a, double b, double x) {
  FRESHLINE_CHECK(a > 0 && b > 0 && x >= 0 && x <= 1);
  if (x == 0 || x == 1) return x;
  const double log_front = std::lgamma(a + b) - std::lgamma(a) -
                           std::lgamma(b) + a * std::log(x) +
                           b * std::log1p(-x);
  // The fraction converges fast on this side of the mean only.
  if (x < (a + 1) / (a + b + 2)) {
    return std::exp(log_front) * BetaFraction(a, b, x) / a;
  }
  return 1 - std::exp(log_front) * BetaFraction(b, a, 1 - x) / b;
}

double ClopperPearsonUpper(uint64_t successes, uint64_t trials,
                           double confidence) {
  FRESHLINE_CHECK(successes <= trials && confidence > 0 && confidence < 1);
  if (successes == trials) return 1;
  const auto a = static_cast<double>(successes + 1);
  const auto b = static_cast<double>(trials - successes);
  double low = 0;
  double high = 1;
  // The function is monotonic; 200 halvings reach the last bit of any double.
  for (int i = 0; i < 200 && low < high; ++i) {
    const double middle = low + (high - low) / 2;
    if (middle == low || middle == high) break;
    (RegularizedIncompleteBeta(a, b, middle) < confidence ? low : high) =
        middle;
  }
  return high;
}

ViolationSummary SummarizeViolations(
    uint64_t queries, std::vector<base::MonoTime> violation_times,
    base::Duration gap) {
  ViolationSummary summary;
  summary.queries = queries;
  summary.violations = violation_times.size();
  FRESHLINE_CHECK(summary.violations <= queries);
  if (queries > 0) {
    summary.rate =
        static_cast<double>(summary.violations) / static_cast<double>(queries);
  }
  summary.upper95 = ClopperPearsonUpper(summary.violations, queries);
  std::sort(violation_times.begin(), violation_times.end());
  for (size_t i = 0; i < violation_times.size(); ++i) {
    if (i == 0 || violation_times[i] - violation_times[i - 1] >= gap) {
      ++summary.episodes;
    }
  }
  return summary;
}

ViolationSummary ViolationSummary::Pooled(const ViolationSummary& other) const {
  ViolationSummary sum;
  sum.queries = queries + other.queries;
  sum.violations = violations + other.violations;
  sum.episodes = episodes + other.episodes;
  if (sum.queries > 0) {
    sum.rate =
        static_cast<double>(sum.violations) / static_cast<double>(sum.queries);
  }
  sum.upper95 = ClopperPearsonUpper(sum.violations, sum.queries);
  return sum;
}

}  // namespace freshline::bench
