// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

namespace freshline::base {

// A histogram of non-negative integers with 64 linear steps per power of two:
// every quantile is exact to 1.6 %. After HdrHistogram (Tene). Histograms are
// merged, never their quantiles averaged. Not thread-safe.
//
// Cost: Record is a few ns; 3,776 counters (30 KB).
class Histogram {
 public:
  Histogram();

  // Negative values count as 0.
  void Record(int64_t value, uint64_t count = 1);
  void Merge(const Histogram& other);
  void Reset();

  uint64_t count() const { return count_; }
  int64_t max() const { return max_; }
  double mean() const;

  // The smallest recorded step at or above a share q in [0, 1] of the values
  // (the upper edge of the step, at most max()). 0 when empty.
  int64_t Quantile(double q) const;

  // How many values lie above `value`, exact to the width of its step.
  uint64_t CountAbove(int64_t value) const;

 private:
  static constexpr int kSubBits = 6;
  static constexpr int kBuckets = (64 - kSubBits + 1) << kSubBits;
  static int IndexOf(uint64_t value);
  static int64_t UpperEdge(int index);

  std::unique_ptr<std::array<uint64_t, kBuckets>> counts_;
  uint64_t count_ = 0;
  int64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace freshline::base
