// SPDX-License-Identifier: Apache-2.0
#include "schedule/admission_tree.h"

#include <algorithm>
#include <map>
#include <queue>
#include <utility>
#include <vector>

#include "base/random.h"
#include "gtest/gtest.h"

namespace freshline::schedule {
namespace {

// The queue as a list, computed from its definition.
class ListModel {
 public:
  std::map<uint32_t, AdmissionTree::Entry> entries;
  int64_t workers = 1;

  std::vector<std::pair<uint32_t, AdmissionTree::Entry>> InOrder() const {
    std::vector<std::pair<uint32_t, AdmissionTree::Entry>> list(entries.begin(),
                                                                entries.end());
    std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) {
      return std::pair(a.second.deadline, a.second.order) <
             std::pair(b.second.deadline, b.second.order);
    });
    return list;
  }
  int64_t Work() const {
    int64_t sum = 0;
    for (const auto& [slot, e] : entries) sum += e.work;
    return sum;
  }
  int64_t LeastMargin() const {
    int64_t before = 0;
    int64_t least = AdmissionTree::kUnlimited;
    for (const auto& [slot, e] : InOrder()) {
      least = std::min(least, e.deadline - e.reserve - before);
      before += e.work / workers;
    }
    return least;
  }
  uint32_t Weakest(int64_t limit) const {
    int64_t before = 0;
    uint32_t weakest = AdmissionTree::kNone;
    double density = 0;
    for (const auto& [slot, e] : InOrder()) {
      if (weakest == AdmissionTree::kNone || e.density < density) {
        weakest = slot;
        density = e.density;
      }
      if (e.deadline - e.reserve - before < limit) return weakest;
      before += e.work / workers;
    }
    return AdmissionTree::kNone;
  }
};

AdmissionTree::Entry Draw(base::Rng* rng, uint64_t order) {
  AdmissionTree::Entry e;
  e.deadline = 1'000'000 + static_cast<int64_t>(rng->Below(200));
  e.order = order;
  e.work = static_cast<int64_t>(rng->Below(50));
  e.reserve = static_cast<int64_t>(rng->Below(60));
  e.density = static_cast<double>(rng->Below(20));  // with equals
  return e;
}

TEST(AdmissionTreeTest, AgreesWithTheExactList) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Rng rng(seed);
    AdmissionTree tree;
    ListModel model;
    const uint64_t slots = 1 + rng.Below(60);
    for (uint64_t step = 0; step < 200; ++step) {
      const auto slot = static_cast<uint32_t>(rng.Below(slots));
      if (rng.Chance(0.02)) {
        model.workers = 1 + static_cast<int64_t>(rng.Below(5));
        tree.SetWorkers(static_cast<uint32_t>(model.workers));
      } else if (tree.contains(slot)) {
        tree.Erase(slot);
        model.entries.erase(slot);
      } else {
        const AdmissionTree::Entry entry = Draw(&rng, step);
        tree.Insert(slot, entry);
        model.entries[slot] = entry;
      }
      ASSERT_EQ(tree.contains(slot), model.entries.contains(slot));
      ASSERT_EQ(tree.empty(), model.entries.empty());
      ASSERT_EQ(tree.work(), model.Work());
      ASSERT_EQ(tree.least_margin(), model.LeastMargin());
      const int64_t at = 999'900 + static_cast<int64_t>(rng.Below(350));
      ASSERT_EQ(tree.Weakest(at), model.Weakest(at));
    }
  }
}

// Rows of several flows: of each the weakest up to some moment.
TEST(AdmissionTreeTest, FindsTheWeakestOfEachFlow) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Rng rng(seed);
    AdmissionTree tree;
    std::map<uint32_t, AdmissionTree::Entry> entries;
    const uint64_t slots = 1 + rng.Below(60);
    for (uint64_t step = 0; step < 200; ++step) {
      const auto slot = static_cast<uint32_t>(rng.Below(slots));
      if (tree.contains(slot)) {
        tree.Erase(slot);
        entries.erase(slot);
      } else {
        AdmissionTree::Entry entry = Draw(&rng, step);
        entry.flow = static_cast<uint32_t>(rng.Below(4));
        tree.Insert(slot, entry);
        entries[slot] = entry;
      }
      AdmissionTree::Entry last = Draw(&rng, rng.Below(200));
      last.flow = static_cast<uint32_t>(rng.Below(4));
      double weakest = 0;
      std::pair<int64_t, uint64_t> place{};
      uint32_t expected = AdmissionTree::kNone;
      for (const auto& [other, e] : entries) {
        if (e.flow != last.flow || std::pair(e.deadline, e.order) >
                                       std::pair(last.deadline, last.order)) {
          continue;
        }
        const std::pair<int64_t, uint64_t> at(e.deadline, e.order);
        if (expected != AdmissionTree::kNone &&
            std::pair(e.density, at) >= std::pair(weakest, place)) {
          continue;
        }
        expected = other;
        weakest = e.density;
        place = at;
      }
      ASSERT_EQ(tree.WeakestUpTo(last), expected);
    }
  }
}

// What the tree calls feasible starts in time on real machines: jobs in order
// of deadline, each on the worker that is free first.
TEST(AdmissionTreeTest, AFeasibleQueueStartsInTimeOnEveryListSchedule) {
  uint64_t feasible = 0;
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Rng rng(seed);
    const auto workers = static_cast<int64_t>(1 + rng.Below(4));
    AdmissionTree tree;
    tree.SetWorkers(static_cast<uint32_t>(workers));
    ListModel model;
    const uint64_t n = 1 + rng.Below(12);
    for (uint64_t i = 0; i < n; ++i) {
      AdmissionTree::Entry entry = Draw(&rng, i);
      entry.work *= workers;  // so that shares are whole
      tree.Insert(static_cast<uint32_t>(i), entry);
      model.entries[static_cast<uint32_t>(i)] = entry;
    }
    const int64_t now = 1'000'000 - static_cast<int64_t>(rng.Below(150));
    std::priority_queue<int64_t, std::vector<int64_t>, std::greater<>> free_at;
    int64_t remaining = 0;
    for (int64_t w = 0; w < workers; ++w) {
      const auto left = static_cast<int64_t>(rng.Below(40)) * workers;
      remaining += left;
      free_at.push(now + left);
    }
    if (now + remaining / workers > tree.least_margin()) continue;
    ++feasible;
    for (const auto& [slot, entry] : model.InOrder()) {
      const int64_t start = free_at.top();
      free_at.pop();
      ASSERT_LE(start, entry.deadline - entry.reserve);
      free_at.push(start + entry.work);
    }
  }
  EXPECT_GT(feasible, 100U);
}

TEST(AdmissionTreeTest, SheddingTheWeakestEndsFeasible) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Rng rng(seed);
    AdmissionTree tree;
    tree.SetWorkers(2);
    for (uint32_t i = 0; i < 100; ++i) tree.Insert(i, Draw(&rng, i));
    const int64_t limit = 999'950;
    size_t dropped = 0;
    while (tree.least_margin() < limit) {
      tree.Erase(tree.Weakest(limit));
      ++dropped;
    }
    EXPECT_EQ(tree.Weakest(limit), AdmissionTree::kNone);
    EXPECT_GT(dropped, 0U);
    EXPECT_LT(dropped, 100U);
  }
}

}  // namespace
}  // namespace freshline::schedule
