// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/job_shape.h"
#include "base/time.h"
#include "registry/revision.h"
#include "table/event_view.h"

namespace freshline::table {

// One event to append; cells in the order of Source::columns.
// monostate is NULL; BOOL, INT64 and TIMESTAMP are int64_t.
using Cell = std::variant<std::monostate, int64_t, double, absl::string_view>;

struct Event {
  base::UnixMicros event_time_us = 0;
  std::span<const Cell> cells;
};

enum class AppendResult : uint8_t {
  kAccepted,
  kLate,       // behind the allowed lateness or the retention
  kExhausted,  // a new key at the cap of keys or bytes; any at the hard limit
};

// What a computation had seen.
struct AsOf {
  base::Seq sequence = 0;        // every accepted event up to this one
  base::UnixMicros time_us = 0;  // when it began; 0: never computed
};

// A feature row as it is stored. The bytes are in the group's RowLayout.
struct StoredRow {
  std::span<const std::byte> bytes;  // empty: nothing stored
  AsOf as_of;
  base::UnixMicros event_time_us = 0;  // newest event seen; 0: none
  base::Fidelity fidelity = base::Fidelity::kFull;
  // From then on the values may be others though no event came: an event has
  // left a time window, or the retention has ended it.
  base::UnixMicros holds_until_us = kHoldsForEver;
  bool exists() const { return !bytes.empty(); }
};

// The staleness of one row. An event that the cap or the retention dropped
// after it was accepted stays pending until the next commit, and counts as seen
// from then on: no computation will see it.
struct Signals {
  uint32_t pending = 0;  // accepted events with sequence > as_of.sequence
  uint64_t seen = 0;     // events of the key that are not pending
  // Arrival of the first pending event; 0: none. After a commit that leaves
  // events pending it is the later of its old value and as_of.time_us, which
  // is early by no more than the computation took.
  base::UnixMicros first_pending_us = 0;
  base::Seq newest = 0;  // newest sequence of the key's source; 0: none
  double regret = 0;     // as NoteLoss()
};

struct TableOptions {
  uint64_t keys_max = 10'000'000;
  // At this many bytes, events of new keys are refused. The keys that exist go
  // on until the hard limit, a quarter above: from there every event is
  // refused, and so is a row that needs more memory than the one it replaces.
  uint64_t bytes_max = uint64_t{4} << 30;
  uint32_t shards = 64;  // a power of two, 1 to 1024
};

struct TableStats {
  uint64_t keys = 0;
  uint64_t bytes = 0;   // of keys, events and rows; allocator's share apart
  uint64_t events = 0;  // stored
  uint64_t keys_expired = 0;
  uint64_t appends_refused = 0;  // kExhausted
  uint64_t rows_unread = 0;      // replaced before any query read them
};

// What may be read of one key while its shard is locked: the views are valid
// only inside the visitor.
class KeyView {
 public:
  virtual base::KeyId id() const = 0;
  // Events of one source, index into Revision::sources(), that the retention
  // has not ended by now_us: those that rows are made of. Empty where none.
  virtual EventView events(uint32_t source, base::UnixMicros now_us) const = 0;
  // All that are stored, expired ones among them until a sweep comes by.
  virtual EventView events(uint32_t source) const = 0;
  // Of a group of another entity: a row that does not exist.
  virtual StoredRow row(base::GroupId group) const = 0;
  virtual Signals signals(base::GroupId group) const = 0;
  // The stored row, if any, is what a query is answered with, or falls back
  // to: it was worth computing (TableStats::rows_unread).
  virtual void NoteRead(base::GroupId group) const = 0;
  // The t of the windows (t - w, ...] of the source's events: now_us, but their
  // newest where all of them are ahead of now_us. An event that is ahead of t
  // is inside every window: it was accepted, so it has happened, whatever the
  // clock of its sender said.
  virtual base::UnixMicros window_time_us(uint32_t source,
                                          base::UnixMicros now_us) const = 0;

 protected:
  ~KeyView() = default;
};

// Keyed state in memory: per entity instance, the events of each source and
// the feature row of each group, with staleness signals.
//
// Thread-safety: every method from any thread; shards are locked one at a
// time, and no visitor may call back into the table but newest_sequence().
// Bounds: keys and bytes by TableOptions, events per key by Source::events_max.
// Invariants: (1) sequences are taken inside the shard's lock, so a reader
// under that lock holds every event of the key with a sequence up to
// newest_sequence(); (2) a row is replaced only by one that has seen more; (3)
// the same calls in the same order give the same KeyIds in every process.
// Cost: a read of a key is one hash of its bytes, one lock and two or three
// cache misses; by KeyId it is without the hash.
class Table {
 public:
  Table(std::shared_ptr<const registry::Revision> revision,
        TableOptions options);
  ~Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  struct Appended {
    AppendResult result = AppendResult::kAccepted;
    base::KeyId key = base::kNoKey;
    base::Seq sequence = 0;
  };
  // Appends one event to a key (canonical bytes of registry/entity_key.h) of
  // the source's entity; makes the key where it is new. An out-of-order event
  // is inserted in place; beyond events_max the oldest is dropped, or one that
  // is ahead of now_us and arrived before all others. Events up to
  // now_us - retention are LATE, and trimmed where they are stored; so is one
  // that is older by more than the allowed lateness than the newest of the key
  // and source that is not ahead of now_us.
  // REQUIRES: one cell per column, NULL or of its type.
  // Cost: O(log n) and a move of the later events.
  Appended Append(uint32_t source, absl::string_view key, const Event& event,
                  base::UnixMicros now_us);

  // Calls visit with the key, or returns false where it does not exist.
  bool Read(uint32_t entity, absl::string_view key,
            absl::FunctionRef<void(const KeyView&)> visit) const;
  bool Read(base::KeyId key,
            absl::FunctionRef<void(const KeyView&)> visit) const;

  // Stores a computed row. Returns false, and changes nothing, when the key
  // has ended, the stored row has seen at least as much, or the hard limit is
  // reached (TableOptions). Of two rows the one of the newer sequence has seen
  // more; of the same sequence, the FULL one; then the later one, so that a
  // row that is only too old can be renewed.
  // REQUIRES: `computed` exists().
  bool Commit(base::RowId row, const StoredRow& computed);

  // As KeyView::NoteRead, of a row that was answered as it came from a job.
  void NoteRead(base::RowId row);

  // Callers lost so much by an answer that held the row as it was while stale:
  // the row's regret is the mean of such losses, the newest of them a quarter
  // of it. It stays while the key does. REQUIRES: `loss` is finite.
  void NoteLoss(base::RowId row, double loss);

  // Visits at most `keys_max` keys, in turn, and removes those with no event
  // within their retention; trims expired events of the others. Returns the
  // number removed. A place that a removed key left counts as a visit.
  size_t Sweep(size_t keys_max, base::UnixMicros now_us);

  // The newest sequence handed out; 0 before the first event. Wait-free.
  base::Seq newest_sequence() const;

  // Counted as things change; not one moment's state under concurrent writes.
  TableStats Stats() const;

  // The same, with keys, bytes and events counted afresh: what Stats() must
  // give while nothing changes. Cost: O(everything), a shard at a time.
  TableStats Measure() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace freshline::table
