// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/thread.h"
#include "base/waker.h"
#include "execute/worker_pool.h"

namespace freshline::execute {

// Worker threads that touch no table, lock or log: they compute on the
// snapshots of their job and wake the dispatcher. Under SCHED_IDLE a worker
// can lose its core for long at any instruction; nobody ever waits for what it
// holds.
//
// Lifecycle: threads start in the constructor and are joined by the
// destructor, which lets running computations end.
// Errors: what a function throws becomes INTERNAL in the job's status.
class ThreadWorkerPool final : public WorkerPool {
 public:
  struct Options {
    uint32_t workers = 1;
    size_t batch_max = 1;  // rows of the largest job
    base::SchedClass sched_class = base::SchedClass::kIdle;
  };

  // `functions` are those that the workers may be asked to run (each thread
  // makes its scratch up front); they, `clock` and `dispatcher` outlive this.
  ThreadWorkerPool(
      Options options,
      const std::vector<std::unique_ptr<featurize::FeatureFunction>>& functions,
      const base::Clock& clock, base::Waker* dispatcher);
  ~ThreadWorkerPool() override;

  uint32_t size() const override;
  Job& job(base::WorkerId worker) override;
  void Start(base::WorkerId worker) override;
  std::optional<base::WorkerId> NextFinished() override;

  // The scheduling class that the kernel granted to worker i.
  base::SchedClass sched_class(uint32_t i) const;

 private:
  enum class State : uint8_t { kIdle, kRunning, kFinished, kStop };
  struct Worker;
  void Loop(uint32_t index);
  void Compute(Worker* worker);

  const Options options_;
  const std::vector<std::unique_ptr<featurize::FeatureFunction>>& functions_;
  const base::Clock& clock_;
  base::Waker* const dispatcher_;
  std::vector<std::unique_ptr<Worker>> workers_;
  uint32_t next_scan_ = 0;
};

}  // namespace freshline::execute
