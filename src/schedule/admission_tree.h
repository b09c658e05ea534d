// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

namespace freshline::schedule {

// The queued rows in order of their deadline, with the least time to spare
// among all of them and the weakest of them at the root.
//
// The margin of a row is the latest moment at which W free workers could begin
// the queue and still start the row early enough:
//     margin(i) = deadline(i) - reserve(i) - (sum of work(j), j before i) / W
// so with R the work left in running jobs, the queue is feasible at `now` iff
//     now + R / W <= the least margin.
// Predecessors count by the work they are expected to be; the row itself by
// its reserve, the time within which it ends with the chance asked for. No
// worker idles while a row waits, so a row starts at the latest when the work
// before it, shared by all workers, is done (Graham 1966): taking the whole
// reserve off the deadline, not its share, is the correction for jobs that
// cannot be split. When the queue does not fit, the weakest density up to the
// first row without margin is what to drop (after Moore 1968).
//
// A treap (Seidel & Aragon 1996) of slots, whose priorities are a hash of the
// slot: the same history gives the same tree.
//
// Thread-safety: none. Times in ns on one axis.
// Cost: Insert, Erase, Weakest, FirstBelow and WeakestUpTo O(log n) expected,
// least_margin O(1), SetWorkers O(n). Memory grows with the largest slot and is
// kept.
class AdmissionTree {
 public:
  struct Entry {
    int64_t deadline = 0;
    uint64_t order = 0;  // among equal deadlines; distinct
    int64_t work = 0;    // expected worker time
    int64_t reserve = 0;
    double density = 0;
    uint32_t flow = 0;  // rows stand by flow first, where they have several
  };
  static constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();
  static constexpr uint32_t kNone = UINT32_MAX;

  // REQUIRES: workers > 0.
  void SetWorkers(uint32_t workers);
  uint32_t workers() const { return static_cast<uint32_t>(workers_); }

  // REQUIRES: the slot is not in the tree.
  void Insert(uint32_t slot, const Entry& entry);
  // REQUIRES: the slot is in the tree.
  void Erase(uint32_t slot);
  bool contains(uint32_t slot) const {
    return slot < nodes_.size() && nodes_[slot].present;
  }

  bool empty() const { return root_ == kNone; }

  // Of all entries together.
  int64_t work() const { return work_; }

  // kUnlimited when empty.
  int64_t least_margin() const {
    return root_ == kNone ? kUnlimited : nodes_[root_].least_margin;
  }

  // The slot of lowest density (of equals, the first in order) among the rows
  // up to and including the first whose margin is below `limit`; kNone when
  // no margin is.
  uint32_t Weakest(int64_t limit) const;

  // The first slot whose margin is below `limit`; kNone when no margin is.
  uint32_t FirstBelow(int64_t limit) const;
  // The slot of lowest density among the rows of the flow of `last` up to and
  // including it (which need not be here); kNone when there are none.
  uint32_t WeakestUpTo(const Entry& last) const;
  // REQUIRES: the slot is in the tree.
  const Entry& entry(uint32_t slot) const { return nodes_[slot].entry; }

 private:
  struct Node {
    Entry entry;
    int64_t share = 0;  // work / workers
    uint32_t left = kNone;
    uint32_t right = kNone;
    bool present = false;
    // Over the subtree.
    int64_t sum = 0;           // of shares
    int64_t least_margin = 0;  // as if the subtree were the whole
    uint32_t weakest = kNone;
  };

  static bool Before(const Entry& a, const Entry& b) {
    if (a.flow != b.flow) return a.flow < b.flow;
    return a.deadline != b.deadline ? a.deadline < b.deadline
                                    : a.order < b.order;
  }
  int64_t SumOf(uint32_t t) const { return t == kNone ? 0 : nodes_[t].sum; }
  uint32_t Weaker(uint32_t first, uint32_t second) const;
  // Of the subtree, from `first` to `last`; null: without that end.
  uint32_t WeakestIn(uint32_t t, const Entry* first, const Entry* last) const;
  void Pull(uint32_t t);
  void Refresh(uint32_t t);
  // Splits `t` into the entries before `at` and the rest.
  void Split(uint32_t t, const Entry& at, uint32_t* before, uint32_t* rest);
  uint32_t Join(uint32_t a, uint32_t b);
  uint32_t InsertAt(uint32_t t, uint32_t slot);
  uint32_t EraseAt(uint32_t t, uint32_t slot);

  int64_t workers_ = 1;
  int64_t work_ = 0;
  uint32_t root_ = kNone;
  std::vector<Node> nodes_;  // by slot
};

}  // namespace freshline::schedule
