// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"

namespace freshline::execute {

// Runs what is too much for a thread that serves the network, and too cheap to
// be scheduled row by row: the rows of a large query, in parts.
//
// Thread-safety: every method from any thread.
class FanOut {
 public:
  // Work in parts, each of some hundred microseconds, so that work that is due
  // earlier waits no longer than that.
  class Work {
   public:
    virtual ~Work() = default;
    // Begins and ends one part; several threads may call at once. Returns
    // whether there may be parts that nobody has begun.
    virtual bool RunPart() = 0;
  };
  virtual ~FanOut() = default;

  // How many parts run at once.
  virtual uint32_t width() const = 0;

  // Runs parts of `work` until RunPart() returns false; what is due earlier
  // goes first. Returns false, having taken nothing, when full or stopped.
  virtual bool TryPost(std::shared_ptr<Work> work, base::MonoTime due) = 0;

  // Runs parts of `work`, one after another, while nothing is due: what nobody
  // waits for. It may be dropped at a stop. Returns false, having taken
  // nothing, when full or stopped.
  virtual bool TryPostIdle(std::shared_ptr<Work> work) = 0;
};

// Threads of normal class: they may hold the table's locks, which threads of
// idle class must not, and give way to those that serve the network.
//
// Lifecycle: run from construction; Stop() finishes what is due, drops what is
// not and ends them, and so does destruction. Bounds: `works_max` works that
// are due wait or run, and kIdleWorksMax others, of which one thread at most
// runs a part: the rest is there for what is due.
class ThreadFanOut final : public FanOut {
 public:
  static constexpr size_t kIdleWorksMax = 16;

  // REQUIRES: threads >= 1.
  ThreadFanOut(uint32_t threads, size_t works_max);
  ~ThreadFanOut() override;
  ThreadFanOut(const ThreadFanOut&) = delete;
  ThreadFanOut& operator=(const ThreadFanOut&) = delete;

  uint32_t width() const override {
    return static_cast<uint32_t>(threads_.size());
  }
  bool TryPost(std::shared_ptr<Work> work, base::MonoTime due) override;
  bool TryPostIdle(std::shared_ptr<Work> work) override;
  void Stop();

 private:
  // Work with parts to begin; ties in order of arrival.
  using Place = std::pair<base::MonoTime, uint64_t>;

  void Loop(uint32_t index);
  // The work that is due first, or what nobody waits for and then no place.
  // Returns: false when stopped and empty.
  bool Take(std::optional<Place>* place, std::shared_ptr<Work>* work);
  // A part of what was taken has ended; `more`: others may be left to begin.
  void Ended(const std::optional<Place>& place, bool more);

  const size_t works_max_;
  base::Mutex mu_;
  base::CondVar changed_;
  std::map<Place, std::shared_ptr<Work>> works_ ABSL_GUARDED_BY(mu_);
  uint64_t posted_ ABSL_GUARDED_BY(mu_) = 0;
  // The first of them is running where idle_runs_.
  std::deque<std::shared_ptr<Work>> idle_ ABSL_GUARDED_BY(mu_);
  bool idle_runs_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace freshline::execute
