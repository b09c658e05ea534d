// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"

// The most value that any schedule could have captured, all arrivals and run
// times known beforehand: what policies are measured against.

namespace freshline::bench {

// An event of a row, and what it takes to compute the row while it is the
// newest one.
struct BoundEvent {
  uint32_t row = 0;
  base::Duration at{};
  // From start to end: at most that of any run, alone or in a batch.
  base::Duration run{};
  // Worker time of it: at most the row's share of any run, alone or in a batch
  // whose rows' shares add up to its time.
  base::Duration work{};
};

// A query for the row of an event, its newest one then. A run of the row
// serves it that starts at or after the event and ends by the deadline: with
// the query, or before it came.
struct BoundQuery {
  uint32_t event = 0;  // of BoundInstance::events
  base::Duration deadline{};
  double value = 0;  // of a fresh answer, >= 0
};

struct BoundInstance {
  std::vector<BoundEvent> events;  // in order of time
  std::vector<BoundQuery> queries;
  uint32_t workers = 1;
};

// At least the sum of values that the best schedule captures. It is the
// optimum of a relaxation of that problem:
//
// 1. Every query is a job of its own, to be done in [its event, its deadline],
//    whose work is its part of a run that serves it. A run that serves the
//    queries S has a start within the window of each; it is charged to them by
//    value. So the query q bears at least work · v(q) / v(S) for the S of the
//    highest value: the queries of its row that could start at one moment
//    with it. `work` and `run` are the least of the events of the row within
//    the window, as a later run serves q as well. A query is dropped where
//    even `run` does not fit.
// 2. Jobs may be interrupted, done in part for that part of the value, and
//    spread over all workers: one machine that is as fast as all of them.
//
// Amounts of work y that one machine can do within windows are a polymatroid:
// for all s < t the jobs within [s, t] have at most (t - s) · workers of it
// (Horn 1974; Megiddo 1974 on the flow). So taking the densest job first, as
// much of it as still fits, is exact for 2 (Edmonds 1970).
//
// The windows have to be in one order by event and by deadline, as one SLO and
// one gap make them. Where they are not (SLOs of several lengths) they are
// widened until they are, at either end, and the lower of the two results
// counts: still a bound, but looser.
//
// Exact where no two queries of a row can share a run, no run exceeds its
// window if interrupted, and the last job taken fits whole. Loose by at most
// one job in each stretch of full load, by what two runs of a row for three
// queries in a chain really cost, and with batches by the queue that it takes
// to fill them.
//
// Cost: O((events + queries) log), a few seconds for 10^6. Deterministic.
// REQUIRES: events in order of time; queries name events; deadlines at or
// after them; values finite and >= 0; workers > 0.
double FreshValueBound(const BoundInstance& instance);

}  // namespace freshline::bench
