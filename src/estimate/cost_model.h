// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "base/ids.h"
#include "base/job_shape.h"
#include "base/time.h"

namespace freshline::estimate {

// What the scheduler asks about the time that work will take. Const and pure
// between two observations. Batch is the number of rows computed together, and
// `shape` theirs together (base::BatchShape).
class CostModel {
 public:
  virtual ~CostModel() = default;

  // Expected time of one run.
  virtual base::Duration Mean(const base::JobShape& shape,
                              uint32_t batch) const = 0;
  // A time that a share q of the runs stays within.
  virtual base::Duration Quantile(const base::JobShape& shape, uint32_t batch,
                                  double q) const = 0;
  // The chance that a run ends within `limit`, in [0, 1].
  virtual double ChanceWithin(const base::JobShape& shape, uint32_t batch,
                              base::Duration limit) const = 0;

  // The above hold for an average worker: on this one every time is so many
  // times that. Always above 0.
  virtual double WorkerFactor(base::WorkerId) const { return 1; }
};

}  // namespace freshline::estimate
