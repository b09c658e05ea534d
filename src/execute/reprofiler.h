// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/job_shape.h"
#include "base/time.h"

namespace freshline::execute {

// Keeps the estimates of groups that nobody asks for from rotting: when no
// row of a group was computed for a query or an event for `after`, rows of it
// that were computed last are asked for once more, of each number of scans one,
// a few times over and one at a time; then again after another `after`.
//
// Not thread-safe. Cost: O(1) per run; Due O(groups), at most four times a
// second.
class Reprofiler {
 public:
  struct Options {
    base::Duration after = std::chrono::minutes(10);  // 0: never
    uint32_t rounds = 2;
  };
  struct Probe {
    base::RowId row;
    base::JobShape shape;
  };

  Reprofiler(const Options& options, size_t groups)
      : options_(options), groups_(groups) {}

  // A run of the row ended. `asked_for`: not by this.
  void Ran(base::RowId row, const base::JobShape& shape, bool asked_for,
           base::MonoTime now);
  // The row is gone.
  void Forget(base::RowId row);

  // A row to compute while the workers idle, if one is due. Each is given so
  // many times as it is to run, with a pause between.
  std::optional<Probe> Due(base::MonoTime now);
  // Due() gives nothing before.
  base::MonoTime NextCheck() const { return next_check_; }

 private:
  static constexpr size_t kSamples = 6;  // 0, 1, ... 4 and more scans

  struct Group {
    std::array<std::optional<Probe>, kSamples> samples;
    base::MonoTime idle_since = base::kInfiniteFuture;  // none ran yet
    uint32_t left = 0;                                  // of the probes due
  };
  void CheckAt(base::MonoTime at) { next_check_ = std::min(next_check_, at); }

  const Options options_;
  std::vector<Group> groups_;
  base::MonoTime next_check_ = base::kInfiniteFuture;
};

}  // namespace freshline::execute
