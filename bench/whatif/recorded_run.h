// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/time.h"
#include "estimate/estimator.h"
#include "freshline/record/v1/decision_log.pb.h"
#include "schedule/policy.h"

namespace freshline::bench {

// What a daemon was asked, as far as its scheduler heard of it, and what the
// machine did: read from a decision log. Queries that found every row fresh
// are not in the log.
struct RecordedRun {
  // Something that the policy was told from outside.
  struct Input {
    enum class Kind : uint8_t { kArrive, kCancel, kChanged };
    Kind kind = Kind::kChanged;
    base::MonoTime now{};
    // kArrive: all, needs [needs_begin, needs_end) of `needs`. kCancel: ticket.
    base::TicketId ticket{};
    base::FlowId flow{};
    base::MonoTime answer_by{};
    size_t needs_begin = 0;
    size_t needs_end = 0;
    // kChanged.
    base::RowId row;
    base::Seq newest = 0;
    schedule::Signals signals;
  };
  // How it went.
  struct Outcome {
    uint64_t tickets = 0;
    uint64_t needs = 0;
    uint64_t refreshed = 0;  // needs
    double gain_offered = 0;
    double gain_captured = 0;
    uint64_t rows_computed = 0;
    base::Duration busy{};                 // of all workers, by run times
    std::vector<base::Duration> decision;  // from arrival to answer, of tickets
  };

  record::v1::Header header;
  std::vector<Input> inputs;
  std::vector<schedule::Need> needs;
  // Seeds first, then runs, in order: what an estimator learned.
  std::vector<estimate::Observation> seeds;
  std::vector<estimate::Observation> runs;
  // Of each of `runs`: how many others ran beside it, on average over its
  // time; below 0 where that is not known.
  std::vector<double> others;
  // Of each run: from its start to the policy's hearing of its end, less its
  // run time.
  std::vector<base::Duration> overheads;
  // Those before it belong to what LoadRecordedRun() skipped.
  size_t runs_begin = 0;
  size_t overheads_begin = 0;
  // How long after answer_by each answer was decided that left at answer_by.
  std::vector<base::Duration> overshoots;
  Outcome outcome;
  base::Duration span{};
  std::string end;  // why the log ends; "closed": in order

  // What is kept of the deadline when answer_by is set: the least that is left
  // of the SLO beyond the time to answer_by, of all queries of the flow that
  // ask within the SLO (not with a budget of their own above it); 0 where none
  // does.
  base::Duration GuardOf(base::FlowId flow) const;
};

// Reads all of a log from `skip` after its first query on.
// Returns: the errors of DecisionLogReader; INVALID_ARGUMENT where the log
// holds no query or no run, or is larger than `inputs_max`.
absl::StatusOr<RecordedRun> LoadRecordedRun(const std::string& path,
                                            base::Duration skip = {},
                                            size_t inputs_max = 50'000'000);

}  // namespace freshline::bench
