// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/job_shape.h"
#include "base/time.h"
#include "registry/revision.h"
#include "table/table.h"

namespace freshline::serve {

// Freshness of one row of an answer.
struct RowFreshness {
  base::Obtained obtained = base::Obtained::kUnset;
  base::Fidelity fidelity = base::Fidelity::kFull;
  base::UnixMicros event_time_us = 0;
  table::AsOf as_of{};
  uint32_t pending = 0;
  bool outside_max_age = false;
  // As table::StoredRow.
  base::UnixMicros holds_until_us = table::kHoldsForEver;

  // Nothing is known of the row.
  static RowFreshness Cold() {
    RowFreshness cold;
    cold.obtained = base::Obtained::kDefaultCold;
    return cold;
  }
};

// The whole answer to one query as packed rows: made at once from what is
// stored, then patched row by row, encoded when sent.
//
// Group g of the plan has rows(g) rows: the answer's number of rows, or one
// that holds for all of them where every join key of its entity was given
// once.
//
// Thread-safety: handed from thread to thread; but threads that fill different
// rows may do so at once, each into a segment of its own.
class Answer {
 public:
  Answer(std::shared_ptr<const registry::Revision> revision,
         std::shared_ptr<const registry::QueryPlan> plan, uint32_t rows,
         std::vector<bool> shared_groups);

  const registry::Revision& revision() const { return *revision_; }
  const registry::QueryPlan& plan() const { return *plan_; }
  uint32_t rows() const { return rows_; }
  uint32_t rows(size_t group) const {
    return shared_groups_[group] ? 1 : rows_;
  }
  const registry::FeatureGroup& group(size_t g) const {
    return revision_->group(plan_->groups[g]);
  }

  // Makes room for so many segments beside the first. REQUIRES: no other thread
  // uses the answer.
  void AddSegments(size_t segments) {
    segments_.resize(segments_.size() + segments);
  }
  size_t segments() const { return segments_.size(); }

  // Puts or replaces the row of a group; the bytes are copied, into `segment`
  // where they do not fit into the place that the row has. An empty span stands
  // for the group's default row.
  void Put(size_t group, uint32_t row, std::span<const std::byte> bytes,
           const RowFreshness& freshness, size_t segment = 0);

  // Values in all: rows times features.
  size_t values() const;

  std::span<const std::byte> bytes(size_t group, uint32_t row) const;
  const RowFreshness& freshness(size_t group, uint32_t row) const {
    return slots_[Index(group, row)].freshness;
  }
  // Whose row it is, and how many events the key had when the answer was made;
  // kNoKey where nothing is known of the key.
  struct Subject {
    base::KeyId key = base::kNoKey;
    uint64_t events = 0;
  };
  const Subject& subject(size_t group, uint32_t row) const {
    return slots_[Index(group, row)].subject;
  }
  void NoteSubject(size_t group, uint32_t row, const Subject& subject) {
    slots_[Index(group, row)].subject = subject;
  }

  // Under which name outcomes of the answer are remembered; 0: they are not.
  uint64_t name() const { return name_; }
  void set_name(uint64_t name) { name_ = name; }

  // The highest price of worker time at which a refresh was given up, in gain
  // per worker-millisecond; 0: none was, or it was not for its price.
  double price() const { return price_; }
  void RaisePrice(double price) { price_ = std::max(price_, price); }

  RowFreshness& mutable_freshness(size_t group, uint32_t row) {
    return slots_[Index(group, row)].freshness;
  }

 private:
  struct Slot {
    RowFreshness freshness;
    Subject subject;
    bool is_default = true;
    uint32_t segment = 0;
    uint32_t offset = 0;
    uint32_t size = 0;
    uint32_t capacity = 0;
  };
  size_t Index(size_t group, uint32_t row) const {
    return first_slot_[group] + row;
  }

  std::shared_ptr<const registry::Revision> revision_;
  std::shared_ptr<const registry::QueryPlan> plan_;
  uint32_t rows_;
  double price_ = 0;
  uint64_t name_ = 0;
  std::vector<bool> shared_groups_;
  std::vector<size_t> first_slot_;  // per group
  std::vector<Slot> slots_;
  // The bytes of rows, each 8-aligned. More than one where several threads fill
  // the answer.
  std::vector<std::vector<std::byte>> segments_;
};

}  // namespace freshline::serve
