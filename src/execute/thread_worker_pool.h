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
// A place whose run is given up gets a thread that idles, or a new one while
// fewer than 2 W were made. A new thread makes its scratch itself, so that the
// dispatcher need not wait for it.
//
// Lifecycle: threads start in the constructor and are joined by the
// destructor, which lets running computations end, those given up too. Who
// cannot wait for them calls Stop(), and ends the process without destroying
// this where that failed.
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

  uint32_t size() const override { return options_.workers; }
  uint32_t usable() const override {
    return std::min(size(), 2 * size() - hung());
  }
  uint32_t hung() const override { return static_cast<uint32_t>(hung_.size()); }
  Job& job(base::WorkerId worker) override;
  void Start(base::WorkerId worker) override;
  std::optional<base::WorkerId> NextFinished() override;
  void WriteOff(base::WorkerId worker) override;
  // Threads of idle class that had less than a quarter of the time of their
  // run, and at least 2 ms less, run it to its end in normal class.
  void RelieveIfStarved(base::WorkerId worker) override;

  // Runs that went on in normal class, and those that the kernel refused it.
  uint64_t relieved() const { return relieved_; }
  uint64_t relief_refused() const { return relief_refused_; }

  // Ends every thread that is or becomes idle within `patience`, and returns
  // how many did not. No jobs start any more.
  uint32_t Stop(base::Duration patience);

  // The scheduling class that the kernel granted to worker i.
  base::SchedClass sched_class(uint32_t i) const;

 private:
  enum class State : uint8_t { kIdle, kRunning, kFinished, kStop };
  struct Worker;
  Worker* MakeThread();
  // An idle thread without a place below usable(); null when there is none.
  Worker* TakeIdle();
  void ReclaimReturned();
  void Loop(Worker* worker, uint32_t index);
  void Compute(Worker* worker);

  const Options options_;
  const std::vector<std::unique_ptr<featurize::FeatureFunction>>& functions_;
  const base::Clock& clock_;
  base::Waker* const dispatcher_;
  std::vector<std::unique_ptr<Worker>> threads_;
  std::vector<Worker*> places_;  // by WorkerId; null: none yet
  std::vector<Worker*> idle_;    // without a place
  std::vector<Worker*> hung_;
  uint32_t next_scan_ = 0;
  // Written by the dispatcher. Relaxed.
  std::atomic<uint64_t> relieved_{0};
  std::atomic<uint64_t> relief_refused_{0};
  base::EventFdWaker ended_;  // told by every thread that ends
  std::atomic<uint32_t> threads_running_{0};
};

}  // namespace freshline::execute
