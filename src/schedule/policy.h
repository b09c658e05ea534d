// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/fixed_vector.h"
#include "base/ids.h"
#include "base/job_shape.h"
#include "base/time.h"
#include "estimate/cost_model.h"

namespace freshline::schedule {

// One way to satisfy a need.
struct Level {
  base::Fidelity fidelity = base::Fidelity::kFull;
  double gain = 0;       // what a refresh at this level is worth
  base::JobShape shape;  // what it costs
};

// A row that a ticket wants refreshed, and the ways to do it (at first one
// FULL level).
struct Need {
  base::RowId row;
  base::Seq want = 0;  // satisfied by a row that has seen this
  base::FixedVector<Level, 4> levels;
  bool cold = false;  // nothing is stored yet
};

// One waiting query. Views are read during the call only; its needs are of
// distinct rows.
struct Ticket {
  base::TicketId id{};
  base::FlowId flow{};
  base::MonoTime answer_by;  // deadline less guard
  std::span<const Need> needs;
};

// The state of a row after an event, for gains and background refresh.
struct Signals {
  uint32_t pending = 0;  // events not seen by the stored row
  double gain = 0;       // of a FULL refresh now
  base::JobShape shape;  // of a FULL refresh now
  double regret = 0;     // mean loss that callers reported of stale answers
};

// Outcome of one row of a finished job.
struct RowResult {
  base::RowId row;
  base::Seq as_of = 0;  // what the computation had seen
  bool ok = true;
};

struct Action {
  enum class Kind : uint8_t { kStart, kSettle, kAnswer };
  Kind kind = Kind::kAnswer;

  // kStart: run `rows` = Actions::rows[rows_begin, rows_begin + rows_count) as
  // one batch on an idle worker.
  base::JobId job{};
  base::WorkerId worker{};
  uint32_t rows_begin = 0;
  uint32_t rows_count = 0;
  base::Fidelity fidelity = base::Fidelity::kFull;
  bool background = false;  // no ticket waits for it
  base::JobShape shape;     // as known when it starts, of all rows

  // kSettle: need `row` of `ticket` is closed. kRefreshed (the stored row now
  // satisfies it), kStaleShed, kStaleDeadline or kStaleError.
  // kAnswer: every need of `ticket` is closed, or its answer_by is reached
  // (then the open ones were settled kStaleDeadline first); it is forgotten.
  base::TicketId ticket{};
  base::RowId row;
  base::Obtained reason = base::Obtained::kUnset;
  // kSettle: the price of worker time in force, as PolicyStats::price.
  double price = 0;
};

// Appended to by the policy, carried out by the driver in this order.
struct Actions {
  std::vector<Action> list;
  std::vector<base::RowId> rows;
  void Clear() {
    list.clear();
    rows.clear();
  }
};

struct PolicyStats {
  uint64_t tickets_waiting = 0;
  uint64_t rows_queued = 0;  // wanted by a ticket, not running
  uint64_t background_queued = 0;
  uint64_t needs_shed = 0;
  uint64_t jobs_started = 0;
  uint64_t rows_started = 0;
  uint64_t background_rows = 0;
  uint64_t probes = 0;
  uint64_t tickets_refused = 0;  // beyond the bound on tickets
  uint64_t rows_refused = 0;     // beyond a bound on queued rows
  uint64_t jobs_failed = 0;
  // The value of a millisecond of one worker now, in gain: what the least
  // paying work that still fits earns; 0 while everything fits (DensityPrice).
  // Where it stays above 0, another worker would earn it. Where flows share
  // the workers, the highest of their prices.
  double price = 0;
  // Worker time that foreground rows of each flow got, by FlowId; of those
  // that were seen, FlowShares::kFlowsMax at most.
  std::vector<base::Duration> flow_service;
  // Groups of which only probes run, as too many jobs failed in a row.
  std::vector<base::GroupId> quarantined;
};

// Decides what to run, on which worker, and what to give up: a deterministic
// state machine that reads no clock, takes no lock and knows no thread. The
// same calls with the same times give the same actions, in the daemon as in
// the simulator.
//
// Thread-safety: none; one driver owns it.
// REQUIRES: `now` never decreases over the calls. The driver carries out every
// action, in order, before the next call.
// Invariants: (1) a ticket is answered exactly once, at its answer_by at the
// latest if Tick() is called then; (2) a row is in at most one running job;
// (3) no job starts unless fewer run than there are usable workers.
class Policy {
 public:
  virtual ~Policy() = default;

  // A query waits. Each need is queued, joined to the row's queued or running
  // job where that will satisfy it, or settled at once.
  virtual void Arrive(const Ticket& ticket, base::MonoTime now,
                      Actions* actions) = 0;

  // The caller went away. Its rows that are queued for nobody else become
  // background work.
  virtual void Cancel(base::TicketId ticket, base::MonoTime now,
                      Actions* actions) = 0;

  // An event with sequence `newest` came for the row's key.
  virtual void Changed(base::RowId row, base::Seq newest,
                       const Signals& signals, base::MonoTime now,
                       Actions* actions) = 0;

  // A job ended. The driver has committed the rows that are ok, and has told
  // the estimator.
  virtual void Done(base::JobId job, std::span<const RowResult> results,
                    base::MonoTime now, Actions* actions) = 0;

  // Time passed. Call at NextWake() or later.
  virtual void Tick(base::MonoTime now, Actions* actions) = 0;

  // When Tick() must be called next; kInfiniteFuture when nothing waits. Valid
  // until the next call of another method.
  virtual base::MonoTime NextWake() const = 0;

  // Workers [0, n) are usable from now on (0: none; everything is answered
  // stale). At first none is. Jobs that run on others go on, and count as
  // running until they are done.
  virtual void SetWorkers(uint32_t n, base::MonoTime now, Actions* actions) = 0;

  // Runs a row once in the background though nobody asks for it, so that the
  // estimator learns of its kind: on an idle worker, bounded as all probes
  // are. Ignored where the row waits or runs already, where probes have had
  // their share for now, and by policies that have no background.
  virtual void Probe(base::RowId /*row*/, const base::JobShape& /*shape*/,
                     base::MonoTime /*now*/, Actions* /*actions*/) {}

  virtual PolicyStats Stats() const = 0;
};

}  // namespace freshline::schedule
