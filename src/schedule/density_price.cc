// SPDX-License-Identifier: Apache-2.0
#include "schedule/density_price.h"

#include <algorithm>
#include <cmath>

namespace freshline::schedule {

namespace {

constexpr int kLowestExponent = -96;
constexpr double kUnitMax = 1e12;

}  // namespace

int DensityPrice::IndexOf(double density) {
  if (!(density > 0)) return 0;
  int exponent = 0;
  const double mantissa = std::frexp(density, &exponent);  // [0.5, 1)
  const double position =
      kSteps * (exponent - kLowestExponent + (2 * mantissa - 1));
  return static_cast<int>(std::clamp(position, 0.0, kSteps * kOctaves - 1.0));
}

double DensityPrice::LowerEdge(int index) {
  const double fraction = static_cast<double>(index % kSteps) / kSteps;
  return std::ldexp((1 + fraction) / 2, index / kSteps + kLowestExponent);
}

double DensityPrice::UnitAt(base::MonoTime now) {
  const double age = static_cast<double>((now - origin_).count()) /
                     static_cast<double>(memory_.count());
  const double unit = std::exp(std::min(age, 700.0));
  if (unit < kUnitMax) return unit;
  for (double& step : steps_) step /= unit;
  for (double& octave : octaves_) octave /= unit;
  total_ /= unit;
  origin_ = now;
  return 1;
}

void DensityPrice::Offer(double density, base::Duration work,
                         base::MonoTime now) {
  const double weight = UnitAt(now) * static_cast<double>(work.count());
  const int index = IndexOf(density);
  steps_[static_cast<size_t>(index)] += weight;
  octaves_[static_cast<size_t>(index / kSteps)] += weight;
  total_ += weight;
}

double DensityPrice::Demand(base::MonoTime now) {
  const double unit = UnitAt(now);
  return total_ / (unit * static_cast<double>(memory_.count()));
}

void DensityPrice::Refresh(double workers, base::MonoTime now) {
  // What the workers can do within the memory, in the same weights.
  double room = UnitAt(now) * static_cast<double>(memory_.count()) * workers;
  price_ = 0;
  for (int octave = kOctaves - 1; octave >= 0; --octave) {
    const double all = octaves_[static_cast<size_t>(octave)];
    if (all <= room) {
      room -= all;
      continue;
    }
    for (int i = (octave + 1) * kSteps - 1; i >= octave * kSteps; --i) {
      const double step = steps_[static_cast<size_t>(i)];
      price_ = LowerEdge(i);
      if (step > room) return;
      room -= step;
    }
    return;
  }
}

}  // namespace freshline::schedule
