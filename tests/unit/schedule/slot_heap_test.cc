// SPDX-License-Identifier: Apache-2.0
#include "schedule/slot_heap.h"

#include <map>
#include <set>
#include <utility>

#include "base/random.h"
#include "gtest/gtest.h"

namespace freshline::schedule {
namespace {

TEST(SlotHeapTest, AgreesWithAnOrderedSet) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Rng rng(seed);
    SlotHeap<std::pair<uint64_t, uint64_t>> heap;
    std::map<uint32_t, std::pair<uint64_t, uint64_t>> keys;
    std::set<std::pair<std::pair<uint64_t, uint64_t>, uint32_t>> ordered;
    for (uint64_t step = 0; step < 500; ++step) {
      const auto slot = static_cast<uint32_t>(rng.Below(40));
      const auto it = keys.find(slot);
      if (it != keys.end()) ordered.erase({it->second, slot});
      if (it != keys.end() && rng.Chance(0.5)) {
        heap.Remove(slot);
        keys.erase(it);
      } else {
        const std::pair<uint64_t, uint64_t> key{rng.Below(30), step};
        heap.Set(slot, key);
        keys[slot] = key;
        ordered.insert({key, slot});
      }
      ASSERT_EQ(heap.size(), ordered.size());
      ASSERT_EQ(heap.contains(slot), keys.contains(slot));
      ASSERT_EQ(heap.empty(), ordered.empty());
      if (heap.empty()) continue;
      ASSERT_EQ(heap.top(), ordered.begin()->second);
      ASSERT_EQ(heap.top_key(), ordered.begin()->first);
      ASSERT_EQ(heap.key_of(heap.some_leaf()), keys[heap.some_leaf()]);
    }
  }
}

}  // namespace
}  // namespace freshline::schedule
