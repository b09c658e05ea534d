// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "base/time.h"

namespace freshline::estimate {

// The distribution of run times, recent runs counting more: a histogram of
// eight steps per power of two from 1 us to 134 s whose weights halve every
// `half_life_runs` additions (forward decay, Cormode et al. 2009: a new run
// weighs more instead of every old one weighing less), and the exact decayed
// mean beside it. Times outside the range count at its edge.
//
// Thread-safety: none. A plain value of 1 KB.
// Cost: every method touches at most 40 counters; none allocates. One Add()
// in a few thousand rescales all of them.
class TimeSketch {
 public:
  explicit TimeSketch(double half_life_runs);

  void Add(base::Duration time);

  // Replaces the contents by those of `other`, every time multiplied by
  // `factor` and the whole worth `weight_runs` runs at most.
  void CopyScaled(const TimeSketch& other, double factor, double weight_runs);

  // Makes everything added so far worth `weight_runs` runs at most.
  void Discount(double weight_runs);

  // In runs: tends to half_life_runs / ln 2.
  double weight() const { return total_ / unit_; }
  bool empty() const { return total_ <= 0; }

  // REQUIRES of the following: !empty().
  base::Duration mean() const;
  // q in [0, 1]; interpolated inside a step.
  base::Duration Quantile(double q) const;
  double ChanceWithin(base::Duration limit) const;

 private:
  static constexpr int kSteps = 8;  // per power of two
  static constexpr int kOctaves = 27;
  static constexpr int kSize = kSteps * kOctaves;

  // Position of a time on the axis of steps, in [0, kSize).
  static double PositionOf(double ns);
  static double TimeAt(double position);
  void Multiply(double factor);
  void AddAt(int index, double weight);

  double growth_;    // of the weight of a run, per run
  double unit_ = 1;  // what the newest run weighs
  double total_ = 0;
  double sum_ns_ = 0;  // weighted
  std::array<float, kSize> steps_{};
  std::array<double, kOctaves> octaves_{};  // sums of their steps
};

}  // namespace freshline::estimate
