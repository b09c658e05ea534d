// SPDX-License-Identifier: Apache-2.0
#include "table/table.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstring>
#include <deque>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/check.h"
#include "base/mutex.h"
#include "base/random.h"
#include "table/event_buffer.h"
#include "table/key_record.h"

namespace freshline::table {

using base::GroupId;
using base::KeyId;
using base::MutexLock;
using base::Seq;
using base::UnixMicros;

namespace {

// A KeyId is generation | shard | slot, from the top.
constexpr int kSlotBits = 30;
constexpr int kShardBits = 10;
constexpr uint32_t kGenerationMax = (1 << 24) - 1;

// An index is split so that no insertion under the lock pays for moving all
// entries of the shard at once.
constexpr size_t kIndexParts = 16;

// Slots visited by Sweep() under one hold of a lock.
constexpr size_t kSweepHold = 32;

constexpr auto kRelaxed = std::memory_order_relaxed;

uint64_t HashKey(uint32_t entity, absl::string_view key) {
  uint64_t h = base::MixBits((uint64_t{entity} << 32) | key.size());
  size_t i = 0;
  for (; i + 8 <= key.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, key.data() + i, 8);
    h = base::MixBits(h ^ word);
  }
  if (i < key.size()) {
    uint64_t word = 0;
    std::memcpy(&word, key.data() + i, key.size() - i);
    h = base::MixBits(h ^ word);
  }
  return h;
}

struct Probe {
  uint64_t hash;
  uint32_t entity;
  absl::string_view key;
};

// The hash stands beside the pointer, so that growing touches no record.
struct IndexEntry {
  uint64_t hash;
  KeyRecord* record;
};

struct IndexHash {
  using is_transparent = void;
  size_t operator()(const IndexEntry& e) const { return e.hash; }
  size_t operator()(const Probe& p) const { return p.hash; }
};

struct IndexEq {
  using is_transparent = void;
  bool operator()(const IndexEntry& a, const IndexEntry& b) const {
    return a.record == b.record;
  }
  bool operator()(const IndexEntry& e, const Probe& p) const {
    return e.hash == p.hash && e.record->entity() == p.entity &&
           e.record->key() == p.key;
  }
};

using Index = absl::flat_hash_set<IndexEntry, IndexHash, IndexEq>;

struct Slot {
  std::unique_ptr<KeyRecord> record;
  uint32_t generation = 1;
};

struct Shard {
  base::Mutex mu;
  std::array<Index, kIndexParts> index ABSL_GUARDED_BY(mu);
  std::deque<Slot> slots ABSL_GUARDED_BY(mu);
  std::vector<uint32_t> free_slots ABSL_GUARDED_BY(mu);
  // Where a visitor's views are made, all sources side by side.
  std::vector<ColumnView> columns ABSL_GUARDED_BY(mu);

  Index& PartOf(uint64_t hash) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    return index[(hash >> 16) % kIndexParts];
  }
  KeyRecord* Find(const Probe& probe) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    const Index& part = PartOf(probe.hash);
    const auto it = part.find(probe);
    return it == part.end() ? nullptr : it->record;
  }
};

}  // namespace

struct Table::Rep {
  class LockedKey;

  Rep(std::shared_ptr<const registry::Revision> r, TableOptions o)
      : revision(std::move(r)),
        options(o),
        bytes_hard_max(o.bytes_max + o.bytes_max / 4),
        schema(*revision),
        shards(o.shards) {
    for (Shard& shard : shards) {
      MutexLock lock(&shard.mu);
      shard.columns.resize(schema.columns);
    }
  }

  Shard& ShardOf(uint64_t hash) {
    return shards[(hash >> 48) & (shards.size() - 1)];
  }
  // nullptr for an id that was never issued.
  Shard* ShardOf(KeyId id) {
    const uint64_t at =
        (base::ToInt(id) >> kSlotBits) & ((1 << kShardBits) - 1);
    return at < shards.size() ? &shards[at] : nullptr;
  }
  KeyRecord* Find(Shard& shard, KeyId id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu) {
    const uint64_t slot = base::ToInt(id) & ((uint64_t{1} << kSlotBits) - 1);
    if (slot >= shard.slots.size()) return nullptr;
    const Slot& s = shard.slots[slot];
    const uint64_t generation = base::ToInt(id) >> (kSlotBits + kShardBits);
    return s.generation == generation ? s.record.get() : nullptr;
  }

