// SPDX-License-Identifier: Apache-2.0
#include "base/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace freshline::base {

Histogram::Histogram()
    : counts_(std::make_unique<std::array<uint64_t, kBuckets>>()) {}

int Histogram::IndexOf(uint64_t value) {
  constexpr uint64_t kLinear = uint64_t{1} << kSubBits;
  if (value < kLinear) return static_cast<int>(value);
  const int shift = static_cast<int>(std::bit_width(value)) - 1 - kSubBits;
  const auto sub = static_cast<int>((value >> shift) - kLinear);
  return ((shift + 1) << kSubBits) + sub;
}

int64_t Histogram::UpperEdge(int index) {
  constexpr int64_t kLinear = int64_t{1} << kSubBits;
  if (index < kLinear) return index;
  const int shift = (index >> kSubBits) - 1;
  const auto sub = static_cast<uint64_t>(index & (kLinear - 1));
  // The last step ends at 2^64 - 1, which no recorded value reaches.
  const uint64_t edge =
      ((static_cast<uint64_t>(kLinear) + sub + 1) << shift) - 1;
  return static_cast<int64_t>(
      std::min<uint64_t>(edge, std::numeric_limits<int64_t>::max()));
}

void Histogram::Record(int64_t value, uint64_t count) {
  value = std::max<int64_t>(0, value);
  (*counts_)[static_cast<size_t>(IndexOf(static_cast<uint64_t>(value)))] +=
      count;
  count_ += count;
  max_ = std::max(max_, value);
  sum_ += static_cast<double>(value) * static_cast<double>(count);
}

void Histogram::Merge(const Histogram& other) {
  for (size_t i = 0; i < counts_->size(); ++i) {
    (*counts_)[i] += (*other.counts_)[i];
  }
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
}

void Histogram::Reset() {
  counts_->fill(0);
  count_ = 0;
  max_ = 0;
  sum_ = 0;
}

double Histogram::mean() const {
  return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
}

int64_t Histogram::Quantile(double q) const {
  if (count_ == 0) return 0;
  const double share = std::clamp(q, 0.0, 1.0) * static_cast<double>(count_);
  const auto rank =
      std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(share)));
  uint64_t seen = 0;
  for (int i = 0; i < kBuckets; ++i) {
    seen += (*counts_)[static_cast<size_t>(i)];
    if (seen >= rank) return std::min(UpperEdge(i), max_);
  }
  return max_;
}

uint64_t Histogram::CountAbove(int64_t value) const {
  if (value < 0) return count_;
  uint64_t above = 0;
  for (int i = IndexOf(static_cast<uint64_t>(value)) + 1; i < kBuckets; ++i) {
    above += (*counts_)[static_cast<size_t>(i)];
  }
  return above;
}

}  // namespace freshline::base
