// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "ingest/column_input.h"
#include "outcome/answer_memory.h"
#include "registry/revision.h"
#include "staleness/metric_set.h"
#include "table/table.h"

namespace freshline::outcome {

struct OutcomeOptions {
  uint32_t answers_max = 65'536;   // remembered; 0: no outcome is taken
  uint32_t per_second_max = 5000;  // outcomes; a second's worth at once
};

// What callers say became of answers, free of the wire: views of memory that
// the caller keeps.
struct OutcomeReport {
  absl::string_view feature_service;
  // Join keys of one or more of the service's entities, one value for all
  // outcomes or one for each.
  std::span<const ingest::ColumnInput> entities;
  // One for each outcome: the request's own id, and what was lost.
  std::span<const absl::string_view> request_ids;
  std::span<const double> losses;
};

// Numbered as the wire's.
enum class OutcomeStatus : uint8_t { kUnset, kAccepted, kUnknown, kRepeated };

struct OutcomeCounters {
  uint64_t accepted = 0;
  uint64_t unknown = 0;
  uint64_t repeated = 0;
  uint64_t refused = 0;  // beyond per_second_max
  uint64_t answers = 0;  // remembered
};

// Mean losses of the rows of one group, by how stale the answer was.
struct GroupOutcomes {
  struct Mean {
    uint64_t outcomes = 0;
    double loss = 0;
  };
  Mean fresh;
  Mean stale;
  Mean approximate;
};

// Downstream feedback as in RALF (Wooders et al., VLDB 2023): callers say what
// an answer lost, and that is told to the rows that the answer held. It moves
// each stale row's regret (table::Table::NoteLoss), and the curves of the
// groups that learn from outcomes (staleness::LearnedCurve).
//
// Thread-safety: every method from any thread.
// Bounds: OutcomeOptions; kOutcomesMax a report; kRowsMax rows of an answer,
// the first ones. Cost: Remember() 0.1 us; Report() 0.5 us an outcome.
class OutcomeBook {
 public:
  static constexpr size_t kOutcomesMax = 256;
  static constexpr size_t kRowsMax = 16;
  static constexpr size_t kRequestIdBytesMax = 128;
  static constexpr double kLossMax = 1e9;

  struct Rooms {
    const base::Clock* clock;
    std::shared_ptr<const registry::Revision> revision;
    table::Table* table;
    const staleness::MetricSet* metrics;
  };
  OutcomeBook(OutcomeOptions options, Rooms rooms);

  // The name of an answer of that flow; 0: it is not to be remembered, because
  // the request has no id or outcomes are not taken.
  uint64_t NameOf(base::FlowId flow, absl::string_view request_id) const;

  // REQUIRES: name is not 0. Rows beyond kRowsMax are dropped.
  void Remember(uint64_t name, std::span<const AnsweredRow> rows);

  // Takes outcomes; the status of each is returned in their order.
  // Returns: INVALID_ARGUMENT naming the field, the value and the remedy, and
  // NOT_FOUND for an unknown service, before any outcome is taken;
  // RESOURCE_EXHAUSTED beyond per_second_max, FAILED_PRECONDITION where none
  // are taken.
  absl::StatusOr<std::vector<OutcomeStatus>> Report(
      const OutcomeReport& report);

  OutcomeCounters Counters() const;
  // By GroupId.
  std::vector<GroupOutcomes> Groups() const;

 private:
  class KeyFinder;
  absl::Status Admit(size_t outcomes);
  void Learn(std::span<const AnsweredRow> rows, double loss);

  const OutcomeOptions options_;
  const Rooms rooms_;

  mutable base::Mutex mu_;
  AnswerMemory memory_ ABSL_GUARDED_BY(mu_);
  OutcomeCounters counters_ ABSL_GUARDED_BY(mu_);
  std::vector<GroupOutcomes> groups_ ABSL_GUARDED_BY(mu_);
  double tokens_ ABSL_GUARDED_BY(mu_);
  base::MonoTime tokens_at_ ABSL_GUARDED_BY(mu_);
};

}  // namespace freshline::outcome
