// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "bench/score/paired.h"
#include "bench/study/cache.h"
#include "bench/study/plan.h"

namespace freshline::bench {

// A slice of a workload, prepared for runs. One thread uses it.
class StudySlice {
 public:
  virtual ~StudySlice() = default;
  virtual const SliceUsers& users() const = 0;
  // REQUIRES: a cell of the slice's workload, seed and load.
  virtual absl::StatusOr<StudyRun> Run(const StudyCell& cell) = 0;
};

// What runs the cells of a study. Thread-safe.
class StudyBench {
 public:
  virtual ~StudyBench() = default;
  // All that the users of a cell's slice depend on, and all that its run
  // depends on beside the slice, as text: equal texts mean equal results.
  virtual std::string SliceFingerprint(const StudyCell& cell) const = 0;
  virtual std::string RunFingerprint(const StudyCell& cell) const = 0;
  virtual absl::StatusOr<std::unique_ptr<StudySlice>> Prepare(
      const StudyCell& first) = 0;
};

struct StudyOptions {
  std::string directory;  // of the cache
  uint32_t threads = 1;   // so many slices are in memory at once, at most
  // Is told how far it is, from any thread, one call at a time.
  std::function<void(const std::string&)> progress;
  const base::Clock* clock = &base::Clock::Real();  // of the progress alone
};

struct StudyResult {
  StudyCell cell;
  std::shared_ptr<const SliceUsers> users;
  StudyRun run;
};

// Runs what is not in the cache yet, the largest slices first. Results are in
// the order of the plan's cells, whatever the threads.
// Returns: the first error of a slice or a run, naming it; what was done by
// then is kept.
absl::StatusOr<std::vector<StudyResult>> RunStudy(const StudyPlan& plan,
                                                  const StudyOptions& options,
                                                  StudyBench* bench);

}  // namespace freshline::bench
