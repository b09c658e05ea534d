// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "base/job_shape.h"
#include "base/time.h"
#include "registry/revision.h"
#include "registry/row_layout.h"
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
// Bounds: `bytes_max`, what the answer may take when it is encoded, by an
// estimate from above (numbers count as their longest). What would go beyond
// it is not stored, and the answer is not to be given: overflown(). Memory is
// what the rows take, each row that is given twice once, and of each row only
// the strings and lists that the plan asks for.
//
// Thread-safety: handed from thread to thread; but threads that Put() different
// rows may do so at once, each into a segment of its own.
class Answer {
 public:
  Answer(std::shared_ptr<const registry::Revision> revision,
         std::shared_ptr<const registry::QueryPlan> plan, uint32_t rows,
         std::vector<bool> shared_groups,
         size_t bytes_max = std::numeric_limits<size_t>::max());

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

  // Puts or replaces the row of a group; the bytes are copied, into `segment`
  // where they do not fit into the place that the row has. An empty span stands
  // for the group's default row. Does nothing where the answer is overflown, or
  // would be by it.
  void Put(size_t group, uint32_t row, std::span<const std::byte> bytes,
           const RowFreshness& freshness, size_t segment = 0);

  // Values in all: rows times features.
  size_t values() const;

  // Makes `row` what the row `as` is now, without storing it again. It is
  // counted even where the answer is overflown.
  void Repeat(size_t group, uint32_t row, uint32_t as);

  // Something did not fit, and was left out.
  bool overflown() const { return overflown_.Get() > 0; }
  // How many of the first rows would fit: of the rows that were put, exactly;
  // of others, as large as those of their group in the mean.
  uint32_t RowsThatFit() const;
  size_t bytes_max() const { return bytes_max_; }

  // What one feature is worth in one row: where there is no value and a default
  // is declared, that is DEFAULTED; a value of a row beyond its max age is
  // OUTSIDE_MAX_AGE. `*view` becomes the row that holds the value, if it has
  // one (RowView::has_value).
  registry::ValueStatus Value(size_t group, uint32_t row, size_t feature,
                              registry::RowView* view) const;

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
    uint32_t capacity = 0;    // 0: none of its own to overwrite
    uint32_t wire_bytes = 0;  // counted in wire_bytes_; 0: not put yet
  };
  // How rows of one group are stored and what they take on the wire.
  struct Shape {
    explicit Shape(const registry::FeatureGroup& group)
        : wanted(group.features.size(), false) {}
    std::vector<bool> wanted;  // features that the plan asks for
    bool projected = false;    // strings or lists are left out
    size_t wire_fixed = 0;     // of every row, freshness included
    bool wide_heap = false;    // lists of integers, longer than stored
  };
  // A sum that several threads add to; copied when they do not. Relaxed.
  class Tally {
   public:
    Tally() = default;
    Tally(const Tally& other) : sum_(other.Get()) {}
    Tally& operator=(const Tally& other) {
      sum_.store(other.Get(), std::memory_order_relaxed);
      return *this;
    }
    size_t Get() const { return sum_.load(std::memory_order_relaxed); }
    // Returns the new sum. What is below 0 counts modulo 2^64.
    size_t Add(size_t more) {
      return sum_.fetch_add(more, std::memory_order_relaxed) + more;
    }

   private:
    std::atomic<size_t> sum_{0};
  };
  struct Segment {
    registry::RowBytes bytes;       // of rows, each 8-aligned
    registry::RowBytes projection;  // of the last one that was put
  };
  std::vector<Shape> MakeShapes() const;
  size_t WireBytes(size_t group, std::span<const std::byte> bytes) const;
  // Counts the slot anew. Returns: whether it fits.
  bool Count(Slot* slot, size_t wire_bytes);
  size_t Index(size_t group, uint32_t row) const {
    return first_slot_[group] + row;
  }

  std::shared_ptr<const registry::Revision> revision_;
  std::shared_ptr<const registry::QueryPlan> plan_;
  uint32_t rows_;
  double price_ = 0;
  uint64_t name_ = 0;
  size_t bytes_max_;
  Tally wire_bytes_;
  Tally overflown_;
  std::vector<Shape> shapes_;  // per group
  std::vector<bool> shared_groups_;
  std::vector<size_t> first_slot_;  // per group
  std::vector<Slot> slots_;
  // More than one where several threads fill the answer.
  std::vector<Segment> segments_;
};

}  // namespace freshline::serve
