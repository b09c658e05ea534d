// SPDX-License-Identifier: Apache-2.0
#include "estimate/time_sketch.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace freshline::estimate {

namespace {

constexpr double kFloorNs = 1000;
// A day: lest the sum of nonsense overflow.
constexpr double kMeanMaxNs = 86400e9;
// Far below the range of float, far above what rescaling often would cost.
constexpr double kUnitMax = 1e12;

}  // namespace

TimeSketch::TimeSketch(double half_life_runs)
    : growth_(std::exp2(1.0 / half_life_runs)) {
  FRESHLINE_CHECK(half_life_runs > 0);
}

double TimeSketch::PositionOf(double ns) {
  // Piecewise linear inside a power of two: frexp costs a tenth of log2.
  int exponent = 0;
  const double mantissa = std::frexp(std::max(ns / kFloorNs, 1.0), &exponent);
  const double position = kSteps * (exponent - 1 + (2 * mantissa - 1));
  return std::min(position, kSize - 1e-6);
}

double TimeSketch::TimeAt(double position) {
  const auto octave = static_cast<int>(position / kSteps);
  const double fraction = position / kSteps - octave;
  return kFloorNs * std::ldexp(1 + fraction, octave);
}

void TimeSketch::AddAt(int index, double weight) {
  float& step = steps_[static_cast<size_t>(index)];
  step += static_cast<float>(weight);
  octaves_[static_cast<size_t>(index / kSteps)] += weight;
  total_ += weight;
}

void TimeSketch::Add(base::Duration time) {
  const double ns =
      std::clamp(static_cast<double>(time.count()), 0.0, kMeanMaxNs);
  unit_ *= growth_;
  AddAt(static_cast<int>(PositionOf(ns)), unit_);
  sum_ns_ += unit_ * ns;
  if (unit_ > kUnitMax) {
    Multiply(1 / unit_);
    unit_ = 1;
  }
}

void TimeSketch::Multiply(double factor) {
  total_ = 0;
  for (int octave = 0; octave < kOctaves; ++octave) {
    double sum = 0;
    for (int i = octave * kSteps; i < (octave + 1) * kSteps; ++i) {
      float& step = steps_[static_cast<size_t>(i)];
      step = static_cast<float>(step * factor);
      // What has decayed to nothing is nothing: denormals are slow.
      if (step < 1e-20F) step = 0;
      sum += step;
    }
    octaves_[static_cast<size_t>(octave)] = sum;
    total_ += sum;
  }
  sum_ns_ *= factor;
}

void TimeSketch::Discount(double weight_runs) {
  if (empty() || weight() <= weight_runs) return;
  Multiply(weight_runs / weight());
}

void TimeSketch::CopyScaled(const TimeSketch& other, double factor,
                            double weight_runs) {
  steps_.fill(0);
  octaves_.fill(0);
  total_ = sum_ns_ = 0;
  if (other.empty()) return;
  const double share =
      unit_ * std::min(weight_runs, other.weight()) / other.total_;
  for (int i = 0; i < kSize; ++i) {
    const float step = other.steps_[static_cast<size_t>(i)];
    if (step <= 0) continue;
    AddAt(static_cast<int>(PositionOf(TimeAt(i + 0.5) * factor)), step * share);
  }
  sum_ns_ = other.sum_ns_ * share * factor;
}

base::Duration TimeSketch::mean() const {
  FRESHLINE_DCHECK(!empty());
  return base::Duration(static_cast<int64_t>(sum_ns_ / total_));
}

base::Duration TimeSketch::Quantile(double q) const {
  FRESHLINE_DCHECK(!empty());
  double left = std::clamp(q, 0.0, 1.0) * total_;
  int octave = 0;
  while (octave < kOctaves - 1 &&
         octaves_[static_cast<size_t>(octave)] < left) {
    left -= octaves_[static_cast<size_t>(octave++)];
  }
  int i = octave * kSteps;
  const int last = i + kSteps - 1;
  while (i < last && steps_[static_cast<size_t>(i)] < left) {
    left -= steps_[static_cast<size_t>(i++)];
  }
  const double step = steps_[static_cast<size_t>(i)];
  const double inside = step > 0 ? std::clamp(left / step, 0.0, 1.0) : 1.0;
  return base::Duration(static_cast<int64_t>(TimeAt(i + inside)));
}

double TimeSketch::ChanceWithin(base::Duration limit) const {
  FRESHLINE_DCHECK(!empty());
  const auto ns = static_cast<double>(limit.count());
  if (ns < kFloorNs) return 0;
  const double position = PositionOf(ns);
  const auto index = static_cast<int>(position);
  double below = 0;
  for (int octave = 0; octave < index / kSteps; ++octave) {
    below += octaves_[static_cast<size_t>(octave)];
  }
  for (int i = index / kSteps * kSteps; i < index; ++i) {
    below += steps_[static_cast<size_t>(i)];
  }
  below += (position - index) * steps_[static_cast<size_t>(index)];
  return std::clamp(below / total_, 0.0, 1.0);
}

}  // namespace freshline::estimate
