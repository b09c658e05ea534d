// SPDX-License-Identifier: Apache-2.0
#include "execute/fan_out.h"

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/thread.h"

namespace freshline::execute {

ThreadFanOut::ThreadFanOut(uint32_t threads, size_t works_max)
    : works_max_(works_max) {
  FRESHLINE_CHECK(threads >= 1);
  threads_.reserve(threads);
  for (uint32_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this, i] { Loop(i); });
  }
}

ThreadFanOut::~ThreadFanOut() { Stop(); }

bool ThreadFanOut::TryPost(std::shared_ptr<Work> work, base::MonoTime due) {
  base::MutexLock lock(&mu_);
  if (stopping_ || works_.size() >= works_max_) return false;
  works_.emplace(Place{due, posted_++}, std::move(work));
  changed_.NotifyAll();
  return true;
}

bool ThreadFanOut::TryPostIdle(std::shared_ptr<Work> work) {
  base::MutexLock lock(&mu_);
  if (stopping_ || idle_.size() >= kIdleWorksMax) return false;
  idle_.push_back(std::move(work));
  changed_.NotifyAll();
  return true;
}

void ThreadFanOut::Stop() {
  {
    base::MutexLock lock(&mu_);
    stopping_ = true;
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void ThreadFanOut::Loop(uint32_t index) {
  base::PrepareThread(absl::StrCat("fan-out-", index), /*punctual=*/false);
  base::SetOwnSchedClass(base::SchedClass::kNormal);
  std::optional<Place> place;
  std::shared_ptr<Work> work;
  while (Take(&place, &work)) {
    Ended(place, work->RunPart());
    // It may be the last reference, and what it frees needs no lock.
    work.reset();
  }
}

bool ThreadFanOut::Take(std::optional<Place>* place,
                        std::shared_ptr<Work>* work) {
  base::MutexLock lock(&mu_);
  while (works_.empty()) {
    if (stopping_) return false;
    if (!idle_.empty() && !idle_runs_) {
      idle_runs_ = true;
      place->reset();
      *work = idle_.front();
      return true;
    }
    changed_.Wait(&mu_);
  }
  // It stays where it is, so that others begin parts of it as well.
  *place = works_.begin()->first;
  *work = works_.begin()->second;
  return true;
}

void ThreadFanOut::Ended(const std::optional<Place>& place, bool more) {
  base::MutexLock lock(&mu_);
  if (place.has_value()) {
    if (!more) works_.erase(*place);
    return;
  }
  if (!more) idle_.pop_front();
  idle_runs_ = false;
}

}  // namespace freshline::execute
