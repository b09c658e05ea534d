// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <thread>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "base/thread.h"

namespace freshline::rpc {

// One thread of normal class for the requests that would keep a poller too
// long.
//
// Order: queries go ahead of pushes, but never ahead of a push of their own
// origin; the jobs of one origin run in the order in which they were posted.
// Lifecycle: runs from construction; Stop() ends it, and so does destruction.
// Thread-safety: every method from any thread, Stop() not from a job.
// Bounds: `bytes_max` over the jobs that wait or run; one that comes while
// there are none is always taken.
class Intake {
 public:
  using Job = absl::AnyInvocable<void() &&>;
  enum class Lane : uint8_t { kQuery, kPush };

  explicit Intake(size_t bytes_max);
  ~Intake();
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  // Consumes `job` iff it returns true; false when full or stopped. `bytes` is
  // what the job keeps alive, `origin` whose order it must keep.
  bool TryPost(Lane lane, absl::string_view origin, size_t bytes, Job&& job);

  // Whether a job of `origin` waits or runs. Costs one load while there are no
  // jobs at all. What precedes the end of a job happens before a false.
  bool Holds(absl::string_view origin) const;

  bool idle() const { return jobs_.load(std::memory_order_acquire) == 0; }

  // Refuses what comes from now on, runs what waits, and ends the thread.
  void Stop();

  // As the kernel granted it.
  base::SchedClass sched_class() const { return sched_class_.load(); }

 private:
  struct Entry {
    Job job;
    std::string origin;
    size_t bytes = 0;
    Lane lane = Lane::kPush;  // where it waits
  };
  struct Count {
    uint32_t jobs = 0;
    uint32_t pushes = 0;  // those of them in the push lane
  };

  void Loop();
  // Waits for the next job. Returns: false when stopped and empty.
  bool Take(Entry* entry);
  void Release(const Entry& entry);

  const size_t bytes_max_;
  // Release when a job is over, acquire in idle() and Holds(). Changed under
  // mu_.
  std::atomic<size_t> jobs_{0};
  std::atomic<base::SchedClass> sched_class_{base::SchedClass::kNormal};
  std::atomic<bool> started_{false};

  mutable base::Mutex mu_;
  base::CondVar posted_;
  std::deque<Entry> queries_ ABSL_GUARDED_BY(mu_);
  std::deque<Entry> pushes_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, Count> origins_ ABSL_GUARDED_BY(mu_);
  size_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;

  std::thread thread_;
};

}  // namespace freshline::rpc
