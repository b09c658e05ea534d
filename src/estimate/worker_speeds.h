// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/ids.h"

namespace freshline::estimate {

// How much slower than the average of all workers each one is, whatever it
// computes: decayed means of log(time / prediction), half of the weight on the
// last 44 runs of the worker, less their mean over the workers (what slows all
// of them down alike belongs to the work, not to a worker).
//
// Thread-safety: none. Bounds: 256 workers; those beyond count as average.
// Cost: FactorOf a few ns; Observe O(workers), below 1 us.
class WorkerSpeeds {
 public:
  // In [1/4, 4]; 1 until two workers have run, and for none.
  double FactorOf(std::optional<base::WorkerId> worker) const;

  // A run took `ratio` times what is predicted of an average worker.
  void Observe(base::WorkerId worker, double ratio);

 private:
  struct Worker {
    double log_ratio = 0;
    uint64_t runs = 0;
    double factor = 1;
  };
  std::vector<Worker> workers_;  // by WorkerId
};

}  // namespace freshline::estimate
