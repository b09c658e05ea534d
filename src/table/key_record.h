// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/time.h"
#include "registry/revision.h"
#include "table/event_buffer.h"
#include "table/table.h"

namespace freshline::table {

// Which sources and groups each entity has, and where their state stands in
// its records. Immutable.
struct TableSchema {
  explicit TableSchema(const registry::Revision& revision);

  struct OfSource {
    uint32_t entity = 0;
    uint32_t place = 0;        // among the entity's sources
    size_t columns_begin = 0;  // among the columns of all sources
    EventSchema events;
    std::vector<uint32_t> groups;  // places of the groups that read it
  };
  struct OfGroup {
    uint32_t entity = 0;
    uint32_t place = 0;   // among the entity's groups
    uint32_t source = 0;  // place of its source
  };
  struct OfEntity {
    std::vector<uint32_t> sources;  // indexes into `sources`
    std::vector<uint32_t> groups;   // indexes into `groups`
  };
  std::vector<OfSource> sources;   // as Revision::sources()
  std::vector<OfGroup> groups;     // as Revision::groups()
  std::vector<OfEntity> entities;  // as Revision::entities()
  size_t columns = 0;              // of all sources
};

// All that is known of one key. Not thread-safe: guarded by its shard.
class KeyRecord {
 public:
  // `schema` outlives this.
  KeyRecord(const TableSchema* schema, uint32_t entity, absl::string_view key,
            uint64_t hash);
  KeyRecord(const KeyRecord&) = delete;
  KeyRecord& operator=(const KeyRecord&) = delete;

  uint32_t entity() const { return entity_; }
  absl::string_view key() const { return {key_.data(), key_.size()}; }
  uint64_t hash() const { return hash_; }

  base::KeyId id() const { return id_; }
  void set_id(base::KeyId id) { id_ = id; }

  // REQUIRES of all below: source and group belong to the record's entity.
  const EventBuffer& events(const TableSchema::OfSource& source) const {
    return buffers_[source.place];
  }
  StoredRow row(const TableSchema::OfGroup& group) const;
  Signals signals(const TableSchema::OfGroup& group) const;

  // As EventBuffer::WindowTime, of the source's events.
  base::UnixMicros WindowTime(const TableSchema::OfSource& source,
                              base::UnixMicros now_us) const;

  // Whether an event of this time would be LATE.
  bool IsLate(const TableSchema::OfSource& source, base::UnixMicros time_us,
              base::UnixMicros now_us) const;

  // Inserts an event that is not late, and counts it as pending.
  void Append(const TableSchema::OfSource& source, const Event& event,
              base::Seq sequence, base::UnixMicros now_us);

  // Whether this has seen more than the stored row (Table::Commit).
  bool IsNews(const TableSchema::OfGroup& group, AsOf as_of,
              base::Fidelity fidelity) const;
  // Bytes set aside for the row of a group.
  size_t row_capacity(const TableSchema::OfGroup& group) const {
    return rows_[group.place].bytes.capacity();
  }
  // Returns whether it replaces a row that NoteRead() was never called for.
  bool Commit(const TableSchema::OfGroup& group, const StoredRow& computed);

  void NoteRead(const TableSchema::OfGroup& group) const {
    rows_[group.place].unread = false;
  }

  // As Table::NoteLoss.
  void NoteLoss(const TableSchema::OfGroup& group, double loss);

  // Trims what has expired. Returns whether any event is left.
  bool Expire(base::UnixMicros now_us);

  size_t events() const;  // stored, of all sources
  size_t bytes() const;
  size_t MeasureBytes() const;

 private:
  static constexpr float kNoRegret = -1;  // no loss was reported
  struct Row {
    std::vector<std::byte> bytes;
    AsOf as_of;
    base::UnixMicros event_time_us = 0;
    base::UnixMicros holds_until_us = kHoldsForEver;
    base::UnixMicros first_pending_us = 0;
    uint32_t pending = 0;
    base::Fidelity fidelity = base::Fidelity::kFull;
    mutable bool unread = false;
    float regret = kNoRegret;
  };
  size_t FixedBytes() const;

  const TableSchema* schema_;
  const uint32_t entity_;
  const uint64_t hash_;
  base::KeyId id_ = base::kNoKey;
  const std::string key_;
  std::vector<EventBuffer> buffers_;  // by place of the source
  std::vector<Row> rows_;             // by place of the group
};

}  // namespace freshline::table
