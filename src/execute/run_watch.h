// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace freshline::execute {

// What runs on each worker, what was predicted of it, and from when on it
// counts as hung: once it has taken `factor` times its predicted p99, but at
// least `floor`. The floor must outlast what the machine does to threads of
// idle class when it is busy elsewhere. Long before that it is slow: every
// time that it has taken twice its predicted p99 again, which is taken to be 5
// to 20 ms.
//
// Not thread-safe. Cost: Started and Ended O(1), no allocation once the
// largest batch was seen; Hung and Slow O(workers), only when the first may be.
class RunWatch {
 public:
  struct Options {
    double factor = 20;  // at least 1
    base::Duration floor = std::chrono::seconds(2);
  };
  struct Run {
    bool running = false;
    base::JobId job{};
    base::GroupId group{};
    std::vector<base::RowId> rows;
    base::Duration predicted_p99{};
    base::MonoTime started;
    base::Duration slow_after{};
    base::MonoTime slow_at;
    base::MonoTime hung_at;
  };

  explicit RunWatch(const Options& options) : options_(options) {}

  void Started(base::WorkerId worker, base::JobId job,
               std::span<const base::RowId> rows, base::Duration predicted_p99,
               base::MonoTime now);
  // What it was. Valid until the worker's next start.
  const Run& Ended(base::WorkerId worker);

  uint32_t running() const { return running_; }

  // A worker whose run is beyond its bound; it stays so until it is ended.
  std::optional<base::WorkerId> Hung(base::MonoTime now);
  // A worker whose run has become slow since it last was said to be.
  std::optional<base::WorkerId> Slow(base::MonoTime now);
  // The whole process stood still for so long: what runs has had no such time.
  void Forgive(base::Duration stall);
  // Neither gives anything before. May be early.
  base::MonoTime NextCheck() const { return next_check_; }

 private:
  const Options options_;
  std::vector<Run> runs_;  // by WorkerId
  uint32_t running_ = 0;
  base::MonoTime next_check_ = base::kInfiniteFuture;
};

}  // namespace freshline::execute
