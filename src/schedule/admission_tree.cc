// SPDX-License-Identifier: Apache-2.0
#include "schedule/admission_tree.h"

#include <algorithm>

#include "base/check.h"
#include "base/random.h"

namespace freshline::schedule {

namespace {

uint64_t PriorityOf(uint32_t slot) { return base::MixBits(slot); }

}  // namespace

uint32_t AdmissionTree::Weaker(uint32_t first, uint32_t second) const {
  if (first == kNone) return second;
  if (second == kNone) return first;
  return nodes_[second].entry.density < nodes_[first].entry.density ? second
                                                                    : first;
}

void AdmissionTree::Pull(uint32_t t) {
  Node& node = nodes_[t];
  const int64_t before = SumOf(node.left);
  node.sum = before + node.share + SumOf(node.right);
  node.least_margin = node.entry.deadline - node.entry.reserve - before;
  uint32_t weakest = t;
  if (node.left != kNone) {
    node.least_margin =
        std::min(node.least_margin, nodes_[node.left].least_margin);
    weakest = Weaker(nodes_[node.left].weakest, weakest);
  }
  if (node.right != kNone) {
    node.least_margin =
        std::min(node.least_margin,
                 nodes_[node.right].least_margin - before - node.share);
    weakest = Weaker(weakest, nodes_[node.right].weakest);
  }
  node.weakest = weakest;
}

void AdmissionTree::SetWorkers(uint32_t workers) {
  FRESHLINE_CHECK(workers > 0);
  workers_ = workers;
  Refresh(root_);
}

void AdmissionTree::Refresh(uint32_t t) {
  if (t == kNone) return;
  nodes_[t].share = nodes_[t].entry.work / workers_;
  Refresh(nodes_[t].left);
  Refresh(nodes_[t].right);
  Pull(t);
}

void AdmissionTree::Split(uint32_t t, const Entry& at, uint32_t* before,
                          uint32_t* rest) {
  if (t == kNone) {
    *before = *rest = kNone;
  } else if (Before(nodes_[t].entry, at)) {
    uint32_t middle = kNone;
    Split(nodes_[t].right, at, &middle, rest);
    nodes_[t].right = middle;
    *before = t;
    Pull(t);
  } else {
    uint32_t middle = kNone;
    Split(nodes_[t].left, at, before, &middle);
    nodes_[t].left = middle;
    *rest = t;
    Pull(t);
  }
}

uint32_t AdmissionTree::Join(uint32_t a, uint32_t b) {
  if (a == kNone) return b;
  if (b == kNone) return a;
  if (PriorityOf(a) > PriorityOf(b)) {
    nodes_[a].right = Join(nodes_[a].right, b);
    Pull(a);
    return a;
  }
  nodes_[b].left = Join(a, nodes_[b].left);
  Pull(b);
  return b;
}

uint32_t AdmissionTree::InsertAt(uint32_t t, uint32_t slot) {
  if (t == kNone || PriorityOf(slot) > PriorityOf(t)) {
    uint32_t before = kNone;
    uint32_t rest = kNone;
    Split(t, nodes_[slot].entry, &before, &rest);
    nodes_[slot].left = before;
    nodes_[slot].right = rest;
    Pull(slot);
    return slot;
  }
  if (Before(nodes_[slot].entry, nodes_[t].entry)) {
    const uint32_t child = InsertAt(nodes_[t].left, slot);
    nodes_[t].left = child;
  } else {
    const uint32_t child = InsertAt(nodes_[t].right, slot);
    nodes_[t].right = child;
  }
  Pull(t);
  return t;
}

uint32_t AdmissionTree::EraseAt(uint32_t t, uint32_t slot) {
  FRESHLINE_CHECK(t != kNone);
  if (t == slot) return Join(nodes_[t].left, nodes_[t].right);
  if (Before(nodes_[slot].entry, nodes_[t].entry)) {
    nodes_[t].left = EraseAt(nodes_[t].left, slot);
  } else {
    nodes_[t].right = EraseAt(nodes_[t].right, slot);
  }
  Pull(t);
  return t;
}

void AdmissionTree::Insert(uint32_t slot, const Entry& entry) {
  FRESHLINE_DCHECK(!contains(slot));
  if (slot >= nodes_.size()) nodes_.resize(slot + 1);
  Node& node = nodes_[slot];
  node = Node{};
  node.entry = entry;
  node.share = entry.work / workers_;
  node.present = true;
  work_ += entry.work;
  root_ = InsertAt(root_, slot);
}

void AdmissionTree::Erase(uint32_t slot) {
  FRESHLINE_DCHECK(contains(slot));
  root_ = EraseAt(root_, slot);
  nodes_[slot].present = false;
  work_ -= nodes_[slot].entry.work;
}

uint32_t AdmissionTree::FirstBelow(int64_t limit) const {
  if (least_margin() >= limit) return kNone;
  int64_t before = 0;
  uint32_t t = root_;
  while (true) {
    const Node& node = nodes_[t];
    if (node.left != kNone) {
      if (nodes_[node.left].least_margin - before < limit) {
        t = node.left;
        continue;
      }
      before += nodes_[node.left].sum;
    }
    if (node.entry.deadline - node.entry.reserve - before < limit) return t;
    before += node.share;
    t = node.right;
  }
}

uint32_t AdmissionTree::WeakestIn(uint32_t t, const Entry* first,
                                  const Entry* last) const {
  if (t == kNone) return kNone;
  const Node& node = nodes_[t];
  if (first == nullptr && last == nullptr) return node.weakest;
  if (first != nullptr && Before(node.entry, *first)) {
    return WeakestIn(node.right, first, last);
  }
  if (last != nullptr && Before(*last, node.entry)) {
    return WeakestIn(node.left, first, last);
  }
  return Weaker(Weaker(WeakestIn(node.left, first, nullptr), t),
                WeakestIn(node.right, nullptr, last));
}

uint32_t AdmissionTree::WeakestUpTo(const Entry& last) const {
  Entry first;
  first.flow = last.flow;
  first.deadline = std::numeric_limits<int64_t>::min();
  return WeakestIn(root_, &first, &last);
}

uint32_t AdmissionTree::Weakest(int64_t limit) const {
  const uint32_t first = FirstBelow(limit);
  return first == kNone ? kNone : WeakestUpTo(nodes_[first].entry);
}

}  // namespace freshline::schedule
