// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "base/ids.h"
#include "base/job_shape.h"
#include "base/time.h"
#include "execute/event_snapshot.h"
#include "featurize/feature_function.h"
#include "registry/row_layout.h"
#include "table/table.h"

namespace freshline::execute {

// One batch of rows of one group: filled by the dispatcher, computed by a
// worker, taken home by the dispatcher. Lives as long as its worker, so that
// its buffers are allocated once.
struct Job {
  struct Row {
    base::RowId row;
    table::AsOf as_of;
    base::UnixMicros event_time_us = 0;  // newest event in the snapshot
    base::UnixMicros window_time_us = 0;
    base::UnixMicros holds_until_us = table::kHoldsForEver;
    EventSnapshot events;
    registry::RowBytes output;

    // The row as it is to be stored.
    table::StoredRow stored(base::Fidelity fidelity) const {
      return {output, as_of, event_time_us, fidelity, holds_until_us};
    }
  };

  // Filled before the start.
  base::JobId id{};
  base::GroupId group{};
  const featurize::FeatureFunction* function = nullptr;
  base::Fidelity fidelity = base::Fidelity::kFull;
  bool background = false;
  size_t row_count = 0;   // rows[0, row_count) belong to this job
  std::vector<Row> rows;  // sized once to the largest batch

  // Filled by the worker.
  base::JobShape shape;  // of the batch
  base::Duration run_time{};
  base::Duration cpu_time{};  // of it, that the worker had a processor
  absl::Status status;
};

// Runs jobs, one at a time on each worker. Workers are places, [0, usable):
// the thread that a place has changes when a run is given up.
//
// Thread-safety: called by the dispatcher only.
class WorkerPool {
 public:
  virtual ~WorkerPool() = default;

  // Places as there were at first, W. Constant.
  virtual uint32_t size() const = 0;

  // Places that can run jobs now. A job on a place beyond goes on, and
  // another place is short of a thread until it ends: at most `usable` jobs
  // run at once.
  virtual uint32_t usable() const = 0;
  // Runs that were given up and have not ended. There are 2 W threads at
  // most, so that usable = min(W, 2 W - hung).
  virtual uint32_t hung() const = 0;
  uint32_t spares_left() const { return size() - std::min(size(), hung()); }

  // The job of an idle worker, to be filled or read.
  // REQUIRES: `worker` is not running.
  virtual Job& job(base::WorkerId worker) = 0;

  // Lets the worker compute its job. Never blocks.
  // REQUIRES: its job was filled; fewer than usable() jobs run.
  virtual void Start(base::WorkerId worker) = 0;

  // The run of a worker takes long. Where that is because other programs keep
  // it from the processor, it goes on in a class that gets its share of one.
  // Does nothing where the worker is not starved, or may not be helped.
  // REQUIRES: `worker` runs.
  virtual void RelieveIfStarved(base::WorkerId worker) = 0;

  // A worker that has finished since it was started, each once; it is idle
  // again. The dispatcher's waker is woken whenever one finishes. Runs that
  // were given up are not told of: when they end, hung() sinks, and their
  // threads wait for work like any other.
  virtual std::optional<base::WorkerId> NextFinished() = 0;

  // Gives up the run of a worker, which is idle from now on. The job belongs
  // to its thread until that ends, and what it computes is dropped.
  // REQUIRES: `worker` runs. Cost: where a new thread is made, that (~50 us).
  virtual void WriteOff(base::WorkerId worker) = 0;
};

}  // namespace freshline::execute
