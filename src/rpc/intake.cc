// SPDX-License-Identifier: Apache-2.0
#include "rpc/intake.h"

#include <utility>

namespace freshline::rpc {

Intake::Intake(size_t bytes_max)
    : bytes_max_(bytes_max), thread_([this] { Loop(); }) {
  started_.wait(false);
}

Intake::~Intake() { Stop(); }

bool Intake::TryPost(Lane lane, absl::string_view origin, size_t bytes,
                     Job&& job) {
  base::MutexLock lock(&mu_);
  if (stopping_) return false;
  const size_t jobs = jobs_.load(std::memory_order_relaxed);
  if (jobs > 0 && (bytes > bytes_max_ || bytes_ > bytes_max_ - bytes)) {
    return false;
  }
  Count& count = origins_[origin];
  if (count.pushes > 0) lane = Lane::kPush;
  ++count.jobs;
  if (lane == Lane::kPush) ++count.pushes;
  bytes_ += bytes;
  jobs_.store(jobs + 1, std::memory_order_relaxed);
  (lane == Lane::kPush ? pushes_ : queries_)
      .push_back({std::move(job), std::string(origin), bytes, lane});
  posted_.NotifyOne();
  return true;
}

bool Intake::Holds(absl::string_view origin) const {
  if (idle()) return false;
  base::MutexLock lock(&mu_);
  return origins_.contains(origin);
}

void Intake::Stop() {
  {
    base::MutexLock lock(&mu_);
    stopping_ = true;
    posted_.NotifyOne();
  }
  if (thread_.joinable()) thread_.join();
}

void Intake::Loop() {
  base::PrepareThread("intake", /*punctual=*/false);
  sched_class_ = base::SetOwnSchedClass(base::SchedClass::kNormal);
  started_ = true;
  started_.notify_all();
  Entry entry;
  while (Take(&entry)) {
    std::move(entry.job)();
    entry.job = nullptr;
    Release(entry);
  }
}

bool Intake::Take(Entry* entry) {
  base::MutexLock lock(&mu_);
  while (queries_.empty() && pushes_.empty()) {
    if (stopping_) return false;
    posted_.Wait(&mu_);
  }
  std::deque<Entry>& lane = queries_.empty() ? pushes_ : queries_;
  *entry = std::move(lane.front());
  lane.pop_front();
  return true;
}

void Intake::Release(const Entry& entry) {
  base::MutexLock lock(&mu_);
  const auto count = origins_.find(entry.origin);
  if (entry.lane == Lane::kPush) --count->second.pushes;
  if (--count->second.jobs == 0) origins_.erase(count);
  bytes_ -= entry.bytes;
  jobs_.fetch_sub(1, std::memory_order_release);
}

}  // namespace freshline::rpc