  // nullptr at the cap of keys or bytes.
  KeyRecord* MakeKey(Shard& shard, const Probe& probe)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  // Takes a key out of its slot and the index; the caller frees it, better
  // without the lock.
  std::unique_ptr<KeyRecord> Remove(Shard& shard, Slot* slot, uint64_t at)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(shard.mu);
  // Visits `visits` slots from `at` on. Returns the number of keys removed.
  size_t SweepSlots(Shard& shard, size_t at, size_t visits, UnixMicros now_us);

  void AddBytes(size_t before, size_t after) {
    if (after != before) bytes.fetch_add(after - before, kRelaxed);
  }
  void AddEvents(size_t before, size_t after) {
    if (after != before) events.fetch_add(after - before, kRelaxed);
  }

  const std::shared_ptr<const registry::Revision> revision;
  const TableOptions options;
  const uint64_t bytes_hard_max;
  const TableSchema schema;
  std::vector<Shard> shards;

  // Advanced under the lock of the event's shard. Relaxed is enough for
  // invariant (1): who reads n under that lock reads it before the increment
  // of every event that the lock admits later.
  std::atomic<Seq> newest{0};
  // Statistics and soft limits. Relaxed.
  std::atomic<uint64_t> keys{0};
  std::atomic<uint64_t> bytes{0};
  std::atomic<uint64_t> events{0};
  std::atomic<uint64_t> keys_expired{0};
  std::atomic<uint64_t> appends_refused{0};
  std::atomic<uint64_t> rows_unread{0};

  // Where the next Sweep() goes on. Taken before a shard's lock.
  base::Mutex sweep_mu;
  size_t sweep_shard ABSL_GUARDED_BY(sweep_mu) = 0;
  size_t sweep_slot ABSL_GUARDED_BY(sweep_mu) = 0;
};

// One key under its shard's lock.
class Table::Rep::LockedKey final : public KeyView {
 public:
  LockedKey(const TableSchema& schema, const KeyRecord& record,
            std::span<ColumnView> columns)
      : schema_(schema), record_(record), columns_(columns) {}

  KeyId id() const override { return record_.id(); }

  EventView events(uint32_t source, UnixMicros now_us) const override {
    return View(source, now_us - schema_.sources[source].events.retention_us);
  }
  EventView events(uint32_t source) const override {
    return View(source, EventBuffer::kNever);
  }

  StoredRow row(GroupId group) const override {
    const TableSchema::OfGroup& g = schema_.groups[base::ToInt(group)];
    return g.entity == record_.entity() ? record_.row(g) : StoredRow{};
  }

  Signals signals(GroupId group) const override {
    const TableSchema::OfGroup& g = schema_.groups[base::ToInt(group)];
    return g.entity == record_.entity() ? record_.signals(g) : Signals{};
  }

  void NoteRead(GroupId group) const override {
    const TableSchema::OfGroup& g = schema_.groups[base::ToInt(group)];
    if (g.entity == record_.entity()) record_.NoteRead(g);
  }

  UnixMicros window_time_us(uint32_t source, UnixMicros now_us) const override {
    const TableSchema::OfSource& s = schema_.sources[source];
    return s.entity == record_.entity() ? record_.WindowTime(s, now_us)
                                        : now_us;
  }

 private:
  EventView View(uint32_t source, UnixMicros cutoff_us) const {
    const TableSchema::OfSource& s = schema_.sources[source];
    if (s.entity != record_.entity()) return {};
    return record_.events(s).View(
        columns_.subspan(s.columns_begin, s.events.types.size()), cutoff_us);
  }

  const TableSchema& schema_;
  const KeyRecord& record_;
  const std::span<ColumnView> columns_;
};

KeyRecord* Table::Rep::MakeKey(Shard& shard, const Probe& probe) {
  if (bytes.load(kRelaxed) >= options.bytes_max) return nullptr;
  // Counted first: threads in other shards do the same at this moment.
  if (keys.fetch_add(1, kRelaxed) >= options.keys_max) {
    keys.fetch_sub(1, kRelaxed);
    return nullptr;
  }
  uint64_t at = shard.slots.size();
  if (!shard.free_slots.empty()) {
    at = shard.free_slots.back();
    shard.free_slots.pop_back();
  } else if (at < (uint64_t{1} << kSlotBits)) {
    shard.slots.emplace_back();
  } else {
    keys.fetch_sub(1, kRelaxed);
    return nullptr;
  }
  Slot& slot = shard.slots[at];
  slot.record =
      std::make_unique<KeyRecord>(&schema, probe.entity, probe.key, probe.hash);
  const auto shard_index = static_cast<uint64_t>(&shard - shards.data());
  slot.record->set_id(
      KeyId{(uint64_t{slot.generation} << (kSlotBits + kShardBits)) |
            (shard_index << kSlotBits) | at});
  shard.PartOf(probe.hash).insert({probe.hash, slot.record.get()});
  AddBytes(0, slot.record->bytes());
  return slot.record.get();
}

