// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "base/job_shape.h"

namespace freshline::schedule {

// The open needs of all waiting tickets. Each need is in two structures at
// once: the list of its ticket, and the heap of its row, ordered by answer_by
// (a pairing heap, Fredman et al. 1986: a row has one need nearly always, and
// may have thousands).
//
// Thread-safety: none. Slots are reused.
// Cost: Add O(1), First O(1), Remove O(log n) amortised in the needs of the
// row.
class NeedPool {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  struct Need {
    uint32_t ticket = kNone;  // slots of the owner
    uint32_t row = kNone;
    int64_t answer_by = 0;
    uint64_t order = 0;  // of arrival; distinct
    base::Seq want = 0;
    double gain = 0;
    base::JobShape shape;

   private:
    friend class NeedPool;
    // Of the row's heap. `previous` is the parent for a first child.
    uint32_t child = kNone;
    uint32_t next = kNone;
    uint32_t previous = kNone;
    // Of the ticket's list.
    uint32_t ticket_next = kNone;
    uint32_t ticket_previous = kNone;
  };

  // Heads of the two structures: owned by a row and by a ticket.
  struct RowNeeds {
    uint32_t root = kNone;
    uint32_t count = 0;
  };
  struct TicketNeeds {
    uint32_t first = kNone;
    uint32_t count = 0;
  };

  // Returns the slot of the new need.
  uint32_t Add(const Need& need, RowNeeds* row, TicketNeeds* ticket);
  void Remove(uint32_t slot, RowNeeds* row, TicketNeeds* ticket);

  // Takes a need out of its row's heap, and puts it back: for visiting all.
  void TakeFromRow(uint32_t slot, RowNeeds* row);
  void PutBackToRow(uint32_t slot, RowNeeds* row);

  const Need& operator[](uint32_t slot) const { return needs_[slot]; }

 private:
  bool Earlier(uint32_t a, uint32_t b) const;
  uint32_t Meld(uint32_t a, uint32_t b);
  uint32_t MeldAll(uint32_t first);

  std::vector<Need> needs_;
  std::vector<uint32_t> free_;
};

}  // namespace freshline::schedule
