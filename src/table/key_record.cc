// SPDX-License-Identifier: Apache-2.0
#include "table/key_record.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace freshline::table {

using base::Fidelity;
using base::Seq;
using base::UnixMicros;

namespace {

// Of one key in a shard: its slot, and its entry in an index that is on
// average two thirds full.
constexpr size_t kSlotBytes = 16;
constexpr size_t kIndexBytes = 27;

}  // namespace

TableSchema::TableSchema(const registry::Revision& revision)
    : entities(revision.entities().size()) {
  for (const registry::Source& source : revision.sources()) {
    FRESHLINE_CHECK(source.entity < entities.size());
    std::vector<uint32_t>& of_entity = entities[source.entity].sources;
    of_entity.push_back(static_cast<uint32_t>(sources.size()));
    sources.push_back({source.entity,
                       static_cast<uint32_t>(of_entity.size() - 1),
                       columns,
                       EventSchema(source),
                       {}});
    columns += source.columns.size();
  }
  for (const registry::FeatureGroup& group : revision.groups()) {
    FRESHLINE_CHECK(group.source < sources.size());
    OfSource& source = sources[group.source];
    std::vector<uint32_t>& of_entity = entities[source.entity].groups;
    const auto place = static_cast<uint32_t>(of_entity.size());
    of_entity.push_back(static_cast<uint32_t>(groups.size()));
    groups.push_back({source.entity, place, source.place});
    source.groups.push_back(place);
  }
}

KeyRecord::KeyRecord(const TableSchema* schema, uint32_t entity,
                     absl::string_view key, uint64_t hash)
    : schema_(schema),
      entity_(entity),
      hash_(hash),
      key_(key.data(), key.size()),
      rows_(schema->entities[entity].groups.size()) {
  const std::vector<uint32_t>& sources = schema->entities[entity].sources;
  buffers_.reserve(sources.size());
  for (uint32_t source : sources) {
    buffers_.emplace_back(&schema->sources[source].events);
  }
}

StoredRow KeyRecord::row(const TableSchema::OfGroup& group) const {
  const Row& row = rows_[group.place];
  return {row.bytes, row.as_of, row.event_time_us, row.fidelity,
          row.holds_until_us};
}

Signals KeyRecord::signals(const TableSchema::OfGroup& group) const {
  const Row& row = rows_[group.place];
  const EventBuffer& events = buffers_[group.source];
  return {row.pending, events.accepted() - row.pending, row.first_pending_us,
          events.newest_sequence(), std::max(row.regret, 0.0F)};
}

UnixMicros KeyRecord::WindowTime(const TableSchema::OfSource& source,
                                 UnixMicros now_us) const {
  return buffers_[source.place].WindowTime(now_us);
}

bool KeyRecord::IsLate(const TableSchema::OfSource& source, UnixMicros time_us,
                       UnixMicros now_us) const {
  if (time_us <= now_us - source.events.retention_us) return true;
  const UnixMicros newest = buffers_[source.place].NewestBy(now_us);
  return newest != EventBuffer::kNever &&
         time_us < newest - source.events.lateness_us;
}

void KeyRecord::Append(const TableSchema::OfSource& source, const Event& event,
                       Seq sequence, UnixMicros now_us) {
  EventBuffer& events = buffers_[source.place];
  // First, so that the cap drops nothing in the place of what has expired.
  events.Trim(now_us - source.events.retention_us);
  events.Insert(event, sequence, now_us);
  for (uint32_t place : source.groups) {
    Row& row = rows_[place];
    if (row.pending++ == 0) row.first_pending_us = now_us;
  }
}

bool KeyRecord::IsNews(const TableSchema::OfGroup& group, AsOf as_of,
                       Fidelity fidelity) const {
  const Row& row = rows_[group.place];
  if (row.bytes.empty()) return true;
  if (as_of.sequence != row.as_of.sequence) {
    return as_of.sequence > row.as_of.sequence;
  }
  if (fidelity != row.fidelity) return fidelity == Fidelity::kFull;
  return as_of.time_us > row.as_of.time_us;
}

bool KeyRecord::Commit(const TableSchema::OfGroup& group,
                       const StoredRow& computed) {
  const std::span<const std::byte> bytes = computed.bytes;
  Row& row = rows_[group.place];
  if (bytes.size() > row.bytes.capacity()) {
    // Made to measure: rows of a group keep their size, or nearly.
    row.bytes = std::vector<std::byte>(bytes.begin(), bytes.end());
  } else {
    row.bytes.assign(bytes.begin(), bytes.end());
  }
  row.as_of = computed.as_of;
  row.event_time_us = computed.event_time_us;
  row.fidelity = computed.fidelity;
  row.holds_until_us = computed.holds_until_us;
  row.pending = buffers_[group.source].CountAfter(row.as_of.sequence);
  row.first_pending_us =
      row.pending == 0 ? 0 : std::max(row.first_pending_us, row.as_of.time_us);
  return std::exchange(row.unread, true);
}

void KeyRecord::NoteLoss(const TableSchema::OfGroup& group, double loss) {
  constexpr float kNewest = 0.25;
  float& regret = rows_[group.place].regret;
  const auto reported = static_cast<float>(loss);
  regret = regret < 0 ? reported : regret + kNewest * (reported - regret);
}

bool KeyRecord::Expire(UnixMicros now_us) {
  bool any = false;
  for (uint32_t s : schema_->entities[entity_].sources) {
    const TableSchema::OfSource& source = schema_->sources[s];
    EventBuffer& events = buffers_[source.place];
    events.Trim(now_us - source.events.retention_us);
    events.Shrink();
    any = any || events.size() > 0;
  }
  return any;
}

size_t KeyRecord::events() const {
  size_t n = 0;
  for (const EventBuffer& buffer : buffers_) n += buffer.size();
  return n;
}

size_t KeyRecord::FixedBytes() const {
  // key_ is const and made to measure.
  const size_t in_place = std::string().capacity();
  const size_t key = key_.size() > in_place ? key_.size() + 1 : 0;
  size_t bytes = sizeof(KeyRecord) + kSlotBytes + kIndexBytes + key +
                 buffers_.size() * sizeof(EventBuffer) +
                 rows_.size() * sizeof(Row);
  for (const Row& row : rows_) bytes += row.bytes.capacity();
  return bytes;
}

size_t KeyRecord::bytes() const {
  size_t bytes = FixedBytes();
  for (const EventBuffer& buffer : buffers_) bytes += buffer.bytes();
  return bytes;
}

size_t KeyRecord::MeasureBytes() const {
  size_t bytes = FixedBytes();
  for (const EventBuffer& buffer : buffers_) bytes += buffer.MeasureBytes();
  return bytes;
}

}  // namespace freshline::table
