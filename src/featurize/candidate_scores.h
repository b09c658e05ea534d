// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"

namespace freshline::featurize {

// Sums scores by candidate, for one user at a time: a hash table of fixed size,
// emptied in the time that its entries take. Not thread-safe.
class CandidateScores {
 public:
  struct Entry {
    uint32_t candidate = 0;
    double score = 0;
  };

  explicit CandidateScores(size_t candidates_max)
      : slots_(std::bit_ceil(2 * candidates_max), kFree),
        candidates_max_(candidates_max) {
    entries_.reserve(candidates_max);
    slot_of_entry_.reserve(candidates_max);
  }

  void Clear() {
    for (const uint32_t slot : slot_of_entry_) slots_[slot] = kFree;
    entries_.clear();
    slot_of_entry_.clear();
  }

  // REQUIRES: at most candidates_max different ones between Clear()s.
  void Add(uint32_t candidate, double score) {
    const size_t mask = slots_.size() - 1;
    // Fibonacci hashing (Knuth, TAOCP 6.4): rows near each other spread out.
    size_t slot = (candidate * 0x9e3779b9U) >> 7 & mask;
    for (; slots_[slot] != kFree; slot = (slot + 1) & mask) {
      Entry& entry = entries_[slots_[slot]];
      if (entry.candidate == candidate) {
        entry.score += score;
        return;
      }
    }
    FRESHLINE_CHECK(entries_.size() < candidates_max_);
    slots_[slot] = static_cast<uint32_t>(entries_.size());
    slot_of_entry_.push_back(static_cast<uint32_t>(slot));
    entries_.push_back({candidate, score});
  }

  // In no promised order; may be reordered, and then only Clear() follows.
  std::span<Entry> entries() { return entries_; }

 private:
  static constexpr uint32_t kFree = UINT32_MAX;
  std::vector<uint32_t> slots_;  // index into entries_
  std::vector<Entry> entries_;
  std::vector<uint32_t> slot_of_entry_;
  const size_t candidates_max_;
};

}  // namespace freshline::featurize
