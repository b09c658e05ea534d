// SPDX-License-Identifier: Apache-2.0
#include "schedule/need_pool.h"

#include "base/check.h"

namespace freshline::schedule {

bool NeedPool::Earlier(uint32_t a, uint32_t b) const {
  const Need& x = needs_[a];
  const Need& y = needs_[b];
  return x.answer_by != y.answer_by ? x.answer_by < y.answer_by
                                    : x.order < y.order;
}

uint32_t NeedPool::Meld(uint32_t a, uint32_t b) {
  if (a == kNone) return b;
  if (b == kNone) return a;
  const uint32_t parent = Earlier(b, a) ? b : a;
  const uint32_t child = parent == a ? b : a;
  needs_[child].next = needs_[parent].child;
  needs_[child].previous = parent;
  if (needs_[parent].child != kNone) {
    needs_[needs_[parent].child].previous = child;
  }
  needs_[parent].child = child;
  return parent;
}

uint32_t NeedPool::MeldAll(uint32_t first) {
  // The two passes: pairs from the left, chained by `next`, then one by one
  // from the right.
  uint32_t pairs = kNone;
  while (first != kNone) {
    const uint32_t a = first;
    const uint32_t b = needs_[a].next;
    first = b == kNone ? kNone : needs_[b].next;
    needs_[a].next = needs_[a].previous = kNone;
    if (b != kNone) needs_[b].next = needs_[b].previous = kNone;
    const uint32_t pair = Meld(a, b);
    needs_[pair].next = pairs;
    pairs = pair;
  }
  uint32_t root = kNone;
  while (pairs != kNone) {
    const uint32_t next = needs_[pairs].next;
    needs_[pairs].next = kNone;
    root = Meld(root, pairs);
    pairs = next;
  }
  return root;
}

void NeedPool::PutBackToRow(uint32_t slot, RowNeeds* row) {
  Need& need = needs_[slot];
  need.child = need.next = need.previous = kNone;
  row->root = Meld(row->root, slot);
  ++row->count;
}

void NeedPool::TakeFromRow(uint32_t slot, RowNeeds* row) {
  FRESHLINE_DCHECK(row->count > 0);
  const uint32_t below = MeldAll(needs_[slot].child);
  if (row->root == slot) {
    row->root = below;
  } else {
    const uint32_t previous = needs_[slot].previous;
    const uint32_t next = needs_[slot].next;
    if (needs_[previous].child == slot) {
      needs_[previous].child = next;
    } else {
      needs_[previous].next = next;
    }
    if (next != kNone) needs_[next].previous = previous;
    row->root = Meld(row->root, below);
  }
  Need& need = needs_[slot];
  need.child = need.next = need.previous = kNone;
  --row->count;
}

uint32_t NeedPool::Add(const Need& need, RowNeeds* row, TicketNeeds* ticket) {
  uint32_t slot;
  if (free_.empty()) {
    slot = static_cast<uint32_t>(needs_.size());
    needs_.push_back(need);
  } else {
    slot = free_.back();
    free_.pop_back();
    needs_[slot] = need;
  }
  Need& added = needs_[slot];
  added.ticket_previous = kNone;
  added.ticket_next = ticket->first;
  if (ticket->first != kNone) needs_[ticket->first].ticket_previous = slot;
  ticket->first = slot;
  ++ticket->count;
  PutBackToRow(slot, row);
  return slot;
}

void NeedPool::Remove(uint32_t slot, RowNeeds* row, TicketNeeds* ticket) {
  TakeFromRow(slot, row);
  const Need& need = needs_[slot];
  if (need.ticket_previous != kNone) {
    needs_[need.ticket_previous].ticket_next = need.ticket_next;
  } else {
    ticket->first = need.ticket_next;
  }
  if (need.ticket_next != kNone) {
    needs_[need.ticket_next].ticket_previous = need.ticket_previous;
  }
  --ticket->count;
  free_.push_back(slot);
}

}  // namespace freshline::schedule
