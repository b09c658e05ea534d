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
  // For relief: whose clock and class it is; when the dispatcher started the
  // run; what the thread had consumed when it began to compute, below 0 until
  // then; whether it runs in normal class for now.
  clockid_t cpu_clock{};
  int thread_id = 0;
  base::MonoTime started;
  std::atomic<int64_t> began_cpu_ns{-1};
  std::atomic<bool> relieved{false};
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
      dispatcher_(dispatcher),
      ended_(clock) {
  threads_.reserve(size_t{2} * options_.workers);
  hung_.reserve(size_t{2} * options_.workers);
  for (uint32_t i = 0; i < options_.workers; ++i) {
    places_.push_back(MakeThread());
  }
  for (const auto& worker : threads_) worker->ready.wait(false);
}

ThreadWorkerPool::Worker* ThreadWorkerPool::MakeThread() {
  const auto index = static_cast<uint32_t>(threads_.size());
  threads_.push_back(std::make_unique<Worker>(clock_));
  Worker* worker = threads_.back().get();
  worker->job.rows.resize(options_.batch_max);
  threads_running_.fetch_add(1, std::memory_order_relaxed);
  worker->thread = std::thread([this, worker, index] { Loop(worker, index); });
  return worker;
}

ThreadWorkerPool::~ThreadWorkerPool() {
  Stop(base::Duration::zero());
  for (const auto& worker : threads_) worker->thread.join();
}

uint32_t ThreadWorkerPool::Stop(base::Duration patience) {
  for (const auto& worker : threads_) {
    worker->state.store(State::kStop, std::memory_order_release);
    worker->waker.Wake();
  }
  const base::MonoTime until = clock_.Now() + patience;
  while (threads_running_.load(std::memory_order_acquire) > 0 &&
         clock_.Now() < until) {
    ended_.WaitUntil(until);
  }
  return threads_running_.load(std::memory_order_acquire);
}

Job& ThreadWorkerPool::job(WorkerId worker) {
  Worker*& place = places_[base::ToInt(worker)];
  if (place == nullptr) place = TakeIdle();
  FRESHLINE_CHECK(place != nullptr);
  FRESHLINE_DCHECK(place->state.load() != State::kRunning);
  return place->job;
}

ThreadWorkerPool::Worker* ThreadWorkerPool::TakeIdle() {
  if (!idle_.empty()) {
    Worker* worker = idle_.back();
    idle_.pop_back();
    return worker;
  }
  for (uint32_t i = usable(); i < size(); ++i) {
    if (places_[i] != nullptr &&
        places_[i]->state.load(std::memory_order_acquire) == State::kIdle) {
      return std::exchange(places_[i], nullptr);
    }
  }
  return nullptr;
}

void ThreadWorkerPool::Start(WorkerId worker) {
  Worker& w = *places_[base::ToInt(worker)];
  FRESHLINE_DCHECK(w.state.load() == State::kIdle);
  w.started = clock_.Now();
  w.began_cpu_ns.store(-1, std::memory_order_relaxed);
  w.state.store(State::kRunning, std::memory_order_release);
  w.waker.Wake();
}

void ThreadWorkerPool::WriteOff(WorkerId worker) {
  Worker*& place = places_[base::ToInt(worker)];
  hung_.push_back(std::exchange(place, nullptr));
  if (idle_.empty() && threads_.size() < size_t{2} * size()) {
    place = MakeThread();
  } else {
    place = TakeIdle();
  }
}

void ThreadWorkerPool::RelieveIfStarved(WorkerId worker) {
  constexpr int kShare = 4;
  constexpr base::Duration kLeast = std::chrono::milliseconds(2);
  Worker& w = *places_[base::ToInt(worker)];
  if (w.sched_class != base::SchedClass::kIdle || w.relieved) return;
  if (w.state.load(std::memory_order_acquire) != State::kRunning) return;
  const int64_t began = w.began_cpu_ns.load(std::memory_order_acquire);
  const base::Duration cpu(began < 0 ? 0
                                     : base::CpuNanosOf(w.cpu_clock) - began);
  const base::Duration time = clock_.Now() - w.started;
  if (kShare * cpu >= time || time - cpu < kLeast) return;
  if (base::SetSchedClassOf(w.thread_id, base::SchedClass::kNormal)) {
    w.relieved = true;
    relieved_.fetch_add(1, std::memory_order_relaxed);
  } else {
    relief_refused_.fetch_add(1, std::memory_order_relaxed);
  }
}

