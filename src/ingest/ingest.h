// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "ingest/column_input.h"
#include "ingest/key_extract.h"
#include "ingest/producer_windows.h"
#include "registry/revision.h"
#include "table/table.h"

namespace freshline::ingest {

// Events of one source as a request carried them: views of its memory.
struct DecodedBatch {
  absl::string_view source;
  // Join keys of the source's entity and event columns, by name, in any order.
  // An event column that is absent is NULL in every row.
  std::span<const ColumnInput> columns;
  std::span<const int64_t> event_time_us;       // one per row
  absl::string_view producer_id;                // empty: no deduplication
  std::span<const uint64_t> producer_sequence;  // one per row, with a producer
};

// What became of one event. The values are those of the wire.
enum class EventStatus : uint8_t {
  kAccepted = 1,
  kDuplicate = 2,  // accepted before from this producer; not applied again
  kLate = 3,       // behind allowed lateness, retention or producer window
  kFuture = 4,     // too far ahead of the clock; may be sent again later
  kExhausted = 5,  // the table is at its cap; may be sent again later
};

// What an acknowledgement means. The values are those of the wire.
enum class AckLevel : uint8_t { kMemory = 1 };

struct EventResult {
  EventStatus status = EventStatus::kAccepted;
  base::Seq sequence = 0;  // in the order of acceptance; 0: not accepted
};

// One accepted event.
struct Change {
  uint32_t source = 0;  // index into Revision::sources()
  base::KeyId key = base::kNoKey;
  base::Seq sequence = 0;
};

// Is told what was accepted.
class ChangeListener {
 public:
  virtual ~ChangeListener() = default;
  // The events of one request, in its order, after all were applied; no lock
  // is held. Called by the thread that applies; several may call at once.
  virtual void OnEvents(std::span<const Change> changes) = 0;
};

// Events since start, by outcome.
struct IngestCounters {
  uint64_t accepted = 0;
  uint64_t duplicate = 0;
  uint64_t late = 0;  // outside_window included
  uint64_t future = 0;
  uint64_t exhausted = 0;
  uint64_t outside_window = 0;    // older than the producer's window
  uint64_t requests_refused = 0;  // by Prepare()
  uint64_t producers_evicted = 0;
};

// The batches of one request, checked and resolved: applying them cannot fail
// as a whole. A view: valid while the batches' memory and the revision are.
class PreparedEvents {
 public:
  size_t batches() const { return batches_.size(); }
  // The results of batch i are [begin(i), begin(i + 1)) of all.
  size_t begin(size_t batch) const {
    return batch < batches_.size() ? batches_[batch].begin : rows_;
  }
  size_t rows() const { return rows_; }

 private:
  friend class EventIngest;
  struct Batch {
    const DecodedBatch* input = nullptr;
    uint32_t source = 0;
    size_t begin = 0;
    KeyExtractor keys;
    // Per column of the source; nullptr: absent.
    std::vector<const ColumnInput*> columns;
  };
  std::vector<Batch> batches_;
  size_t rows_ = 0;
};

// The event path: checks batches against the schema of their source, leaves
// out what was applied before, and applies the rest to the table. A request is
// prepared as a whole before any of it is applied:
//
//   FRESHLINE_ASSIGN_OR_RETURN(const auto events, ingest.Prepare(batches,
//   "events")); const std::vector<EventResult> results = ingest.Apply(events);
//
// Thread-safety: every method from any thread. An event that arrives twice at
// once is applied once.
// Bounds: producers by `producers_max`; rows of a request are the caller's to
// bound.
// Values: NaN becomes NULL; an infinite number is refused, it would drown every
// sum that sees it.
class EventIngest {
 public:
  struct Options {
    int64_t future_us_max = 300'000'000;
    uint32_t producers_max = 10'000;
    size_t string_bytes_max = size_t{64} << 10;  // of a STRING event column
    size_t producer_id_bytes_max = 128;
  };
  // `table`, `clock` and `listener` (may be nullptr) outlive this.
  EventIngest(std::shared_ptr<const registry::Revision> revision,
              table::Table* table, const base::Clock* clock, Options options,
              ChangeListener* listener);

  // Checks every batch against the schema, and changes nothing but a counter.
  // `batches` must stay where they are until the events are applied.
  // Returns: NOT_FOUND for an unknown source; INVALID_ARGUMENT naming batch,
  // column and row for everything else: a missing, unknown or repeated column;
  // another type or number of values; a NULL or overlong key; an infinite
  // number or overlong string; an event time that is no Unix microseconds; a
  // producer without sequences or the reverse. Cost: O(cells).
  // `where` is the request's field that holds the batches.
  absl::StatusOr<PreparedEvents> Prepare(std::span<const DecodedBatch> batches,
                                         absl::string_view where);

  // Applies prepared events in their order, then tells the listener. Returns
  // one result per row, batch after batch. Only accepted events are marked as
  // seen: an EXHAUSTED or FUTURE one may be sent again.
  // Cost: well below a microsecond per event, plus the listener.
  std::vector<EventResult> Apply(const PreparedEvents& events);

  // What Apply() acknowledges: the events are in memory, and lost when the
  // process ends.
  AckLevel ack_level() const { return AckLevel::kMemory; }

  IngestCounters Counters() const;

 private:
  // Producers are spread over stripes, so that two of them rarely wait for
  // each other.
  struct Stripe {
    explicit Stripe(size_t producers_max) : windows(producers_max) {}
    base::Mutex mu;
    ProducerWindows windows ABSL_GUARDED_BY(mu);
  };

  absl::StatusOr<PreparedEvents::Batch> PrepareBatch(
      const DecodedBatch& batch, absl::string_view where) const;
  absl::Status CheckTimes(const DecodedBatch& batch,
                          absl::string_view where) const;
  absl::Status CheckProducer(const DecodedBatch& batch,
                             absl::string_view where) const;
  absl::Status CheckCells(const ColumnInput& column,
                          absl::string_view where) const;
  struct Clocks {
    base::UnixMicros now_us;
    base::UnixMicros latest_us;  // beyond which events lie in the future
  };
  void ApplyBatch(const PreparedEvents::Batch& batch, const Clocks& clocks,
                  std::span<EventResult> results, std::vector<Change>* changes);
  Stripe* StripeOf(absl::string_view producer) const;

  const std::shared_ptr<const registry::Revision> revision_;
  table::Table* const table_;
  const base::Clock* const clock_;
  const Options options_;
  ChangeListener* const listener_;
  std::vector<std::unique_ptr<Stripe>> stripes_;

  // By EventStatus; index 0 is unused. Relaxed: statistics only.
  static constexpr size_t kStatuses = 6;
  std::atomic<uint64_t> by_status_[kStatuses] = {};
  std::atomic<uint64_t> outside_window_{0};
  std::atomic<uint64_t> requests_refused_{0};
};

}  // namespace freshline::ingest
