// SPDX-License-Identifier: Apache-2.0
#include "execute/run_watch.h"

#include <algorithm>

#include "base/check.h"

namespace freshline::execute {

using base::Duration;
using base::MonoTime;

namespace {

// No estimate, however wrong, keeps a worker for longer.
constexpr Duration kBoundMax = std::chrono::hours(1);
constexpr Duration kSlowMin = std::chrono::milliseconds(5);
constexpr Duration kSlowMax = std::chrono::milliseconds(20);

}  // namespace

void RunWatch::Started(base::WorkerId worker, base::JobId job,
                       std::span<const base::RowId> rows,
                       Duration predicted_p99, MonoTime now) {
  const size_t index = base::ToInt(worker);
  if (index >= runs_.size()) runs_.resize(index + 1);
  Run& run = runs_[index];
  FRESHLINE_DCHECK(!run.running);
  run.running = true;
  run.job = job;
  run.group = rows[0].group;
  run.rows.assign(rows.begin(), rows.end());
  run.predicted_p99 = predicted_p99;
  run.started = now;
  const double ns =
      std::min(options_.factor * static_cast<double>(predicted_p99.count()),
               static_cast<double>(kBoundMax.count()));
  run.hung_at =
      now + std::max(options_.floor, Duration(static_cast<int64_t>(ns)));
  // Halved first: a prediction may be nearly infinite.
  run.slow_after = 2 * std::clamp(predicted_p99, kSlowMin / 2, kSlowMax / 2);
  run.slow_at = now + run.slow_after;
  next_check_ = std::min({next_check_, run.slow_at, run.hung_at});
  ++running_;
}

const RunWatch::Run& RunWatch::Ended(base::WorkerId worker) {
  Run& run = runs_[base::ToInt(worker)];
  FRESHLINE_DCHECK(run.running);
  run.running = false;
  --running_;
  return run;
}

void RunWatch::Forgive(Duration stall) {
  next_check_ = base::kInfiniteFuture;
  for (Run& run : runs_) {
    if (!run.running) continue;
    run.slow_at += stall;
    run.hung_at += stall;
    next_check_ = std::min({next_check_, run.slow_at, run.hung_at});
  }
}

std::optional<base::WorkerId> RunWatch::Hung(MonoTime now) {
  if (now < next_check_) return std::nullopt;
  MonoTime next = base::kInfiniteFuture;
  for (size_t i = 0; i < runs_.size(); ++i) {
    if (!runs_[i].running) continue;
    if (runs_[i].hung_at <= now) {
      return base::WorkerId{static_cast<uint32_t>(i)};
    }
    next = std::min({next, runs_[i].slow_at, runs_[i].hung_at});
  }
  next_check_ = next;
  return std::nullopt;
}

std::optional<base::WorkerId> RunWatch::Slow(MonoTime now) {
  if (now < next_check_) return std::nullopt;
  for (size_t i = 0; i < runs_.size(); ++i) {
    Run& run = runs_[i];
    if (!run.running || run.slow_at > now) continue;
    run.slow_at = now + run.slow_after;
    return base::WorkerId{static_cast<uint32_t>(i)};
  }
  return std::nullopt;
}

}  // namespace freshline::execute
