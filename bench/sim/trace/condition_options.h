// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "base/time.h"
#include "bench/report/summary.h"
#include "bench/sim/trace/slice_simulation.h"
#include "bench/trace/workload_shape.h"
#include "schedule/policies.h"

namespace freshline::bench {

// What runs have in common beside their condition.
struct RunSettings {
  uint32_t workers = 2;
  base::Duration guard = std::chrono::milliseconds(2);
  // What the group's definition says an approximation is worth; not set: it
  // has none.
  std::optional<double> approximation;
};

// How a slice of the workload `shape` runs under a condition: its SLO, gap,
// batch and metric, and whose query each user's is. The policy is not looked
// up by its name, and at.workload and at.load are the slice's.
// Returns: INVALID_ARGUMENT as staleness::ParseMetric(), and for approximate
// answers of a group that has none.
absl::StatusOr<SliceRunOptions> OptionsOf(const Condition& at, uint64_t seed,
                                          const schedule::PolicyConfig& policy,
                                          const WorkloadShape& shape,
                                          const RunSettings& settings);

}  // namespace freshline::bench