std::unique_ptr<KeyRecord> Table::Rep::Remove(Shard& shard, Slot* slot,
                                              uint64_t at) {
  const KeyRecord& record = *slot->record;
  shard.PartOf(record.hash())
      .erase(Probe{record.hash(), record.entity(), record.key()});
  AddBytes(record.bytes(), 0);
  AddEvents(record.events(), 0);
  keys.fetch_sub(1, kRelaxed);
  keys_expired.fetch_add(1, kRelaxed);
  // A slot whose generations are used up is left empty for good: an old
  // handle must never name a new key.
  if (slot->generation < kGenerationMax) {
    ++slot->generation;
    shard.free_slots.push_back(static_cast<uint32_t>(at));
  }
  return std::move(slot->record);
}

size_t Table::Rep::SweepSlots(Shard& shard, size_t at, size_t visits,
                              UnixMicros now_us) {
  std::vector<std::unique_ptr<KeyRecord>> removed;
  MutexLock lock(&shard.mu);
  const size_t end = std::min(shard.slots.size(), at + visits);
  for (; at < end; ++at) {
    Slot& slot = shard.slots[at];
    if (slot.record == nullptr) continue;
    KeyRecord& record = *slot.record;
    const size_t bytes_before = record.bytes();
    const size_t events_before = record.events();
    const bool alive = record.Expire(now_us);
    AddBytes(bytes_before, record.bytes());
    AddEvents(events_before, record.events());
    if (!alive) removed.push_back(Remove(shard, &slot, at));
  }
  return removed.size();
}

Table::Table(std::shared_ptr<const registry::Revision> revision,
             TableOptions options) {
  FRESHLINE_CHECK(std::has_single_bit(options.shards) &&
                  options.shards <= (1u << kShardBits));
  FRESHLINE_CHECK(options.keys_max > 0 && options.bytes_max > 0);
  rep_ = std::make_unique<Rep>(std::move(revision), options);
}

Table::~Table() = default;

Table::Appended Table::Append(uint32_t source, absl::string_view key,
                              const Event& event, UnixMicros now_us) {
  const TableSchema::OfSource& s = rep_->schema.sources[source];
  const Probe probe{HashKey(s.entity, key), s.entity, key};
  Shard& shard = rep_->ShardOf(probe.hash);
  MutexLock lock(&shard.mu);
  KeyRecord* record = shard.Find(probe);
  const UnixMicros time_us = event.event_time_us;
  const bool late = record != nullptr
                        ? record->IsLate(s, time_us, now_us)
                        : time_us <= now_us - s.events.retention_us;
  const KeyId known = record != nullptr ? record->id() : base::kNoKey;
  if (late) return {AppendResult::kLate, known, 0};
  const bool refused = record != nullptr
                           ? rep_->bytes.load(kRelaxed) >= rep_->bytes_hard_max
                           : (record = rep_->MakeKey(shard, probe)) == nullptr;
  if (refused) {
    rep_->appends_refused.fetch_add(1, kRelaxed);
    return {AppendResult::kExhausted, known, 0};
  }
  const EventBuffer& events = record->events(s);
  const size_t bytes_before = events.bytes();
  const size_t events_before = events.size();
  const Seq sequence = rep_->newest.fetch_add(1, kRelaxed) + 1;
  record->Append(s, event, sequence, now_us);
  rep_->AddBytes(bytes_before, events.bytes());
  rep_->AddEvents(events_before, events.size());
  return {AppendResult::kAccepted, record->id(), sequence};
}

bool Table::Read(uint32_t entity, absl::string_view key,
                 absl::FunctionRef<void(const KeyView&)> visit) const {
  const Probe probe{HashKey(entity, key), entity, key};
  Shard& shard = rep_->ShardOf(probe.hash);
  MutexLock lock(&shard.mu);
  const KeyRecord* record = shard.Find(probe);
  if (record == nullptr) return false;
  visit(Rep::LockedKey(rep_->schema, *record, shard.columns));
  return true;
}

