// SPDX-License-Identifier: Apache-2.0
#include "table/event_buffer.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "base/check.h"

namespace freshline::table {

using base::Seq;
using base::UnixMicros;
using registry::Scalar;

namespace {

constexpr uint32_t kFirstCapacity = 4;
constexpr uint32_t kEventsMaxLimit = 1 << 24;

UnixMicros ToMicros(base::Duration d) {
  return std::chrono::duration_cast<std::chrono::microseconds>(d).count();
}

// What a string takes outside of itself.
size_t HeapBytes(const std::string& s) {
  static const size_t in_place = std::string().capacity();
  return s.capacity() > in_place ? s.capacity() + 1 : 0;
}

}  // namespace

EventSchema::EventSchema(const registry::Source& source)
    : retention_us(ToMicros(source.retention)),
      lateness_us(ToMicros(source.allowed_lateness)),
      events_max(source.events_max) {
  FRESHLINE_CHECK(retention_us > 0);
  FRESHLINE_CHECK(lateness_us >= 0);
  FRESHLINE_CHECK(events_max > 0 && events_max <= kEventsMaxLimit);
  // The room above events_max makes dropping the oldest O(1) in the mean.
  capacity_max = events_max + std::max<uint32_t>(1, events_max / 4);
  size_t at = sizeof(UnixMicros) + sizeof(Seq);
  for (const registry::EventColumn& column : source.columns) {
    types.push_back(column.type);
    offsets.push_back(at);
    at += column.type == Scalar::kString ? sizeof(std::string) : 8;
  }
  nulls_offset = at;
  event_bytes = at + types.size();
}

EventBuffer::EventBuffer(EventBuffer&& other) noexcept
    : schema_(other.schema_),
      block_(std::exchange(other.block_, {})),
      begin_(other.begin_),
      size_(std::exchange(other.size_, 0)),
      string_bytes_(std::exchange(other.string_bytes_, 0)),
      newest_time_us_(other.newest_time_us_),
      dropped_to_us_(other.dropped_to_us_),
      dropped_from_us_(other.dropped_from_us_),
      newest_sequence_(other.newest_sequence_),
      accepted_(other.accepted_) {}

size_t EventBuffer::BlockBytes(uint32_t capacity) const {
  if (capacity == 0) return 0;
  const size_t events = (capacity * schema_->event_bytes + 7) & ~size_t{7};
  return events + schema_->types.size() * sizeof(uint32_t);
}

uint32_t* EventBuffer::null_counts(const Block& b) const {
  return reinterpret_cast<uint32_t*>(b.data + BlockBytes(b.capacity)) -
         schema_->types.size();
}

EventBuffer::Block EventBuffer::MakeBlock(uint32_t capacity) const {
  const Block b{static_cast<std::byte*>(::operator new(BlockBytes(capacity))),
                capacity};
  for (size_t c = 0; c < schema_->types.size(); ++c) {
    if (schema_->types[c] == Scalar::kString) {
      std::uninitialized_default_construct_n(strings(b, c), capacity);
    }
    null_counts(b)[c] = 0;
  }
  return b;
}

void EventBuffer::FreeBlock() {
  if (block_.data == nullptr) return;
  for (size_t c = 0; c < schema_->types.size(); ++c) {
    if (schema_->types[c] == Scalar::kString) {
      std::destroy_n(strings(block_, c), block_.capacity);
    }
  }
  ::operator delete(block_.data);
  block_ = {};
  begin_ = 0;
  size_ = 0;
  string_bytes_ = 0;
}

void EventBuffer::MoveEvents(const Block& to) {
  const auto move = [&](auto* into, const auto* from) {
    if (size_ > 0) std::memmove(into, from + begin_, size_ * sizeof(*from));
  };
  move(times(to), times(block_));
  move(sequences(to), sequences(block_));
  for (size_t c = 0; c < schema_->types.size(); ++c) {
    if (schema_->types[c] == Scalar::kString) {
      std::string* from = strings(block_, c) + begin_;
      if (strings(to, c) != from) std::move(from, from + size_, strings(to, c));
    } else {
      move(reinterpret_cast<int64_t*>(column(to, c)),
           reinterpret_cast<const int64_t*>(column(block_, c)));
    }
    move(nulls(to, c), nulls(block_, c));
    null_counts(to)[c] = null_counts(block_)[c];
  }
}

void EventBuffer::Reallocate(uint32_t capacity) {
  FRESHLINE_DCHECK(capacity >= size_);
  const Block to = MakeBlock(capacity);
  const uint32_t size = size_;
  const size_t string_bytes = string_bytes_;
  if (block_.data != nullptr) MoveEvents(to);
  FreeBlock();
  block_ = to;
  size_ = size;
  string_bytes_ = string_bytes;
}

void EventBuffer::ReserveOne() {
  if (begin_ + size_ < block_.capacity) return;
  const uint32_t max = schema_->capacity_max;
  if (begin_ > 0 && (block_.capacity >= max || begin_ >= block_.capacity / 4)) {
    MoveEvents(block_);
    begin_ = 0;
    return;
  }
  FRESHLINE_CHECK(block_.capacity < max);
  Reallocate(std::min(max, std::max(kFirstCapacity, block_.capacity * 2)));
}

void EventBuffer::RecordDrop(UnixMicros time_us) {
  dropped_from_us_ =
      truncated() ? std::min(dropped_from_us_, time_us) : time_us;
  dropped_to_us_ = std::max(dropped_to_us_, time_us);
}

void EventBuffer::Drop(size_t rank) {
  const size_t at = begin_ + rank;
  for (size_t c = 0; c < schema_->types.size(); ++c) {
    null_counts(block_)[c] -= nulls(block_, c)[at];
    if (schema_->types[c] != Scalar::kString) continue;
    std::string dropped;
    dropped.swap(strings(block_, c)[at]);
    string_bytes_ -= HeapBytes(dropped);
  }
  if (rank > 0) {
    CloseGap(at);
    --size_;
    return;
  }
  --size_;
  begin_ = size_ == 0 ? 0 : begin_ + 1;
}

size_t EventBuffer::RankToDrop(size_t rank, UnixMicros now_us) const {
  const UnixMicros* const stored = times(block_) + begin_;
  if (stored[size_ - 1] > now_us) {
    const Seq* const first = sequences(block_) + begin_;
    const auto arrived_first =
        static_cast<size_t>(std::min_element(first, first + size_) - first);
    if (stored[arrived_first] > now_us) return arrived_first;
  }
  return rank == 0 ? size_ : 0;
}

void EventBuffer::OpenGap(size_t at) {
  const size_t end = begin_ + size_;
  if (at == end) return;
  const auto move = [&](auto* array) {
    std::memmove(array + at + 1, array + at, (end - at) * sizeof(*array));
  };
  move(times(block_));
  move(sequences(block_));
  for (size_t c = 0; c < schema_->types.size(); ++c) {
    if (schema_->types[c] == Scalar::kString) {
      std::string* s = strings(block_, c);
      std::move_backward(s + at, s + end, s + end + 1);
      s[at].clear();
    } else {
      move(reinterpret_cast<int64_t*>(column(block_, c)));
    }
    move(nulls(block_, c));
  }
}

void EventBuffer::CloseGap(size_t at) {
  const size_t end = begin_ + size_;
  const auto move = [&](auto* array) {
    std::memmove(array + at, array + at + 1, (end - at - 1) * sizeof(*array));
  };
  move(times(block_));
  move(sequences(block_));
  for (size_t c = 0; c < schema_->types.size(); ++c) {
    if (schema_->types[c] == Scalar::kString) {
      std::string* s = strings(block_, c);
      std::move(s + at + 1, s + end, s + at);
    } else {
      move(reinterpret_cast<int64_t*>(column(block_, c)));
    }
    move(nulls(block_, c));
  }
}

void EventBuffer::SetCell(size_t c, size_t at, const Cell& cell) {
  bool is_null = false;
  int64_t bits = 0;
  if (schema_->types[c] == Scalar::kString) {
    const auto* value = std::get_if<absl::string_view>(&cell);
    is_null = value == nullptr;
    if (!is_null) {
      // A string made to measure has no spare capacity.
      std::string stored(value->data(), value->size());
      string_bytes_ += HeapBytes(stored);
      strings(block_, c)[at].swap(stored);
    }
  } else {
    if (schema_->types[c] == Scalar::kFloat64) {
      const auto* value = std::get_if<double>(&cell);
      is_null = value == nullptr;
      if (!is_null) std::memcpy(&bits, value, sizeof(bits));
    } else {
      const auto* value = std::get_if<int64_t>(&cell);
      is_null = value == nullptr;
      if (!is_null) bits = *value;
    }
    std::memcpy(column(block_, c) + at * sizeof(bits), &bits, sizeof(bits));
  }
  if (is_null && !std::holds_alternative<std::monostate>(cell)) {
    FRESHLINE_BUG("a cell of another type than its column");
  }
  nulls(block_, c)[at] = is_null ? 1 : 0;
  null_counts(block_)[c] += is_null ? 1 : 0;
}

void EventBuffer::Insert(const Event& event, Seq sequence, UnixMicros now_us) {
  FRESHLINE_CHECK(event.cells.size() == schema_->types.size());
  FRESHLINE_DCHECK(sequence > newest_sequence_);
  ++accepted_;
  newest_sequence_ = sequence;
  const UnixMicros time_us = event.event_time_us;
  newest_time_us_ = std::max(newest_time_us_, time_us);

  // From the end: most events arrive in order.
  size_t rank = size_;
  if (size_ > 0 && times(block_)[begin_ + size_ - 1] > time_us) {
    const UnixMicros* first = times(block_) + begin_;
    rank = static_cast<size_t>(std::upper_bound(first, first + size_, time_us) -
                               first);
  }
  if (size_ == schema_->events_max) {
    const size_t drop = RankToDrop(rank, now_us);
    if (drop == size_) return RecordDrop(time_us);
    RecordDrop(times(block_)[begin_ + drop]);
    Drop(drop);
    if (drop < rank) --rank;
  }
  ReserveOne();
  const size_t at = begin_ + rank;
  OpenGap(at);
  times(block_)[at] = time_us;
  sequences(block_)[at] = sequence;
  for (size_t c = 0; c < schema_->types.size(); ++c) {
    SetCell(c, at, event.cells[c]);
  }
  ++size_;
}

size_t EventBuffer::Trim(UnixMicros cutoff_us) {
  if (dropped_to_us_ <= cutoff_us) dropped_to_us_ = dropped_from_us_ = kNever;
  size_t dropped = 0;
  while (size_ > 0 && times(block_)[begin_] <= cutoff_us) {
    Drop(0);
    ++dropped;
  }
  return dropped;
}

void EventBuffer::Shrink() {
  if (size_ == 0) {
    FreeBlock();
  } else if (block_.capacity > kFirstCapacity && size_ <= block_.capacity / 4) {
    Reallocate(
        std::min(schema_->capacity_max, std::max(kFirstCapacity, size_ * 2)));
  }
}

uint32_t EventBuffer::CountBy(UnixMicros time_us) const {
  if (size_ == 0 || times(block_)[begin_] > time_us) return 0;
  const UnixMicros* const first = times(block_) + begin_;
  return static_cast<uint32_t>(std::upper_bound(first, first + size_, time_us) -
                               first);
}

EventView EventBuffer::View(std::span<ColumnView> columns,
                            UnixMicros cutoff_us) const {
  FRESHLINE_DCHECK(columns.size() == schema_->types.size());
  const uint32_t expired = CountBy(cutoff_us);
  EventView view;
  view.size = size_ - expired;
  view.columns = columns;
  view.retention_us = schema_->retention_us;
  if (truncated() && dropped_to_us_ > cutoff_us) {
    view.truncated = true;
    view.dropped_to_us = dropped_to_us_;
  }
  if (view.empty()) {
    for (size_t c = 0; c < columns.size(); ++c) {
      columns[c] = {};
      columns[c].type = schema_->types[c];
    }
    return view;
  }
  const uint32_t begin = begin_ + expired;
  for (size_t c = 0; c < columns.size(); ++c) {
    ColumnView cells;
    cells.type = schema_->types[c];
    const std::byte* const stored = column(block_, c);
    if (cells.type == Scalar::kString) {
      cells.strings = strings(block_, c) + begin;
    } else if (cells.type == Scalar::kFloat64) {
      cells.doubles = reinterpret_cast<const double*>(stored) + begin;
    } else {
      cells.ints = reinterpret_cast<const int64_t*>(stored) + begin;
    }
    if (null_counts(block_)[c] > 0) cells.nulls = nulls(block_, c) + begin;
    columns[c] = cells;
  }
  view.event_time_us = times(block_) + begin;
  view.sequence = sequences(block_) + begin;
  return view;
}

UnixMicros EventBuffer::WindowTime(UnixMicros now_us) const {
  const UnixMicros cutoff_us = now_us - schema_->retention_us;
  const uint32_t expired = CountBy(cutoff_us);
  if (expired == size_) return now_us;
  if (dropped_to_us_ > cutoff_us && dropped_from_us_ <= now_us) return now_us;
  const UnixMicros* const stored = times(block_) + begin_;
  return stored[expired] > now_us ? stored[size_ - 1] : now_us;
}

UnixMicros EventBuffer::NewestBy(UnixMicros now_us) const {
  if (newest_time_us_ <= now_us) return newest_time_us_;
  const uint32_t not_ahead = CountBy(now_us);
  return not_ahead == 0 ? kNever : times(block_)[begin_ + not_ahead - 1];
}

uint32_t EventBuffer::CountAfter(Seq sequence) const {
  if (sequence >= newest_sequence_ || size_ == 0) return 0;
  const Seq* first = sequences(block_) + begin_;
  return static_cast<uint32_t>(
      std::count_if(first, first + size_, [&](Seq s) { return s > sequence; }));
}

size_t EventBuffer::MeasureBytes() const {
  size_t bytes = BlockBytes(block_.capacity);
  for (size_t c = 0; c < schema_->types.size(); ++c) {
    if (schema_->types[c] != Scalar::kString) continue;
    for (size_t i = 0; i < block_.capacity; ++i) {
      bytes += HeapBytes(strings(block_, c)[i]);
    }
  }
  return bytes;
}

}  // namespace freshline::table
