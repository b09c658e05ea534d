// SPDX-License-Identifier: Apache-2.0
#include "execute/thread_worker_pool.h"

#include <exception>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace freshline::execute {

using base::WorkerId;

struct ThreadWorkerPool::Worker {
  explicit Worker(const base::Clock& clock) : waker(clock) {}

  // The release store of kRunning hands `job` to the worker, that of
  // kFinished hands it back.
  std::atomic<State> state{State::kIdle};
  std::atomic<base::SchedClass> sched_class{base::SchedClass::kNormal};
  std::atomic<bool> ready{false};
  base::EventFdWaker waker;
  Job job;
  std::vector<std::unique_ptr<featurize::Scratch>> scratch;  // by GroupId
  std::vector<featurize::Input> inputs;
  std::vector<registry::RowBytes*> outputs;
  std::thread thread;
};

ThreadWorkerPool::ThreadWorkerPool(
    Options options,
    const std::vector<std::unique_ptr<featurize::FeatureFunction>>& functions,
    const base::Clock& clock, base::Waker* dispatcher)
    : options_(options),
      functions_(functions),
      clock_(clock),
      dispatcher_(dispatcher) {
  for (uint32_t i = 0; i < options_.workers; ++i) {
    auto worker = std::make_unique<Worker>(clock);
    worker->job.rows.resize(options_.batch_max);
    for (Job::Row& row : worker->job.rows) row.output.reserve(4096);
    worker->inputs.resize(options_.batch_max);
    worker->outputs.resize(options_.batch_max);
    for (const auto& function : functions_) {
      worker->scratch.push_back(function == nullptr ? nullptr
                                                    : function->MakeScratch());
    }
    workers_.push_back(std::move(worker));
  }
  for (uint32_t i = 0; i < options_.workers; ++i) {
    workers_[i]->thread = std::thread([this, i] { Loop(i); });
  }
  for (const auto& worker : workers_) worker->ready.wait(false);
}

ThreadWorkerPool::~ThreadWorkerPool() {
  for (const auto& worker : workers_) {
    worker->state.store(State::kStop, std::memory_order_release);
    worker->waker.Wake();
  }
  for (const auto& worker : workers_) worker->thread.join();
}

uint32_t ThreadWorkerPool::size() const { return options_.workers; }

Job& ThreadWorkerPool::job(WorkerId worker) {
  Worker& w = *workers_[base::ToInt(worker)];
  FRESHLINE_DCHECK(w.state.load() != State::kRunning);
  return w.job;
}

void ThreadWorkerPool::Start(WorkerId worker) {
  Worker& w = *workers_[base::ToInt(worker)];
  FRESHLINE_DCHECK(w.state.load() == State::kIdle);
  w.state.store(State::kRunning, std::memory_order_release);
  w.waker.Wake();
}

std::optional<WorkerId> ThreadWorkerPool::NextFinished() {
  for (uint32_t n = 0; n < options_.workers; ++n) {
    const uint32_t i = (next_scan_ + n) % options_.workers;
    Worker& w = *workers_[i];
    if (w.state.load(std::memory_order_acquire) == State::kFinished) {
      w.state.store(State::kIdle, std::memory_order_relaxed);
      next_scan_ = i + 1;
      return WorkerId{i};
    }
  }
  return std::nullopt;
}

base::SchedClass ThreadWorkerPool::sched_class(uint32_t i) const {
  return workers_[i]->sched_class.load();
}

void ThreadWorkerPool::Loop(uint32_t index) {
  Worker& worker = *workers_[index];
  base::PrepareThread(absl::StrCat("worker-", index), /*punctual=*/false);
  worker.sched_class = base::SetOwnSchedClass(options_.sched_class);
  worker.ready = true;
  worker.ready.notify_all();
  while (true) {
    const State state = worker.state.load(std::memory_order_acquire);
    if (state == State::kStop) return;
    if (state != State::kRunning) {
      worker.waker.WaitUntil(base::kInfiniteFuture);
      continue;
    }
    Compute(&worker);
    // Loses against kStop only.
    State running = State::kRunning;
    worker.state.compare_exchange_strong(running, State::kFinished,
                                         std::memory_order_release);
    dispatcher_->Wake();
  }
}

void ThreadWorkerPool::Compute(Worker* worker) {
  Job& job = worker->job;
  featurize::Scratch* scratch = worker->scratch[base::ToInt(job.group)].get();
  job.shape = {};
  for (size_t i = 0; i < job.row_count; ++i) {
    Job::Row& row = job.rows[i];
    worker->inputs[i] = {row.events.View(), row.window_end_us};
    worker->outputs[i] = &row.output;
  }
  const base::MonoTime begin = clock_.Now();
  try {
    for (size_t i = 0; i < job.row_count; ++i) {
      const base::JobShape shape =
          job.function->Shape(worker->inputs[i], scratch);
      if (i == 0 || shape.scans > job.shape.scans ||
          (shape.scans == job.shape.scans && shape.events > job.shape.events)) {
        job.shape = shape;
      }
    }
    job.status =
        job.function->Compute({worker->inputs.data(), job.row_count},
                              {worker->outputs.data(), job.row_count}, scratch);
  } catch (const std::exception& e) {
    job.status =
        absl::InternalError(absl::StrCat("feature function threw: ", e.what()));
  } catch (...) {
    job.status = absl::InternalError("feature function threw");
  }
  job.run_time = clock_.Now() - begin;
}

}  // namespace freshline::execute
