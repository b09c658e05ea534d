// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/job_shape.h"
#include "base/time.h"
#include "bench/sim/simulation.h"

namespace freshline::bench {

// How long runs of one function took, by passes over the table and by rows
// computed together: what a simulation draws from. As text (version 1):
//
//   freshline-times 1
//   source profile
//   function next_items
//   table_rows 400000
//   kernel avx512-vnni
//   workers 2
//   cpu_share 0.998
//   times SCANS BATCH NANOSECONDS NANOSECONDS ...
//   overheads NANOSECONDS NANOSECONDS ...
//
// in any order after the first line, with at most one `times` line of each
// size. SCANS is that of an average row of the batch. A line that begins with #
// is a comment.
struct TimeProfile {
  static constexpr uint32_t kScansMax = 16;
  static constexpr uint32_t kBatchMax = 64;
  static constexpr size_t kTimesMax = 10'000;  // per size
  static constexpr base::Duration kTimeMax = std::chrono::seconds(60);

  // Where the times are from: "profile" (measured beside no daemon) or
  // "recorded" (of a live run).
  std::string source = "profile";
  std::string function;
  uint64_t table_rows = 0;
  std::string kernel;
  uint32_t workers = 0;  // that ran at once
  // Of the runs' time, the share that they had a processor. Well below 1,
  // something else was running and the times are too long.
  double cpu_share = 1;
  // (scans, batch) -> times; some for a batch of 1.
  std::map<std::pair<uint32_t, uint32_t>, std::vector<base::Duration>> times;

  // Of recorded runs: from a job's start to the scheduler's hearing of its end,
  // beyond its run time. Ascending; empty: none.
  std::vector<base::Duration> overheads;

  // The largest batch with times.
  uint32_t batch_max() const;
  friend bool operator==(const TimeProfile&, const TimeProfile&) = default;
};

std::string FormatProfile(const TimeProfile& profile);

// Returns: INVALID_ARGUMENT naming `name`, the line and what is wrong with it.
absl::StatusOr<TimeProfile> ParseProfile(absl::string_view text,
                                         absl::string_view name);

// Returns: as ParseProfile(), and the errors of reading, naming the file.
absl::StatusOr<TimeProfile> LoadProfile(const std::string& path);
// Makes the directory. Returns: UNAVAILABLE naming the file.
absl::Status SaveProfile(const TimeProfile& profile, const std::string& path);

// Run times drawn from a profile: a run of the draw's own quantile among those
// of its size, between neighbours where needed. A number of scans that was
// never timed takes the times of the nearest, in proportion; a batch between
// two that were timed lies between them, one beyond grows in proportion.
//
// Thread-safe. Cost: below a microsecond.
class ProfiledTimes final : public SimServiceTimes {
 public:
  // REQUIRES: some times for a batch of 1, as ParseProfile() ensures.
  explicit ProfiledTimes(const TimeProfile& profile);

  SimRun Sample(const base::JobShape& shape, uint32_t batch, uint64_t draw,
                base::Duration at) const override;

  // Of the runs of that size.
  base::Duration Mean(uint32_t scans, uint32_t batch) const;
  base::Duration Least(uint32_t scans, uint32_t batch) const;

 private:
  struct Times {
    std::vector<double> ns;  // ascending
    double mean_ns = 0;
  };
  struct Batch {
    uint32_t rows = 0;
    std::array<Times, TimeProfile::kScansMax + 1> by_scans;
  };
  // `of` maps Times to a figure in ns.
  template <typename Of>
  double Between(uint32_t scans, uint32_t batch, Of of) const;

  std::vector<Batch> batches_;  // by rows; the first is 1
  std::vector<base::Duration> overheads_;
};

}  // namespace freshline::bench
