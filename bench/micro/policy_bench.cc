// SPDX-License-Identifier: Apache-2.0
// What one decision costs with many tickets waiting: medians of single calls,
// each after its kind has been undone, so that the queue keeps its length.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "estimate/estimator.h"
#include "schedule/policies.h"

namespace freshline {
namespace {

using base::Duration;
using base::GroupId;
using base::KeyId;
using base::MonoTime;
using base::TicketId;
using schedule::Action;

// A policy whose tickets all wait for two busy workers, each for a row of its
// own, and all of which would end in time.
class Queue {
 public:
  Queue(const char* name, int64_t tickets)
      : policy_(schedule::MakePolicy(*schedule::FindPolicy(name), &estimator_,
                                     {})) {
    for (uint32_t scans = 1; scans <= 4; ++scans) {
      for (int i = 0; i < 50; ++i) {
        estimator_.Seed({GroupId{0}, 8, scans}, 1,
                        base::FromMicros(rng_.LogNormal(4, 0.2) * scans));
      }
    }
    policy_->SetWorkers(2, now_, &actions_);
    while (waiting_.size() < static_cast<size_t>(tickets) + 2) Arrive();
    EndAll();
    while (waiting_.size() < static_cast<size_t>(tickets) + 2) Arrive();
  }

  void Arrive() {
    now_ += Duration(100);
    schedule::Need need;
    need.row = {KeyId{1 + next_}, GroupId{0}};
    need.want = ++next_;
    need.levels.push_back(
        {base::Fidelity::kFull,
         rng_.Uniform(),
         {GroupId{0}, 8, static_cast<uint32_t>(1 + rng_.Below(4))}});
    const MonoTime answer_by =
        now_ + std::chrono::seconds(50) + Duration(rng_.Below(1'000'000'000));
    waiting_.push_back(next_);
    policy_->Arrive({TicketId{next_}, base::FlowId{0}, answer_by, {&need, 1}},
                    now_, &actions_);
    Collect();
  }
  void CancelOne() {
    now_ += Duration(100);
    const size_t i = rng_.Below(waiting_.size());
    policy_->Cancel(TicketId{waiting_[i]}, now_, &actions_);
    waiting_[i] = waiting_.back();
    waiting_.pop_back();
    Collect();
  }
  void ChangedOne() {
    now_ += Duration(100);
    const uint64_t key = waiting_[rng_.Below(waiting_.size())];
    policy_->Changed({KeyId{key}, GroupId{0}}, ++next_,
                     {1, rng_.Uniform(), {GroupId{0}, 8, 1}}, now_, &actions_);
    Collect();
  }
  void DoneOne() {
    now_ += Duration(100);
    const Job job = running_.front();
    running_.erase(running_.begin());
    const schedule::RowResult result{job.row, next_, true};
    policy_->Done(job.id, {&result, 1}, now_, &actions_);
    Collect();
  }
  void Tick() {
    now_ += Duration(100);
    policy_->Tick(now_, &actions_);
    Collect();
  }
  bool running() const { return !running_.empty(); }
  size_t waiting() const { return waiting_.size(); }

 private:
  struct Job {
    base::JobId id{};
    base::RowId row;
  };
  void EndAll() {
    for (int i = 0; i < 10 && running(); ++i) DoneOne();
  }
  void Collect() {
    for (const Action& action : actions_.list) {
      if (action.kind == Action::Kind::kStart) {
        running_.push_back({action.job, actions_.rows[action.rows_begin]});
      } else if (action.kind == Action::Kind::kAnswer) {
        const auto it = std::find(waiting_.begin(), waiting_.end(),
                                  base::ToInt(action.ticket));
        *it = waiting_.back();
        waiting_.pop_back();
      }
    }
    actions_.Clear();
  }

  base::Rng rng_{1};
  estimate::Estimator estimator_;
  std::unique_ptr<schedule::Policy> policy_;
  schedule::Actions actions_;
  MonoTime now_{std::chrono::hours(1)};
  uint64_t next_ = 0;
  std::vector<uint64_t> waiting_;  // tickets; a ticket's key is its number
  std::vector<Job> running_;
};

// Times `measured` by itself, alternating with `undo`; reports the median and
// the p99 of single calls less the cost of reading the clock twice.
template <typename Measured, typename Undo>
void MeasureCalls(benchmark::State& state, Measured measured, Undo undo) {
  const base::Clock& clock = base::Clock::Real();
  std::vector<int64_t> times;
  std::vector<int64_t> empty;
  for (auto _ : state) {
    const MonoTime begin = clock.Now();
    measured();
    const MonoTime end = clock.Now();
    const MonoTime again = clock.Now();
    times.push_back((end - begin).count());
    empty.push_back((again - end).count());
    state.SetIterationTime(static_cast<double>(times.back()) / 1e9);
    undo();
  }
  std::sort(times.begin(), times.end());
  std::sort(empty.begin(), empty.end());
  const auto at = [&](double q) {
    const auto i = static_cast<size_t>(q * static_cast<double>(times.size()));
    return static_cast<double>(times[std::min(i, times.size() - 1)] -
                               empty[empty.size() / 2]);
  };
  state.counters["median_ns"] = at(0.5);
  state.counters["p99_ns"] = at(0.99);
}

void BM_Arrive(benchmark::State& state, const char* policy) {
  Queue queue(policy, state.range(0));
  MeasureCalls(
      state, [&] { queue.Arrive(); }, [&] { queue.CancelOne(); });
}
void BM_Cancel(benchmark::State& state, const char* policy) {
  Queue queue(policy, state.range(0));
  MeasureCalls(
      state, [&] { queue.CancelOne(); }, [&] { queue.Arrive(); });
}
void BM_Changed(benchmark::State& state, const char* policy) {
  Queue queue(policy, state.range(0));
  MeasureCalls(
      state, [&] { queue.ChangedOne(); }, [] {});
}
void BM_Done(benchmark::State& state, const char* policy) {
  Queue queue(policy, state.range(0));
  MeasureCalls(
      state, [&] { queue.DoneOne(); }, [&] { queue.Arrive(); });
}
void BM_Tick(benchmark::State& state, const char* policy) {
  Queue queue(policy, state.range(0));
  MeasureCalls(
      state, [&] { queue.Tick(); }, [] {});
}

#define FRESHLINE_DECISION(name)                  \
  BENCHMARK_CAPTURE(name, slo_aware, "slo_aware") \
      ->Arg(1000)                                 \
      ->Arg(9990)                                 \
      ->UseManualTime()                           \
      ->Iterations(20'000);                       \
  BENCHMARK_CAPTURE(name, fifo, "fifo")           \
      ->Arg(1000)                                 \
      ->UseManualTime()                           \
      ->Iterations(20'000)
FRESHLINE_DECISION(BM_Arrive);
FRESHLINE_DECISION(BM_Cancel);
FRESHLINE_DECISION(BM_Changed);
FRESHLINE_DECISION(BM_Done);
FRESHLINE_DECISION(BM_Tick);

void BM_Predict(benchmark::State& state) {
  estimate::Estimator estimator;
  base::Rng rng(1);
  for (int i = 0; i < 500; ++i) {
    estimator.Observe({GroupId{0}, 8, 2}, 1,
                      base::FromMillis(rng.LogNormal(1, 0.3)));
  }
  const base::JobShape shape{GroupId{0}, 8, 2};
  Duration limit(2'000'000);
  double sum = 0;
  for (auto _ : state) {
    sum += estimator.ChanceWithin(shape, 1, limit);
    sum += static_cast<double>(estimator.Mean(shape, 1).count());
    benchmark::DoNotOptimize(sum);
  }
}
BENCHMARK(BM_Predict);

void BM_Observe(benchmark::State& state) {
  estimate::Estimator estimator;
  base::Rng rng(1);
  for (auto _ : state) {
    estimator.Observe({GroupId{0}, 8, 2}, 1,
                      base::FromMillis(rng.LogNormal(1, 0.3)));
  }
}
BENCHMARK(BM_Observe);

}  // namespace
}  // namespace freshline
