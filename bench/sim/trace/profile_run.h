// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/job_shape.h"
#include "base/time.h"
#include "bench/sim/trace/slice_function.h"
#include "bench/sim/trace/time_profile.h"

namespace freshline::bench {

struct ProfileRunOptions {
  // Threads that compute at once: they share the memory's bandwidth as the
  // daemon's workers do.
  uint32_t workers = 2;
  // Batches of 1, 2, 4, ... up to this, and at most the function's.
  uint32_t batch_max = 1;
  // Of all of it; half for rows alone, the rest for the batches.
  base::Duration duration = std::chrono::seconds(5);
  uint32_t runs_max = 2000;  // of each size
  uint64_t seed = 1;
};

// Times the real function on the states of a slice's queries, equally often
// for every number of scans among them: a batch is of states of one number. A
// thread's first run of each batch size is not
// counted: it brings the table into memory.
//
// `shapes` are ShapesOf() the slice.
// Returns: INVALID_ARGUMENT without any query or worker; the first error of a
// computation. Never runs much longer than `duration`, but every thread ends
// the run that it began, and has begun one of each number of scans.
absl::StatusOr<TimeProfile> MeasureProfile(
    const SliceFunction& function, const SliceView& slice,
    std::span<const base::JobShape> shapes, const ProfileRunOptions& options,
    const base::Clock& clock);

}  // namespace freshline::bench
