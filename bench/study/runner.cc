// SPDX-License-Identifier: Apache-2.0
#include "bench/study/runner.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/duration_text.h"
#include "base/mutex.h"
#include "base/status_macros.h"

namespace freshline::bench {
namespace {

// The cells of one slice, [begin, end) of the results.
struct SliceTask {
  size_t begin = 0;
  size_t end = 0;
  bool cached = false;  // all of it
  // What it costs, in slices of load 1: scoring its queries takes most.
  double cost = 0;
};

std::string NameOf(const StudyCell& cell) {
  std::string name =
      absl::StrFormat("seed %d, load %g", cell.seed, cell.at.load);
  if (!cell.at.workload.empty()) {
    absl::StrAppend(&name, ", ", cell.at.workload);
  }
  return name;
}

absl::Status Named(const absl::Status& status, absl::string_view name) {
  return absl::Status(status.code(),
                      absl::StrCat(name, ": ", status.message()));
}

class StudyRunner {
 public:
  StudyRunner(const StudyPlan& plan, const StudyOptions& options,
              StudyBench* bench)
      : options_(options),
        cache_(options.directory),
        bench_(bench),
        began_(options.clock->Now()) {
    results_.reserve(plan.cells.size());
    for (const StudyCell& cell : plan.cells) {
      results_.push_back({cell, nullptr, {}});
    }
    done_.resize(results_.size());
  }

  absl::StatusOr<std::vector<StudyResult>> Run() {
    FindTasks();
    const size_t threads =
        std::clamp<size_t>(options_.threads, 1, std::max<size_t>(1, todo_));
    std::vector<std::thread> others;
    for (size_t i = 1; i < threads; ++i) {
      others.emplace_back([this] { Work(); });
    }
    Work();
    for (std::thread& other : others) other.join();
    base::MutexLock lock(&mu_);
    FRESHLINE_RETURN_IF_ERROR(error_);
    return std::move(results_);
  }

 private:
  // Groups the cells by slice and takes what the cache has.
  void FindTasks() {
    size_t cached_runs = 0;
    for (size_t begin = 0; begin < results_.size();) {
      const StudyCell& first = results_[begin].cell;
      const auto key = [](const StudyCell& c) {
        return std::tie(c.seed, c.at.workload, c.at.load);
      };
      size_t end = begin;
      while (end < results_.size() && key(results_[end].cell) == key(first)) {
        ++end;
      }
      SliceTask task{begin, end, false, 0};
      const size_t found = TakeCached(task);
      cached_runs += found;
      task.cached = found == end - begin;
      if (!task.cached) {
        task.cost =
            first.at.load * (1 + 0.01 * static_cast<double>(end - begin));
        cost_ += task.cost;
        ++todo_;
        tasks_.push_back(task);
      }
      begin = end;
    }
    std::stable_sort(
        tasks_.begin(), tasks_.end(),
        [](const SliceTask& a, const SliceTask& b) { return a.cost > b.cost; });
    Tell(absl::StrCat(results_.size(), " runs, ", cached_runs,
                      " of which are there already; ", tasks_.size(),
                      " slices to prepare"));
  }

  // Returns how many of the task's runs the cache had.
  size_t TakeCached(const SliceTask& task) {
    std::optional<SliceUsers> users =
        cache_.FindSlice(bench_->SliceFingerprint(results_[task.begin].cell));
    if (!users.has_value()) return 0;
    const auto shared = std::make_shared<const SliceUsers>(*std::move(users));
    size_t found = 0;
    for (size_t i = task.begin; i < task.end; ++i) {
      StudyResult& result = results_[i];
      std::optional<StudyRun> run =
          cache_.FindRun(bench_->RunFingerprint(result.cell));
      if (!run.has_value() || run->hits.size() != shared->user.size()) {
        continue;
      }
      result.users = shared;
      result.run = *std::move(run);
      done_[i] = true;
      ++found;
    }
    return found;
  }

  void Work() {
    for (;;) {
      const size_t next = next_.fetch_add(1, std::memory_order_relaxed);
      if (next >= tasks_.size() || failed_.load(std::memory_order_relaxed)) {
        return;
      }
      const absl::Status status = RunSlice(tasks_[next]);
      base::MutexLock lock(&mu_);
      if (!status.ok()) {
        if (error_.ok()) error_ = status;
        failed_.store(true, std::memory_order_relaxed);
        return;
      }
      cost_done_ += tasks_[next].cost;
      ++slices_done_;
      TellLocked(absl::StrCat(
          "slice ", slices_done_, " of ", tasks_.size(),
          " done: ", NameOf(results_[tasks_[next].begin].cell), Left()));
    }
  }

  absl::Status RunSlice(const SliceTask& task) {
    const StudyCell& first = results_[task.begin].cell;
    absl::StatusOr<std::unique_ptr<StudySlice>> slice = bench_->Prepare(first);
    if (!slice.ok()) return Named(slice.status(), NameOf(first));
    const auto users = std::make_shared<const SliceUsers>((*slice)->users());
    FRESHLINE_RETURN_IF_ERROR(
        cache_.PutSlice(bench_->SliceFingerprint(first), *users));
    for (size_t i = task.begin; i < task.end; ++i) {
      StudyResult& result = results_[i];
      result.users = users;
      if (done_[i]) continue;
      absl::StatusOr<StudyRun> run = (*slice)->Run(result.cell);
      if (!run.ok()) {
        return Named(run.status(), absl::StrCat(NameOf(result.cell), ", ",
                                                result.cell.at.policy));
      }
      result.run = *std::move(run);
      FRESHLINE_RETURN_IF_ERROR(
          cache_.PutRun(bench_->RunFingerprint(result.cell), result.run));
    }
    return absl::OkStatus();
  }

  std::string Left() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (cost_done_ >= cost_) return "";
    const double took = base::ToMillis(options_.clock->Now() - began_) / 1e3;
    const double left = took * (cost_ - cost_done_) / cost_done_;
    return absl::StrCat("; about ",
                        base::FormatDuration(std::chrono::seconds(
                            std::llround(std::min(left, 1e8)))),
                        " left");
  }

  void Tell(const std::string& text) {
    base::MutexLock lock(&mu_);
    TellLocked(text);
  }
  void TellLocked(const std::string& text) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (options_.progress) options_.progress(text);
  }

  const StudyOptions& options_;
  const StudyCache cache_;
  StudyBench* const bench_;
  const base::MonoTime began_;

  // Threads write the results of different tasks.
  std::vector<StudyResult> results_;
  std::vector<uint8_t> done_;  // from the cache
  std::vector<SliceTask> tasks_;
  size_t todo_ = 0;
  double cost_ = 0;

  std::atomic<size_t> next_{0};
  std::atomic<bool> failed_{false};
  base::Mutex mu_;
  absl::Status error_ ABSL_GUARDED_BY(mu_);
  double cost_done_ ABSL_GUARDED_BY(mu_) = 0;
  size_t slices_done_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace

absl::StatusOr<std::vector<StudyResult>> RunStudy(const StudyPlan& plan,
                                                  const StudyOptions& options,
                                                  StudyBench* bench) {
  return StudyRunner(plan, options, bench).Run();
}

}  // namespace freshline::bench
