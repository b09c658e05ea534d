// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "execute/dispatcher.h"
#include "execute/fan_out.h"
#include "ingest/ingest.h"
#include "outcome/outcome_book.h"
#include "registry/revision.h"
#include "serve/gather.h"
#include "serve/inline_computer.h"
#include "serve/query.h"
#include "serve/row_maker.h"
#include "staleness/metric_set.h"
#include "table/table.h"

namespace freshline::serve {

struct QueryCounters {
  uint64_t answered = 0;
  uint64_t late = 0;  // sent after their deadline, counted from arrival
  std::array<uint64_t, base::kObtainedCount> rows_by_obtained{};
};

// The query path: applies the events that a query carries, reads what is
// stored, computes what is cheap, and lets the rest wait for the dispatcher.
//
// What is cheap grows with the rows: a query that costs the calling thread more
// than `inline_cost_max` goes on in parts on the fan-out, until just before it
// must be answered. So does the sending of a large answer.
//
// Thread-safety: every method from any thread.
// Bounds: rows per query by `rows_max`; the answer by `answer_bytes_max`; work
// on the calling thread by
// `inline_cost_max` in sum of predictions; rows that wait by kNeedsMax, which
// is more than the scheduler takes of all queries.
class FeatureServer {
 public:
  // Stale rows of one query that are refreshed; the rest is answered stale.
  static constexpr size_t kNeedsMax = 10'000;
  // Answers of more values than these are not encoded by the dispatcher, which
  // would take some hundred microseconds.
  static constexpr size_t kDispatcherValuesMax = 2'000;
  // Plans of explicit references that are kept.
  static constexpr size_t kPlansMax = 1024;

  struct Options {
    uint32_t rows_max = 1000;
    base::Duration inline_cost_max = std::chrono::microseconds(200);
    // What an answer may take when it is encoded, as Answer estimates it.
    size_t answer_bytes_max = 4 << 20;
  };
  struct Rooms {
    const base::Clock* clock;
    std::shared_ptr<const registry::Revision> revision;
    table::Table* table;
    ingest::EventIngest* ingest;
    const staleness::MetricSet* metrics;
    InlineComputer full;
    std::optional<InlineComputer> approximate;  // none: none is computed
    // Null: no group is ever scheduled.
    execute::Dispatcher* dispatcher;
    // Where large queries go on; null: nothing beyond inline_cost_max is
    // computed while answering.
    execute::FanOut* fan_out = nullptr;
    // Remembers answers for outcomes; null: none is taken.
    outcome::OutcomeBook* outcomes = nullptr;
  };
  FeatureServer(Options options, Rooms rooms);

  // The plan of a feature service, or of references where `service` is empty.
  // Returns: NOT_FOUND naming what is unknown; INVALID_ARGUMENT when both or
  // neither is given.
  absl::StatusOr<std::shared_ptr<const registry::QueryPlan>> Resolve(
      absl::string_view service, absl::Span<const std::string> references);

  // Answers `query` through `done`, now or by its deadline, from any thread.
  // Errors (through `done`): INVALID_ARGUMENT naming the field, before any
  // event is applied, or, of an answer that would be too large, after, with the
  // number of rows that fit; DEADLINE_EXCEEDED when the caller's deadline was
  // past on arrival, after the events were applied.
  void Get(const Query& query, Completion* done);

  // The caller of a waiting query went away; its completion gets CANCELLED.
  void Cancel(base::TicketId ticket);

  QueryCounters Counters() const;

  // The longest of all services, and of queries by references.
  base::Duration slo_max() const { return slo_max_; }

 private:
  class Sending;
  // When a query must be answered.
  struct Times {
    base::MonoTime deadline;
    base::MonoTime answer_by;  // less the guard
  };
  absl::StatusOr<QueryKeys> ResolveKeys(const Query& query) const;
  absl::Status CheckEntities(const Query& query, size_t* rows) const;
  absl::Status ApplyEvents(const Query& query, Completion* done);
  Times TimesOf(const Query& query, base::MonoTime now) const;
  InlineLimits LimitsOf(const Times& times, base::MonoTime now) const;
  std::shared_ptr<Gather> MakeGather(const Query& query, QueryKeys keys,
                                     const Times& times, base::MonoTime now,
                                     Completion* done);
  // All rows of a query are filled: answers it, or lets it wait.
  void Gathered(Gather* gather, const Times& times, Completion* done);
  void Wait(Gather* gather, const Times& times, Completion* done);
  // Lets idle workers refresh rows that were given up.
  void RefreshLater(const std::vector<StaleRow>& rows);
  // Sends the answer to a query that waited, on the fan-out where it is large.
  void Send(Answer answer, CompletionHandle done, base::MonoTime deadline);
  void Complete(const Answer& answer, base::MonoTime deadline,
                Completion* done);
  void Remember(const Answer& answer);
  void Fail(const absl::Status& status, Completion* done);

  const Options options_;
  const Rooms rooms_;
  const RowMaker maker_;
  const base::Duration slo_max_;

  base::Mutex plans_mu_;
  absl::flat_hash_map<std::string, std::shared_ptr<const registry::QueryPlan>>
      plans_ ABSL_GUARDED_BY(plans_mu_);

  // Relaxed: statistics only.
  std::atomic<uint64_t> answered_{0};
  std::atomic<uint64_t> late_{0};
  std::array<std::atomic<uint64_t>, base::kObtainedCount> by_obtained_{};
};

}  // namespace freshline::serve