bool Table::Read(KeyId key,
                 absl::FunctionRef<void(const KeyView&)> visit) const {
  Shard* shard = rep_->ShardOf(key);
  if (shard == nullptr) return false;
  MutexLock lock(&shard->mu);
  const KeyRecord* record = rep_->Find(*shard, key);
  if (record == nullptr) return false;
  visit(Rep::LockedKey(rep_->schema, *record, shard->columns));
  return true;
}

bool Table::Commit(base::RowId row, const StoredRow& computed) {
  FRESHLINE_DCHECK(computed.exists());
  Shard* shard = rep_->ShardOf(row.key);
  if (shard == nullptr) return false;
  const TableSchema::OfGroup& g = rep_->schema.groups[base::ToInt(row.group)];
  MutexLock lock(&shard->mu);
  KeyRecord* record = rep_->Find(*shard, row.key);
  if (record == nullptr) return false;
  if (record->entity() != g.entity) {
    FRESHLINE_BUG("a row of another entity than its key");
    return false;
  }
  if (!record->IsNews(g, computed.as_of, computed.fidelity)) return false;
  const size_t before = record->row_capacity(g);
  if (computed.bytes.size() > before &&
      rep_->bytes.load(kRelaxed) >= rep_->bytes_hard_max) {
    return false;
  }
  if (record->Commit(g, computed)) {
    rep_->rows_unread.fetch_add(1, kRelaxed);
  }
  rep_->AddBytes(before, record->row_capacity(g));
  return true;
}

void Table::NoteRead(base::RowId row) {
  Shard* shard = rep_->ShardOf(row.key);
  if (shard == nullptr) return;
  const TableSchema::OfGroup& g = rep_->schema.groups[base::ToInt(row.group)];
  MutexLock lock(&shard->mu);
  const KeyRecord* record = rep_->Find(*shard, row.key);
  if (record != nullptr && record->entity() == g.entity) record->NoteRead(g);
}

void Table::NoteLoss(base::RowId row, double loss) {
  Shard* shard = rep_->ShardOf(row.key);
  if (shard == nullptr) return;
  const TableSchema::OfGroup& g = rep_->schema.groups[base::ToInt(row.group)];
  MutexLock lock(&shard->mu);
  KeyRecord* record = rep_->Find(*shard, row.key);
  if (record != nullptr && record->entity() == g.entity) {
    record->NoteLoss(g, loss);
  }
}

size_t Table::Sweep(size_t keys_max, UnixMicros now_us) {
  MutexLock lock(&rep_->sweep_mu);
  size_t removed = 0;
  // A shard that ends costs no visit; one round over all of them is enough.
  for (size_t ended = 0; keys_max > 0 && ended < rep_->shards.size();) {
    Shard& shard = rep_->shards[rep_->sweep_shard];
    size_t slots;
    {
      MutexLock shard_lock(&shard.mu);
      slots = shard.slots.size();
    }
    if (rep_->sweep_slot >= slots) {
      rep_->sweep_slot = 0;
      rep_->sweep_shard = (rep_->sweep_shard + 1) % rep_->shards.size();
      ++ended;
      continue;
    }
    const size_t visits =
        std::min({keys_max, kSweepHold, slots - rep_->sweep_slot});
    removed += rep_->SweepSlots(shard, rep_->sweep_slot, visits, now_us);
    rep_->sweep_slot += visits;
    keys_max -= visits;
  }
  return removed;
}

Seq Table::newest_sequence() const { return rep_->newest.load(kRelaxed); }

TableStats Table::Stats() const {
  return {rep_->keys.load(kRelaxed),
          rep_->bytes.load(kRelaxed),
          rep_->events.load(kRelaxed),
          rep_->keys_expired.load(kRelaxed),
          rep_->appends_refused.load(kRelaxed),
          rep_->rows_unread.load(kRelaxed)};
}

TableStats Table::Measure() const {
  TableStats stats = Stats();
  stats.keys = stats.bytes = stats.events = 0;
  for (Shard& shard : rep_->shards) {
    MutexLock lock(&shard.mu);
    for (const Slot& slot : shard.slots) {
      if (slot.record == nullptr) continue;
      ++stats.keys;
      stats.bytes += slot.record->MeasureBytes();
      stats.events += slot.record->events();
    }
  }
  return stats;
}

}  // namespace freshline::table
