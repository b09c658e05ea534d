// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/ids.h"
#include "base/job_shape.h"
#include "base/time.h"
#include "estimate/cost_model.h"

namespace freshline::schedule {

// What an index function may look at: the facts of one row that could run.
// Counts and times reach back as far as the engine remembers the row
// (PolicyConfig::history_max).
struct RowFacts {
  base::RowId row;
  // When it was queued: distinct, growing. Starts anew each time it is queued.
  uint64_t order = 0;
  // Sum over the waiting tickets, or of a refresh that nobody waits for.
  double gain = 0;
  uint32_t tickets = 0;          // that wait for it
  base::MonoTime answer_by;      // the earliest of theirs; else kInfiniteFuture
  base::Seq newest = 0;          // of the key's events
  uint32_t pending = 0;          // events not seen by the stored row
  base::MonoTime pending_since;  // the first of them; else kInfiniteFuture
  base::MonoTime refreshed_at;   // end of the last run; else kInfinitePast
  uint64_t refreshes = 0;        // runs that ended well
  uint64_t queries = 0;          // that found it stale
  uint64_t queries_since = 0;    // of them, since the last refresh
  base::MonoTime asked_at;       // the last of them; else kInfinitePast
  // Gain times time, in seconds, that a refresh was worth since pending_since.
  double lost = 0;
  double query_rate = 0;  // queries per second to expect of it now
  double regret = 0;      // loss that callers reported (Signals::regret)
  base::JobShape shape;
  const estimate::CostModel* costs = nullptr;

  // Expected run time, alone. ~100 ns.
  base::Duration mean() const { return costs->Mean(shape, 1); }
  // That a run started now ends before answer_by; 1 where nobody waits.
  double chance(base::MonoTime now) const {
    return tickets == 0 ? 1 : costs->ChanceWithin(shape, 1, answer_by - now);
  }
};

// How much a row should be next: of all rows that could run, the highest runs.
// Equal ones run in the order in which they were queued; NaN counts as lowest.
// A pure function: the same facts give the same number.
using IndexFunction = double (*)(const RowFacts& row, base::MonoTime now);

struct Index {
  // Null: all rows are equal, so that the first queued runs first.
  IndexFunction function = nullptr;
  // False: it changes only when the row does, and is computed then: O(log n)
  // a decision. True: it changes with time alone, and is computed for every
  // queued row at every start: O(n log n).
  bool moves = false;
  // It reads RowFacts::regret, which is 0 while no caller reports outcomes.
  bool reads_regret = false;
};

// Earliest deadline first (Liu & Layland 1973): the earliest answer_by; rows
// that nobody waits for come last.
double EarliestAnswerBy(const RowFacts& row, base::MonoTime now);

// Gain times the chance to end in time, per ns of expected work (Smith 1956,
// with the chance): what pays most comes first.
double Density(const RowFacts& row, base::MonoTime now);

// For rows that nobody waits for: what each second without the refresh costs,
// gain times the rate of queries to expect, per ns of expected work (the c-mu
// rule, Cox & Smith 1961).
double ExpectedLoss(const RowFacts& row, base::MonoTime now);

// The same, with what a refresh saves taken as by Olston & Pandey ("Efficient
// Monitoring and Querying of Distributed, Dynamic Data via Approximate
// Replication", 2005): t * D(t) - the integral of D, t from the first event
// not yet seen. A row whose loss came all at once saves nothing by it.
double OlstonPandey(const RowFacts& row, base::MonoTime now);

}  // namespace freshline::schedule
