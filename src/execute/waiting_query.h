// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "base/ids.h"
#include "base/job_shape.h"
#include "base/time.h"
#include "schedule/policy.h"
#include "table/table.h"

namespace freshline::execute {

// A query whose whole stored answer stands, and that waits for better rows.
//
// Thread-safety: handed from thread to thread, used by one at a time.
class WaitingQuery {
 public:
  virtual ~WaitingQuery() = default;

  virtual base::FlowId flow() const = 0;
  // When the caller's patience ends.
  virtual base::MonoTime deadline() const = 0;
  // When the answer leaves at the latest: the deadline less the guard.
  virtual base::MonoTime answer_by() const = 0;
  // Sorted by row, without repeats. Constant.
  virtual std::span<const schedule::Need> needs() const = 0;

  // Whether a stored row already is what needs()[need] waits for.
  virtual bool SatisfiedBy(size_t need, const table::StoredRow& row) const = 0;

  // Replaces the stored row of a need by a better one.
  virtual void Patch(size_t need, const table::StoredRow& row, uint32_t pending,
                     base::Obtained how) = 0;
  // Closes a need with the stored row it has. `price`: of worker time when it
  // was given up, as schedule::Action::price; 0 where nothing was weighed.
  virtual void Settle(size_t need, base::Obtained reason, double price) = 0;

  // Sends the answer as it stands; called once, after which only the
  // destructor is.
  virtual void Send() = 0;
};

}  // namespace freshline::execute
