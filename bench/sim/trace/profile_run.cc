// SPDX-License-Identifier: Apache-2.0
#include "bench/sim/trace/profile_run.h"

#include <algorithm>
#include <array>
#include <thread>
#include <vector>

#include "base/random.h"
#include "base/status_macros.h"
#include "base/thread.h"
#include "featurize/functions.h"

namespace freshline::bench {

using base::Duration;
using base::MonoTime;

namespace {

// The states of a slice's queries by their scans.
struct StatesByScans {
  std::array<std::vector<UserState>, TimeProfile::kScansMax + 1> states;
  std::vector<uint32_t> scans;  // that occur, ascending
};

StatesByScans SortStates(const SliceView& slice,
                         std::span<const base::JobShape> shapes) {
  StatesByScans sorted;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Query& q = slice.set->queries[i];
    sorted.states[std::min(shapes[i].scans, TimeProfile::kScansMax)].push_back(
        {q.user, q.fresh});
  }
  for (uint32_t s = 0; s <= TimeProfile::kScansMax; ++s) {
    if (!sorted.states[s].empty()) sorted.scans.push_back(s);
  }
  return sorted;
}

// One thread's part of a profile of one batch size.
class ProfileThread {
 public:
  ProfileThread(const SliceFunction& function, const SliceView& slice,
                const StatesByScans& states, const base::Clock& clock,
                uint32_t batch, uint64_t seed)
      : function_(function),
        slice_(slice),
        states_(states),
        clock_(clock),
        batch_(batch),
        rng_(seed),
        memory_(function.MakeMemory()) {}

  void Run(MonoTime until, size_t runs_max) {
    result_ = RunOne(states_.scans.back(), nullptr);
    for (size_t run = 0; result_.ok(); ++run) {
      const uint32_t which = static_cast<uint32_t>(run % states_.scans.size());
      const bool all_begun = run >= states_.scans.size();
      if (all_begun && (clock_.Now() >= until ||
                        times_[states_.scans[which]].size() >= runs_max)) {
        return;
      }
      const uint32_t scans = states_.scans[which];
      result_ = RunOne(scans, &times_[scans]);
    }
  }

  const absl::Status& status() const { return result_; }
  const std::vector<Duration>& times(uint32_t scans) const {
    return times_[scans];
  }
  int64_t wall_ns() const { return wall_ns_; }
  int64_t cpu_ns() const { return cpu_ns_; }

 private:
  UserState Draw(uint32_t scans) {
    const std::vector<UserState>& states = states_.states[scans];
    return states[rng_.Below(states.size())];
  }

  absl::Status RunOne(uint32_t scans, std::vector<Duration>* times) {
    batch_states_.assign(1, Draw(scans));
    while (batch_states_.size() < batch_) batch_states_.push_back(Draw(scans));
    function_.Prepare(slice_, batch_states_, memory_.get());
    const int64_t cpu_begin = base::ThreadCpuNanos();
    const MonoTime begin = clock_.Now();
    FRESHLINE_RETURN_IF_ERROR(function_.Compute(memory_.get()));
    const Duration time = std::max(clock_.Now() - begin, Duration(1));
    if (times == nullptr) return absl::OkStatus();
    times->push_back(time);
    wall_ns_ += time.count();
    cpu_ns_ += base::ThreadCpuNanos() - cpu_begin;
    return absl::OkStatus();
  }

  const SliceFunction& function_;
  const SliceView& slice_;
  const StatesByScans& states_;
  const base::Clock& clock_;
  const uint32_t batch_;
  base::Rng rng_;
  const std::unique_ptr<SliceFunction::Memory> memory_;
  std::vector<UserState> batch_states_;
  std::array<std::vector<Duration>, TimeProfile::kScansMax + 1> times_;
  int64_t wall_ns_ = 0;  // of the runs that count
  int64_t cpu_ns_ = 0;
  absl::Status result_;
};

// By all runs together.
struct Consumed {
  int64_t wall_ns = 0;
  int64_t cpu_ns = 0;
};

absl::Status MeasureBatch(const SliceFunction& function, const SliceView& slice,
                          const StatesByScans& states,
                          const ProfileRunOptions& options, uint32_t batch,
                          Duration duration, const base::Clock& clock,
                          TimeProfile* profile, Consumed* consumed) {
  std::vector<std::unique_ptr<ProfileThread>> parts;
  for (uint32_t w = 0; w < options.workers; ++w) {
    parts.push_back(std::make_unique<ProfileThread>(
        function, slice, states, clock, batch,
        base::MixBits(options.seed * 1000 + batch) + w));
  }
  const MonoTime until = clock.Now() + duration;
  const size_t runs_max = options.runs_max / options.workers + 1;
  std::vector<std::thread> threads;
  for (const auto& part : parts) {
    threads.emplace_back(
        [&part = *part, until, runs_max] { part.Run(until, runs_max); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& part : parts) {
    FRESHLINE_RETURN_IF_ERROR(part->status());
    consumed->wall_ns += part->wall_ns();
    consumed->cpu_ns += part->cpu_ns();
    for (const uint32_t scans : states.scans) {
      std::vector<Duration>& all = profile->times[{scans, batch}];
      const std::vector<Duration>& own = part->times(scans);
      all.insert(all.end(), own.begin(), own.end());
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TimeProfile> MeasureProfile(
    const SliceFunction& function, const SliceView& slice,
    std::span<const base::JobShape> shapes, const ProfileRunOptions& options,
    const base::Clock& clock) {
  if (shapes.empty() || shapes.size() != slice.set->queries.size()) {
    return absl::InvalidArgumentError(
        "a profile needs a query, and a shape of each");
  }
  if (options.workers == 0) {
    return absl::InvalidArgumentError("a profile needs a worker");
  }
  const StatesByScans states = SortStates(slice, shapes);
  TimeProfile profile;
  profile.function = function.name();
  profile.table_rows = function.table()->rows();
  const absl::string_view kernel = featurize::KernelName();
  profile.kernel = std::string(kernel.data(), kernel.size());
  profile.workers = options.workers;
  const uint32_t batch_max = std::min(
      {options.batch_max, function.batch_max(), TimeProfile::kBatchMax});
  std::vector<uint32_t> batches = {1};
  for (uint32_t b = 2; b <= batch_max; b *= 2) batches.push_back(b);
  const int64_t others = static_cast<int64_t>(batches.size()) - 1;
  Consumed consumed;
  for (const uint32_t batch : batches) {
    const Duration share = others == 0  ? options.duration
                           : batch == 1 ? options.duration / 2
                                        : options.duration / 2 / others;
    FRESHLINE_RETURN_IF_ERROR(MeasureBatch(function, slice, states, options,
                                           batch, share, clock, &profile,
                                           &consumed));
  }
  profile.cpu_share = std::clamp(static_cast<double>(consumed.cpu_ns) /
                                     static_cast<double>(consumed.wall_ns),
                                 0.001, 1.0);
  return profile;
}

}  // namespace freshline::bench
