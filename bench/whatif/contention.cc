// SPDX-License-Identifier: Apache-2.0
#include "bench/whatif/contention.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace freshline::bench {
namespace {

constexpr size_t kSamplesMin = 100;
constexpr double kVarianceMin = 1e-3;
constexpr double kErrors = 3;  // standard ones
// No run is faster than this, whatever a line says far from its samples.
constexpr double kFactorMin = 0.25;

}  // namespace

Contention Contention::Of(const std::vector<Sample>& samples) {
  Contention line;
  if (samples.size() < kSamplesMin) return line;
  const auto n = static_cast<double>(samples.size());
  double others = 0;
  double ratios = 0;
  for (const Sample& s : samples) {
    others += s.others / n;
    ratios += s.ratio / n;
    line.others_max_ = std::max(line.others_max_, s.others);
  }
  double variance = 0;
  double covariance = 0;
  for (const Sample& s : samples) {
    variance += (s.others - others) * (s.others - others) / n;
    covariance += (s.others - others) * (s.ratio - ratios) / n;
  }
  line.mean_others_ = others;
  if (variance < kVarianceMin || ratios <= 0) return line;
  const double each = covariance / variance;
  double residual = 0;
  for (const Sample& s : samples) {
    const double error = s.ratio - ratios - each * (s.others - others);
    residual += error * error / n;
  }
  line.mean_ratio_ = ratios;
  // Less than its error by chance would say something of nothing.
  if (each > kErrors * std::sqrt(residual / variance / n)) line.each_ = each;
  return line;
}

double Contention::FactorBeside(double others) const {
  const double beside = std::min(others, others_max_);
  const double ratio = mean_ratio_ + each_ * (beside - mean_others_);
  return std::max(kFactorMin, ratio / mean_ratio_);
}

}  // namespace freshline::bench
