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
#include "execute/inline_costs.h"
#include "execute/row_assessor.h"
#include "ingest/ingest.h"
#include "outcome/outcome_book.h"
#include "registry/revision.h"
#include "serve/query.h"
#include "staleness/metric_set.h"
#include "table/table.h"

namespace freshline::serve {

struct QueryCounters {
  uint64_t answered = 0;
  uint64_t errors = 0;
  std::array<uint64_t, base::kObtainedCount> rows_by_obtained{};
};

// The query path: applies the events that a query carries, reads what is
// stored, computes what is cheap, and lets the rest wait for the dispatcher.
//
// Thread-safety: every method from any thread.
// Bounds: rows per query by `rows_max`; work while answering by
// `inline_cost_max` in sum of predictions; rows that wait by kNeedsMax.
class FeatureServer {
 public:
  // Stale rows of one query that are refreshed; the rest is answered stale.
  static constexpr size_t kNeedsMax = 256;
  // Plans of explicit references that are kept.
  static constexpr size_t kPlansMax = 1024;

  struct Options {
    uint32_t rows_max = 1000;
    base::Duration inline_cost_max = std::chrono::microseconds(200);
  };
  struct Rooms {
    const base::Clock* clock;
    std::shared_ptr<const registry::Revision> revision;
    table::Table* table;
    ingest::EventIngest* ingest;
    const execute::FunctionSet* functions;
    const staleness::MetricSet* metrics;
    execute::ScratchPool* scratch;
    execute::InlineCosts* inline_costs;
    execute::Dispatcher* dispatcher;
    // Of approximate rows; null: none is computed.
    const execute::FunctionSet* approximations = nullptr;
    execute::ScratchPool* approximate_scratch = nullptr;
    execute::InlineCosts* approximate_costs = nullptr;
    // Remembers answers for outcomes; null: none is taken.
    outcome::OutcomeBook* outcomes = nullptr;
  };
  FeatureServer(Options options, Rooms rooms);

  // The plan of a feature service, or of references where `service` is empty.
  // Returns: NOT_FOUND naming what is unknown; INVALID_ARGUMENT when both or
  // neither is given.
  absl::StatusOr<std::shared_ptr<const registry::QueryPlan>> Resolve(
      absl::string_view service, absl::Span<const std::string> references);

  // Answers `query` through `done`, now or by its deadline. Returns the ticket
  // while it waits, for Cancel().
  // Errors (through `done`): INVALID_ARGUMENT naming the field, before any
  // event is applied; DEADLINE_EXCEEDED when the caller's deadline was past on
  // arrival, after the events were applied.
  std::optional<base::TicketId> Get(const Query& query, Completion* done);

  // The caller of a waiting query went away; its completion gets CANCELLED.
  void Cancel(base::TicketId ticket);

  QueryCounters Counters() const;

 private:
  friend class PendingAnswer;
  struct Keys;
  struct Draft;
  absl::StatusOr<Keys> ResolveKeys(const Query& query) const;
  absl::Status ApplyEvents(const Query& query, Completion* done);
  Draft MakeDraft(const Query& query, const Keys& keys);
  void FillRow(const Query& query, size_t group, uint32_t row,
               const table::KeyView& key, Draft* draft);
  bool TryInline(const registry::FeatureGroup& group, const table::KeyView& key,
                 size_t g, uint32_t row, Draft* draft);
  // Puts an approximate row into the answer where that fits what is left for
  // computing inline.
  bool TryApproximate(const registry::FeatureGroup& group,
                      const table::KeyView& key, size_t g, uint32_t row,
                      Draft* draft);
  void AddNeed(const registry::FeatureGroup& group, const table::KeyView& key,
               size_t g, uint32_t row, Draft* draft);
  void CommitInline(Draft* draft);
  void Complete(const Answer& answer, Completion* done);
  void Remember(const Answer& answer);
  void Fail(const absl::Status& status, Completion* done);

  const Options options_;
  const Rooms rooms_;

  base::Mutex plans_mu_;
  absl::flat_hash_map<std::string, std::shared_ptr<const registry::QueryPlan>>
      plans_ ABSL_GUARDED_BY(plans_mu_);

  // Relaxed: statistics only.
  std::atomic<uint64_t> answered_{0};
  std::atomic<uint64_t> errors_{0};
  std::array<std::atomic<uint64_t>, base::kObtainedCount> by_obtained_{};
};

}  // namespace freshline::serve
