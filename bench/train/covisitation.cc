// SPDX-License-Identifier: Apache-2.0
#include "bench/train/covisitation.h"

#include <algorithm>
#include <utility>

namespace freshline::bench {

void CovisitationCounter::AddSession(std::span<const uint32_t> items) {
  sequence_.clear();
  for (const uint32_t item : items) {
    if (sequence_.empty() || sequence_.back() != item) {
      sequence_.push_back(item);
    }
  }
  for (size_t later = 1; later < sequence_.size(); ++later) {
    for (size_t d = 1; d <= std::min(later, kDistanceMax); ++d) {
      const uint32_t a = sequence_[later - d];
      const uint32_t b = sequence_[later];
      if (a == b) continue;
      pairs_.push_back({a, b, kUnit / d});
      pairs_.push_back({b, a, kUnit / (2 * d)});
    }
  }
  if (pairs_.size() >= merge_at_) {
    Merge();
    // Twice what is distinct: merging stays a constant share of the work.
    merge_at_ = std::max(merge_at_, 2 * pairs_.size());
  }
}

std::vector<CovisitationCounter::Pair> CovisitationCounter::Take() {
  Merge();
  return std::exchange(pairs_, {});
}

void CovisitationCounter::Merge() {
  const auto key = [](const Pair& p) {
    return (uint64_t{p.item} << 32) | p.neighbour;
  };
  std::sort(pairs_.begin(), pairs_.end(),
            [&](const Pair& a, const Pair& b) { return key(a) < key(b); });
  size_t kept = 0;
  for (size_t i = 0; i < pairs_.size(); ++i) {
    if (kept > 0 && key(pairs_[kept - 1]) == key(pairs_[i])) {
      pairs_[kept - 1].weight += pairs_[i].weight;
    } else {
      pairs_[kept++] = pairs_[i];
    }
  }
  pairs_.resize(kept);
}

}  // namespace freshline::bench
