// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/check.h"

namespace freshline::schedule {

// A binary min-heap of slots (small integers, each at most once) whose keys
// can be changed and removed. Equal keys leave in an unspecified but
// deterministic order: make them distinct where it matters.
//
// Cost: Set and Remove O(log n), top and contains O(1). Memory grows with the
// largest slot and is kept.
template <typename Key>
class SlotHeap {
 public:
  bool empty() const { return heap_.empty(); }
  size_t size() const { return heap_.size(); }
  bool contains(uint32_t slot) const {
    return slot < position_.size() && position_[slot] != kAbsent;
  }
  // REQUIRES of both: !empty().
  uint32_t top() const { return heap_.front().slot; }
  const Key& top_key() const { return heap_.front().key; }
  // A slot without others below it. REQUIRES: !empty().
  uint32_t some_leaf() const { return heap_.back().slot; }
  const Key& key_of(uint32_t slot) const { return heap_[position_[slot]].key; }

  // Every slot, in an unspecified but deterministic order. O(n).
  void CopySlots(std::vector<uint32_t>* slots) const {
    slots->clear();
    for (const Entry& entry : heap_) slots->push_back(entry.slot);
  }

  // Inserts `slot`, or changes its key.
  void Set(uint32_t slot, Key key) {
    if (slot >= position_.size()) position_.resize(slot + 1, kAbsent);
    uint32_t at = position_[slot];
    if (at == kAbsent) {
      at = static_cast<uint32_t>(heap_.size());
      heap_.push_back({std::move(key), slot});
      position_[slot] = at;
      Up(at);
      return;
    }
    const bool smaller = key < heap_[at].key;
    heap_[at].key = std::move(key);
    smaller ? Up(at) : Down(at);
  }

  // REQUIRES: contains(slot).
  void Remove(uint32_t slot) {
    FRESHLINE_DCHECK(contains(slot));
    const uint32_t at = position_[slot];
    position_[slot] = kAbsent;
    Entry last = std::move(heap_.back());
    heap_.pop_back();
    if (at == heap_.size()) return;
    const bool smaller = last.key < heap_[at].key;
    position_[last.slot] = at;
    heap_[at] = std::move(last);
    smaller ? Up(at) : Down(at);
  }

 private:
  static constexpr uint32_t kAbsent = UINT32_MAX;
  struct Entry {
    Key key;
    uint32_t slot;
  };

  void Swap(uint32_t a, uint32_t b) {
    std::swap(heap_[a], heap_[b]);
    position_[heap_[a].slot] = a;
    position_[heap_[b].slot] = b;
  }
  void Up(uint32_t at) {
    while (at > 0) {
      const uint32_t parent = (at - 1) / 2;
      if (!(heap_[at].key < heap_[parent].key)) return;
      Swap(at, parent);
      at = parent;
    }
  }
  void Down(uint32_t at) {
    const auto n = static_cast<uint32_t>(heap_.size());
    while (true) {
      uint32_t child = 2 * at + 1;
      if (child >= n) return;
      if (child + 1 < n && heap_[child + 1].key < heap_[child].key) ++child;
      if (!(heap_[child].key < heap_[at].key)) return;
      Swap(at, child);
      at = child;
    }
  }

  std::vector<Entry> heap_;
  std::vector<uint32_t> position_;  // by slot
};

}  // namespace freshline::schedule
