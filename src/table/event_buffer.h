// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "registry/revision.h"
#include "table/event_view.h"
#include "table/table.h"

namespace freshline::table {

// What every buffer of one source has in common. Immutable.
struct EventSchema {
  explicit EventSchema(const registry::Source& source);

  std::vector<registry::Scalar> types;  // of the columns
  // Where column c starts, per event of capacity, behind times and sequences.
  std::vector<size_t> offsets;
  size_t nulls_offset = 0;  // of the NULL flags, alike
  size_t event_bytes = 0;   // of one event, NULL flags included
  base::UnixMicros retention_us = 0;
  base::UnixMicros lateness_us = 0;
  uint32_t events_max = 0;
  uint32_t capacity_max = 0;  // events_max and some room to drop the oldest
};

// The events of one key from one source, in columns, ordered by (event time,
// sequence): one block of memory that doubles as it fills, up to the schema's
// cap; what is dropped leaves room that is used again or given back.
//
// Not thread-safe. Invariant: bytes() is what the block and the strings beyond
// their in-place storage take, kept as they change.
class EventBuffer {
 public:
  // No event was ever inserted.
  static constexpr base::UnixMicros kNever =
      std::numeric_limits<base::UnixMicros>::min();

  // `schema` outlives this.
  explicit EventBuffer(const EventSchema* schema) : schema_(schema) {}
  ~EventBuffer() { FreeBlock(); }
  EventBuffer(EventBuffer&& other) noexcept;
  EventBuffer(const EventBuffer&) = delete;
  EventBuffer& operator=(const EventBuffer&) = delete;

  // Inserts behind every event of the same or an earlier time. At events_max
  // the oldest is dropped, which is the new one where it precedes all others;
  // but if the first to have arrived is ahead of now_us, that one goes. So an
  // event from a fast clock counts as no newer than when it came: it neither
  // outlives the honest ones that came after it nor keeps a new one out.
  // REQUIRES: `sequence` is above every earlier one; one cell per column, NULL
  // or of the column's type. Cost: O(log n) and a move of the later events; at
  // events_max O(n) while the last event is ahead.
  void Insert(const Event& event, base::Seq sequence, base::UnixMicros now_us);

  // Drops the events with time <= cutoff_us, and forgets earlier drops that
  // windows behind the cutoff cannot reach. Returns the number dropped.
  size_t Trim(base::UnixMicros cutoff_us);

  // Reallocates the block where at most a quarter of it is used.
  void Shrink();

  // Fills `columns` and returns a view of it and of this, valid until the next
  // change of either: as it were after Trim(cutoff_us), which changes nothing
  // here. REQUIRES: columns.size() == types.size().
  EventView View(std::span<ColumnView> columns,
                 base::UnixMicros cutoff_us = kNever) const;

  uint32_t size() const { return size_; }
  size_t bytes() const { return BlockBytes(block_.capacity) + string_bytes_; }
  // bytes(), measured afresh. Cost: O(events).
  size_t MeasureBytes() const;

  // The t at which the windows (t - w, ...] of these events stand: now_us; but
  // the newest event time where every event within the retention is ahead of
  // now_us, those that the cap dropped included, since then the clocks of the
  // event's sender and of this machine disagree, and nothing else is known of
  // time. So no event from a fast clock moves the windows of others.
  base::UnixMicros WindowTime(base::UnixMicros now_us) const;

  // The time that lateness counts from: of the newest event ever inserted that
  // is not ahead of now_us; kNever: none. Where only events ahead of now_us
  // were inserted, and their like dropped since, none. O(log n) at most.
  base::UnixMicros NewestBy(base::UnixMicros now_us) const;

  // Of all events ever inserted: newest sequence (0: none), number.
  base::Seq newest_sequence() const { return newest_sequence_; }
  uint64_t accepted() const { return accepted_; }
  // Stored events with a larger sequence. O(n).
  uint32_t CountAfter(base::Seq sequence) const;

 private:
  // Where the arrays stand in a block of some capacity: times, sequences, one
  // array per column, NULL flags [capacity] per column, then the number of
  // NULLs of each column. Cells behind the events hold empty strings.
  struct Block {
    std::byte* data = nullptr;
    uint32_t capacity = 0;
  };
  base::UnixMicros* times(const Block& b) const {
    return reinterpret_cast<base::UnixMicros*>(b.data);
  }
  base::Seq* sequences(const Block& b) const {
    return reinterpret_cast<base::Seq*>(b.data + b.capacity * sizeof(int64_t));
  }
  std::byte* column(const Block& b, size_t c) const {
    return b.data + b.capacity * schema_->offsets[c];
  }
  std::string* strings(const Block& b, size_t c) const {
    return reinterpret_cast<std::string*>(column(b, c));
  }
  uint8_t* nulls(const Block& b, size_t c) const {
    return reinterpret_cast<uint8_t*>(b.data +
                                      b.capacity * (schema_->nulls_offset + c));
  }
  uint32_t* null_counts(const Block& b) const;
  size_t BlockBytes(uint32_t capacity) const;

  Block MakeBlock(uint32_t capacity) const;
  void FreeBlock();
  // Stored events with time <= time_us; they are the first ones.
  uint32_t CountBy(base::UnixMicros time_us) const;
  // Moves the events to the front of `to`, another block or this one.
  void MoveEvents(const Block& to);
  void Reallocate(uint32_t capacity);
  void ReserveOne();
  void Drop(size_t rank);
  // At events_max: which event goes for a new one, which has `rank`; none
  // (size_): the new one.
  size_t RankToDrop(size_t rank, base::UnixMicros now_us) const;
  bool truncated() const { return dropped_to_us_ != kNever; }
  void RecordDrop(base::UnixMicros time_us);
  // Moves the events from `at` on up by one.
  void OpenGap(size_t at);
  // Moves the events behind `at` down by one, onto it, whose strings are empty.
  void CloseGap(size_t at);
  void SetCell(size_t c, size_t at, const Cell& cell);

  const EventSchema* schema_;
  Block block_;
  uint32_t begin_ = 0;  // events are [begin_, begin_ + size_)
  uint32_t size_ = 0;
  size_t string_bytes_ = 0;
  base::UnixMicros newest_time_us_ = kNever;
  // Times of the newest and the oldest event that the cap dropped, as far as
  // Trim() has not forgotten them; kNever: none.
  base::UnixMicros dropped_to_us_ = kNever;
  base::UnixMicros dropped_from_us_ = kNever;
  base::Seq newest_sequence_ = 0;
  uint64_t accepted_ = 0;
};

}  // namespace freshline::table
