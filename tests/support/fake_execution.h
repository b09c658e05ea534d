// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/waker.h"
#include "execute/fan_out.h"
#include "execute/waiting_query.h"
#include "execute/worker_pool.h"
#include "featurize/feature_function.h"
#include "registry/revision.h"
#include "tests/support/fake_clock.h"

// Fakes for everything that a dispatcher drives: tests hold the clock, and
// decide when a worker is done.

namespace freshline::test {

// Nobody sleeps on a fake clock.
class FakeWaker final : public base::Waker {
 public:
  void Wake() override { ++wakes; }
  void WaitUntil(base::MonoTime) override {}
  int wakes = 0;
};

// Writes the number of events it saw into feature 0 (INT64).
class CountingFunction final : public featurize::FeatureFunction {
 public:
  CountingFunction(const registry::FeatureGroup& group, bool always_inline)
      : group_(group), always_inline_(always_inline) {}

  uint32_t events_needed() const override { return UINT32_MAX; }
  base::JobShape Shape(const featurize::Input& input,
                       featurize::Scratch*) const override {
    return {group_.id, static_cast<uint32_t>(input.events.size), 1};
  }
  bool always_inline() const override { return always_inline_; }
  std::unique_ptr<featurize::Scratch> MakeScratch() const override {
    return std::make_unique<featurize::Scratch>();
  }
  absl::Status Compute(std::span<const featurize::Input> inputs,
                       std::span<registry::RowBytes* const> outputs,
                       featurize::Scratch*) const override;

  base::UnixMicros HoldsUntil(const featurize::Input& input) const override {
    return holds_us == 0 ? FeatureFunction::HoldsUntil(input)
                         : input.window_time_us + holds_us;
  }

  int64_t holds_us = 0;    // how long a row holds; 0: as the retention says
  absl::Status fail_with;  // not OK: returned instead of rows
  std::string throw_with;  // not empty: thrown instead

 private:
  const registry::FeatureGroup& group_;
  const bool always_inline_;
};

// Workers that end when told to.
class FakeWorkerPool final : public execute::WorkerPool {
 public:
  FakeWorkerPool(uint32_t workers, size_t batch_max);

  uint32_t size() const override { return static_cast<uint32_t>(jobs_.size()); }
  uint32_t usable() const override {
    return std::min(size(), 2 * size() - hung());
  }
  uint32_t hung() const override {
    return static_cast<uint32_t>(given_up_.size());
  }
  execute::Job& job(base::WorkerId worker) override;
  void Start(base::WorkerId worker) override;
  std::optional<base::WorkerId> NextFinished() override;
  void WriteOff(base::WorkerId worker) override;
  void RelieveIfStarved(base::WorkerId worker) override {
    ++relief_asked[base::ToInt(worker)];
  }
  std::map<uint32_t, int> relief_asked;  // by worker
  // The oldest run that was given up ends.
  void Return() { given_up_.pop_front(); }

  bool running(uint32_t worker) const { return running_[worker]; }
  uint64_t started() const { return started_; }
  // Computes what worker i was given; it took `run_time`, of which it had a
  // processor for `cpu_time` (0: not known). REQUIRES: running(worker).
  void Finish(uint32_t worker, base::Duration run_time,
              base::Duration cpu_time = {});

 private:
  uint32_t busy() const;
  std::vector<std::unique_ptr<execute::Job>> jobs_;
  std::deque<std::unique_ptr<execute::Job>> given_up_;
  const size_t batch_max_;
  std::vector<bool> running_;
  std::deque<base::WorkerId> finished_;
  uint64_t started_ = 0;
};

// Runs what it was given when told to.
class FakeFanOut final : public execute::FanOut {
 public:
  uint32_t width() const override { return 2; }
  bool TryPost(std::shared_ptr<Work> work, base::MonoTime) override {
    if (full) return false;
    works_.push_back(std::move(work));
    ++posted;
    return true;
  }
  bool TryPostIdle(std::shared_ptr<Work> work) override {
    if (full) return false;
    idle_.push_back(std::move(work));
    return true;
  }
  void RunAll() { Run(&works_); }
  void RunIdle() { Run(&idle_); }
  bool full = false;
  int posted = 0;

 private:
  using Works = std::deque<std::shared_ptr<Work>>;
  static void Run(Works* works) {
    while (!works->empty()) {
      if (!works->front()->RunPart()) works->pop_front();
    }
  }
  Works works_;
  Works idle_;
};

// What became of one fake query; outlives it.
struct QueryOutcome {
  struct Row {
    base::Obtained how = base::Obtained::kUnset;
    base::Seq as_of = 0;
    int64_t value = -1;
    double price = 0;  // when the need was settled
  };
  std::vector<Row> rows;  // by need
  bool destroyed = false;
  int sent = 0;
  base::MonoTime sent_at;
};

class FakeQuery final : public execute::WaitingQuery {
 public:
  // `needs` are sorted by row. `send_cost` passes on the clock in Send();
  // `guard` before the deadline the answer is to leave.
  FakeQuery(FakeClock* clock, base::MonoTime deadline,
            std::vector<schedule::Need> needs,
            std::shared_ptr<QueryOutcome> outcome,
            base::Duration send_cost = {},
            base::Duration guard = std::chrono::milliseconds(2));
  ~FakeQuery() override { outcome_->destroyed = true; }

  base::FlowId flow() const override { return base::FlowId{0}; }
  base::MonoTime deadline() const override { return deadline_; }
  base::MonoTime answer_by() const override { return deadline_ - guard_; }
  std::span<const schedule::Need> needs() const override { return needs_; }
  bool SatisfiedBy(size_t need, const table::StoredRow& row) const override {
    return row.as_of.sequence >= needs_[need].want;
  }
  void Patch(size_t need, const table::StoredRow& row, uint32_t pending,
             base::Obtained how) override;
  void Settle(size_t need, base::Obtained reason, double price) override {
    outcome_->rows[need].how = reason;
    outcome_->rows[need].price = price;
  }
  void Send() override;

 private:
  FakeClock* const clock_;
  const base::MonoTime deadline_;
  const std::vector<schedule::Need> needs_;
  const std::shared_ptr<QueryOutcome> outcome_;
  const base::Duration send_cost_;
  const base::Duration guard_;
};

}  // namespace freshline::test