void ThreadWorkerPool::ReclaimReturned() {
  for (size_t i = 0; i < hung_.size();) {
    Worker* worker = hung_[i];
    if (worker->state.load(std::memory_order_acquire) != State::kFinished) {
      ++i;
      continue;
    }
    worker->state.store(State::kIdle, std::memory_order_relaxed);
    idle_.push_back(worker);
    hung_[i] = hung_.back();
    hung_.pop_back();
  }
}

std::optional<WorkerId> ThreadWorkerPool::NextFinished() {
  ReclaimReturned();
  for (uint32_t n = 0; n < options_.workers; ++n) {
    const uint32_t i = (next_scan_ + n) % options_.workers;
    Worker* w = places_[i];
    if (w != nullptr &&
        w->state.load(std::memory_order_acquire) == State::kFinished) {
      w->state.store(State::kIdle, std::memory_order_relaxed);
      next_scan_ = i + 1;
      return WorkerId{i};
    }
  }
  return std::nullopt;
}

base::SchedClass ThreadWorkerPool::sched_class(uint32_t i) const {
  return threads_[i]->sched_class.load();
}

void ThreadWorkerPool::Loop(Worker* worker, uint32_t index) {
  // Before the class is lowered: an idle thread may be long about it.
  for (Job::Row& row : worker->job.rows) row.output.reserve(4096);
  worker->inputs.resize(options_.batch_max);
  worker->outputs.resize(options_.batch_max);
  for (const auto& function : functions_) {
    worker->scratch.push_back(function == nullptr ? nullptr
                                                  : function->MakeScratch());
  }
  base::PrepareThread(absl::StrCat("worker-", index), /*punctual=*/false);
  worker->sched_class = base::SetOwnSchedClass(options_.sched_class);
  worker->cpu_clock = base::OwnCpuClock();
  worker->thread_id = base::OwnThreadId();
  worker->ready = true;
  worker->ready.notify_all();
  while (true) {
    const State state = worker->state.load(std::memory_order_acquire);
    if (state == State::kStop) break;
    if (state != State::kRunning) {
      worker->waker.WaitUntil(base::kInfiniteFuture);
      continue;
    }
    Compute(worker);
    // Relief that comes later is taken back after the next run.
    if (worker->relieved.exchange(false)) {
      base::SetOwnSchedClass(options_.sched_class);
    }
    // Loses against kStop only.
    State running = State::kRunning;
    worker->state.compare_exchange_strong(running, State::kFinished,
                                          std::memory_order_release);
    dispatcher_->Wake();
  }
  threads_running_.fetch_sub(1, std::memory_order_release);
  ended_.Wake();
}

void ThreadWorkerPool::Compute(Worker* worker) {
  Job& job = worker->job;
  featurize::Scratch* scratch = worker->scratch[base::ToInt(job.group)].get();
  for (size_t i = 0; i < job.row_count; ++i) {
    Job::Row& row = job.rows[i];
    worker->inputs[i] = {row.events.View(), row.window_time_us};
    worker->outputs[i] = &row.output;
  }
  const base::MonoTime begin = clock_.Now();
  const int64_t began_cpu_ns = base::ThreadCpuNanos();
  worker->began_cpu_ns.store(began_cpu_ns, std::memory_order_release);
  try {
    base::BatchShape shape;
    for (size_t i = 0; i < job.row_count; ++i) {
      shape.Add(job.function->Shape(worker->inputs[i], scratch));
    }
    job.shape = shape.shape();
    job.status =
        job.function->Compute({worker->inputs.data(), job.row_count},
                              {worker->outputs.data(), job.row_count}, scratch);
  } catch (const std::exception& e) {
    job.status =
        absl::InternalError(absl::StrCat("feature function threw: ", e.what()));
  } catch (...) {
    job.status = absl::InternalError("feature function threw");
  }
  job.cpu_time = base::Duration(base::ThreadCpuNanos() - began_cpu_ns);
  job.run_time = clock_.Now() - begin;
}

}  // namespace freshline::execute
