// SPDX-License-Identifier: Apache-2.0
#include "bench/whatif/what_if.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <queue>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "bench/whatif/contention.h"
#include "record/decision_log_reader.h"

namespace freshline::bench {

using base::Duration;
using base::MonoTime;
using base::Obtained;
using schedule::Action;

namespace {

// Uniform in [0, 1), of the same work the same.
double UniformOf(uint64_t draw) { return base::Rng(draw).Uniform(); }

Duration Draw(const std::vector<Duration>& sorted, uint64_t draw) {
  if (sorted.empty()) return Duration::zero();
  const auto index =
      static_cast<size_t>(UniformOf(draw) * static_cast<double>(sorted.size()));
  return sorted[std::min(index, sorted.size() - 1)];
}

std::vector<Duration> Sorted(std::vector<Duration> times) {
  std::sort(times.begin(), times.end());
  return times;
}

// Work that takes about as long: what scans a table takes as long as its scans.
struct KindOfWork {
  uint32_t group = 0;
  uint32_t size = 0;
  uint32_t batch = 0;
  auto operator<=>(const KindOfWork&) const = default;
};

KindOfWork KindOf(const estimate::Observation& run) {
  return {base::ToInt(run.shape.group),
          run.shape.scans > 0
              ? run.shape.scans + 64
              : static_cast<uint32_t>(std::bit_width(run.shape.events)),
          run.batch};
}

// The profile at a daemon's start ran alone, which a busy daemon's runs never
// do.
Contention ContentionOf(const RecordedRun& run) {
  constexpr uint64_t kRunsMin = 30;
  struct Sum {
    uint64_t runs = 0;
    double ns = 0;
  };
  std::map<KindOfWork, Sum> sums;
  for (size_t i = run.runs_begin; i < run.runs.size(); ++i) {
    Sum& sum = sums[KindOf(run.runs[i])];
    ++sum.runs;
    sum.ns += static_cast<double>(run.runs[i].time.count());
  }
  std::vector<Contention::Sample> samples;
  const auto add = [&](const estimate::Observation& one, double others) {
    const auto kind = sums.find(KindOf(one));
    if (kind == sums.end() || kind->second.runs < kRunsMin) return;
    const double mean =
        kind->second.ns / static_cast<double>(kind->second.runs);
    if (mean <= 0 || others < 0) return;
    samples.push_back({others, static_cast<double>(one.time.count()) / mean});
  };
  for (const estimate::Observation& seed : run.seeds) add(seed, 0);
  for (size_t i = run.runs_begin; i < run.runs.size(); ++i) {
    add(run.runs[i], run.others[i]);
  }
  return Contention::Of(samples);
}

// Run times as they were recorded.
class RecordedTimes {
 public:
  explicit RecordedTimes(const RecordedRun& run)
      : times_({/*half_life_runs=*/4096}), overheads_(Sorted(run.overheads)) {
    for (const estimate::Observation& seed : run.seeds) times_.Observe(seed);
    for (const estimate::Observation& one : run.runs) times_.Observe(one);
    contention_ = ContentionOf(run);
  }

  // Beside as many others as the recorded runs had on average.
  Duration Run(const base::JobShape& shape, uint32_t batch,
               uint64_t draw) const {
    constexpr double kEdge = 0.0005;
    return times_.Quantile(shape, batch,
                           std::clamp(UniformOf(draw), kEdge, 1 - kEdge));
  }
  Duration Overhead(uint64_t draw) const {
    return Draw(overheads_, base::MixBits(draw ^ 0x0ead));
  }
  const Contention& contention() const { return contention_; }

 private:
  estimate::Estimator times_;
  const std::vector<Duration> overheads_;
  Contention contention_;
};

// What runs at one time, each the slower the more others there are.
class Workers {
 public:
  Workers(uint32_t count, const Contention& contention)
      : left_ns_(count, kIdle) {
    for (uint32_t others = 0; others < count; ++others) {
      factor_.push_back(contention.FactorBeside(others));
    }
  }

  // A run of so much time beside the usual number of others.
  void Start(uint32_t worker, Duration time, MonoTime now) {
    Advance(now);
    left_ns_[worker] = static_cast<double>(time.count());
    ++running_;
  }
  // The worker whose run ends first, and when; kInfiniteFuture without one.
  std::pair<MonoTime, uint32_t> Next() const {
    if (running_ == 0) return {base::kInfiniteFuture, 0};
    const auto next = std::min_element(left_ns_.begin(), left_ns_.end());
    const double ns = std::ceil(*next * factor_[running_ - 1]);
    return {at_ + Duration(static_cast<int64_t>(ns)),
            static_cast<uint32_t>(next - left_ns_.begin())};
  }
  void End(uint32_t worker, MonoTime now) {
    Advance(now);
    left_ns_[worker] = kIdle;
    --running_;
  }

 private:
  static constexpr double kIdle = std::numeric_limits<double>::infinity();

  void Advance(MonoTime now) {
    if (running_ > 0) {
      const double done =
          static_cast<double>((now - at_).count()) / factor_[running_ - 1];
      for (double& left : left_ns_) left = std::max(0.0, left - done);
    }
    at_ = now;
  }

  std::vector<double> factor_;   // by the number of others
  std::vector<double> left_ns_;  // by worker, beside the usual number of others
  uint32_t running_ = 0;
  MonoTime at_{};
};

class Driver {
 public:
  Driver(const RecordedRun& run, const WhatIfSettings& settings,
         const RecordedTimes& times, uint32_t workers, schedule::Policy* policy,
         estimate::Estimator* estimator)
      : run_(run),
        settings_(settings),
        times_(times),
        policy_(policy),
        estimator_(estimator),
        jobs_(workers),
        machine_(workers, times.contention()),
        overshoots_(Sorted(run.overshoots)) {
    result_.workers = workers;
    if (settings.budget) {
      budget_shift_ = OvershootWithin(*settings.budget) -
                      OvershootWithin(run.header.violation_budget_ppm() / 1e6);
    }
  }

  WhatIfResult Run();

 private:
  struct RowState {
    base::Seq newest = 0;
    base::Seq as_of = 0;
    base::JobShape shape;
  };
  struct Waiting {
    MonoTime arrived;
    MonoTime answer_by;
    MonoTime deadline;
    bool counts = false;
    std::vector<std::pair<base::RowId, double>> gains;
  };
  struct Job {
    base::JobId id{};
    std::vector<base::RowId> rows;
    base::Seq as_of = 0;
    base::JobShape shape;
    MonoTime started{};
    Duration time{};  // once it has ended
    Duration overhead{};
  };
  using Completion = std::pair<MonoTime, uint32_t>;  // heard of; worker

  void Take(const RecordedRun::Input& input);
  void Arrive(const RecordedRun::Input& input);
  void EndRun(uint32_t worker);
  void Finish(uint32_t worker);
  void Apply();
  void Start(const Action& action);
  void Settle(const Action& action);
  void Answer(base::TicketId ticket);
  Duration SloOf(base::FlowId flow) const;
  // What all but half of the budget's share of the answers stayed within: the
  // guard keeps as much for overshoots, the other half is for what is outside
  // of the daemon (execute::Guard).
  Duration OvershootWithin(double budget) const;
  Duration GuardOf(base::FlowId flow);

  const RecordedRun& run_;
  const WhatIfSettings& settings_;
  const RecordedTimes& times_;
  schedule::Policy* const policy_;
  estimate::Estimator* const estimator_;

  MonoTime now_{};
  MonoTime counts_from_{};
  base::Seq sequence_ = 0;
  absl::flat_hash_map<base::RowId, RowState> rows_;
  absl::flat_hash_map<base::TicketId, Waiting> waiting_;
  std::vector<Job> jobs_;  // by worker
  Workers machine_;
  std::priority_queue<Completion, std::vector<Completion>, std::greater<>>
      completions_;
  const std::vector<Duration> overshoots_;
  Duration budget_shift_{};
  schedule::Actions actions_;
  std::vector<schedule::Need> needs_;
  std::vector<schedule::RowResult> results_;
  absl::flat_hash_map<uint32_t, Duration> guards_;  // by flow
  double price_sum_ = 0;
  uint64_t prices_ = 0;
  WhatIfResult result_;
};

Duration Driver::SloOf(base::FlowId flow) const {
  const int index = static_cast<int>(base::ToInt(flow));
  return index < run_.header.flows_size()
             ? Duration(run_.header.flows(index).slo_ns())
             : Duration::zero();
}

Duration Driver::OvershootWithin(double budget) const {
  const auto late = static_cast<size_t>(
      budget / 2 * static_cast<double>(run_.outcome.tickets));
  if (overshoots_.empty() || late >= overshoots_.size()) return {};
  return overshoots_[overshoots_.size() - 1 - late];
}

Duration Driver::GuardOf(base::FlowId flow) {
  const auto [it, made] = guards_.try_emplace(base::ToInt(flow));
  if (made) it->second = run_.GuardOf(flow);
  return it->second;
}

void Driver::Arrive(const RecordedRun::Input& input) {
  Waiting ticket;
  ticket.arrived = now_;
  ticket.counts = now_ >= counts_from_;
  const Duration recorded_slo = SloOf(input.flow);
  const Duration shift = settings_.slo.value_or(recorded_slo) - recorded_slo;
  ticket.deadline = input.answer_by + shift + GuardOf(input.flow);
  ticket.answer_by =
      input.answer_by + shift - settings_.guard_shift - budget_shift_;
  needs_.clear();
  for (size_t i = input.needs_begin; i < input.needs_end; ++i) {
    const schedule::Need& need = run_.needs[i];
    RowState& row = rows_[need.row];
    sequence_ = std::max(sequence_, need.want);
    row.newest = std::max(row.newest, need.want);
    const double gain = need.levels.empty() ? 0 : need.levels[0].gain;
    if (!need.levels.empty()) row.shape = need.levels[0].shape;
    const bool fresh = row.as_of >= need.want;
    if (ticket.counts) {
      ++result_.needs;
      result_.gain_offered += gain;
      result_.fresh += fresh;
      if (fresh) result_.gain_captured += gain;
    }
    if (fresh) continue;
    ticket.gains.push_back({need.row, gain});
    needs_.push_back(need);
  }
  result_.tickets += ticket.counts;
  if (needs_.empty()) {
    if (ticket.counts) result_.decision_ns.Record(0);
    return;
  }
  const MonoTime answer_by = ticket.answer_by;
  waiting_[input.ticket] = std::move(ticket);
  policy_->Arrive({input.ticket, input.flow, answer_by, needs_}, now_,
                  &actions_);
  Apply();
}

void Driver::Take(const RecordedRun::Input& input) {
  switch (input.kind) {
    case RecordedRun::Input::Kind::kArrive:
      Arrive(input);
      return;
    case RecordedRun::Input::Kind::kCancel:
      if (waiting_.erase(input.ticket) == 0) return;
      policy_->Cancel(input.ticket, now_, &actions_);
      Apply();
      return;
    case RecordedRun::Input::Kind::kChanged:
      sequence_ = std::max(sequence_, input.newest);
      rows_[input.row].shape = input.signals.shape;
      rows_[input.row].newest = input.newest;
      policy_->Changed(input.row, input.newest, input.signals, now_, &actions_);
      Apply();
      return;
  }
}

void Driver::Start(const Action& action) {
  const uint32_t worker = base::ToInt(action.worker);
  FRESHLINE_CHECK(worker < jobs_.size() && jobs_[worker].rows.empty());
  Job& job = jobs_[worker];
  job.id = action.job;
  job.as_of = sequence_;
  base::BatchShape shape;
  uint64_t draw = settings_.seed;
  for (uint32_t i = 0; i < action.rows_count; ++i) {
    const base::RowId row = actions_.rows[action.rows_begin + i];
    job.rows.push_back(row);
    base::JobShape one = rows_[row].shape;
    one.group = row.group;
    shape.Add(one);
    draw = base::MixBits(draw ^ base::ToInt(row.key));
    draw = base::MixBits(draw ^ rows_[row].newest);
  }
  job.shape = shape.shape();
  job.started = now_;
  job.overhead = times_.Overhead(draw);
  machine_.Start(worker, times_.Run(job.shape, action.rows_count, draw), now_);
  if (now_ >= counts_from_) {
    ++result_.jobs;
    result_.rows_computed += action.rows_count;
  }
}

void Driver::EndRun(uint32_t worker) {
  machine_.End(worker, now_);
  Job& job = jobs_[worker];
  job.time = now_ - job.started;
  if (job.started >= counts_from_) result_.busy += job.time;
  completions_.push({now_ + job.overhead, worker});
}

void Driver::Settle(const Action& action) {
  const auto found = waiting_.find(action.ticket);
  if (found == waiting_.end() || !found->second.counts) return;
  if (action.reason != Obtained::kRefreshed) {
    price_sum_ += action.price;
    ++prices_;
    return;
  }
  ++result_.fresh;
  for (const auto& [row, gain] : found->second.gains) {
    if (row == action.row) result_.gain_captured += gain;
  }
}

void Driver::Answer(base::TicketId ticket) {
  const auto found = waiting_.find(ticket);
  if (found == waiting_.end()) return;
  const Waiting& query = found->second;
  if (query.counts) {
    result_.decision_ns.Record((now_ - query.arrived).count());
    Duration late_by{};
    if (now_ >= query.answer_by) {
      late_by = Draw(overshoots_,
                     base::MixBits(settings_.seed ^ base::ToInt(ticket)));
    }
    if (now_ + late_by > query.deadline) ++result_.late;
  }
  waiting_.erase(found);
}

void Driver::Apply() {
  for (const Action& action : actions_.list) {
    switch (action.kind) {
      case Action::Kind::kStart:
        Start(action);
        break;
      case Action::Kind::kSettle:
        Settle(action);
        break;
      case Action::Kind::kAnswer:
        Answer(action.ticket);
        break;
    }
  }
  actions_.Clear();
}

void Driver::Finish(uint32_t worker) {
  Job& job = jobs_[worker];
  results_.clear();
  for (const base::RowId row : job.rows) {
    RowState& state = rows_[row];
    state.as_of = std::max(state.as_of, job.as_of);
    results_.push_back({row, job.as_of, true});
  }
  estimator_->Observe(job.shape, static_cast<uint32_t>(job.rows.size()),
                      job.time);
  job.rows.clear();
  policy_->Done(job.id, results_, now_, &actions_);
  Apply();
}

WhatIfResult Driver::Run() {
  const std::vector<RecordedRun::Input>& inputs = run_.inputs;
  now_ = inputs.front().now;
  counts_from_ = base::kInfiniteFuture;
  for (const RecordedRun::Input& input : inputs) {
    if (input.kind != RecordedRun::Input::Kind::kArrive) continue;
    counts_from_ = input.now + settings_.skip;
    break;
  }
  policy_->SetWorkers(result_.workers, now_, &actions_);
  Apply();
  size_t next_input = 0;
  while (true) {
    const MonoTime input_at = next_input < inputs.size()
                                  ? inputs[next_input].now
                                  : base::kInfiniteFuture;
    const MonoTime done_at =
        completions_.empty() ? base::kInfiniteFuture : completions_.top().first;
    if (next_input == inputs.size() && waiting_.empty()) break;
    const auto [ended_at, ended] = machine_.Next();
    const MonoTime next =
        std::min({input_at, ended_at, done_at, policy_->NextWake()});
    FRESHLINE_CHECK(next != base::kInfiniteFuture);
    now_ = std::max(now_, next);
    if (next == ended_at) {
      EndRun(ended);
    } else if (next == done_at) {
      const uint32_t worker = completions_.top().second;
      completions_.pop();
      Finish(worker);
    } else if (next == input_at) {
      Take(inputs[next_input++]);
    } else {
      policy_->Tick(now_, &actions_);
      Apply();
    }
  }
  result_.span = now_ - counts_from_;
  result_.price_mean =
      prices_ > 0 ? price_sum_ / static_cast<double>(prices_) : 0;
  return std::move(result_);
}

absl::Status Check(const RecordedRun& run, const WhatIfSettings& settings) {
  const auto wrong = [](absl::string_view what, double value,
                        absl::string_view range) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": ", value, " is not in ", range));
  };
  if (settings.workers && (*settings.workers < 1 || *settings.workers > 1024)) {
    return wrong("workers", *settings.workers, "[1, 1024]");
  }
  if (settings.batch_max &&
      (*settings.batch_max < 1 || *settings.batch_max > 64)) {
    return wrong("batch", *settings.batch_max, "[1, 64]");
  }
  if (settings.slo && (*settings.slo <= Duration::zero() ||
                       *settings.slo > std::chrono::minutes(1))) {
    return wrong("SLO in ms", base::ToMillis(*settings.slo), "(0, 60000]");
  }
  if (settings.guard_shift < -std::chrono::minutes(1) ||
      settings.guard_shift > std::chrono::minutes(1)) {
    return wrong("guard shift in ms", base::ToMillis(settings.guard_shift),
                 "[-60000, 60000]");
  }
  if (settings.budget && !(*settings.budget > 0 && *settings.budget <= 0.1)) {
    return wrong("budget", *settings.budget, "(0, 0.1]");
  }
  if (settings.budget && run.header.violation_budget_ppm() == 0) {
    return absl::FailedPreconditionError(
        "budget: the log does not say which violation_budget_ppm its guard was "
        "learned from: record it again");
  }
  return run.inputs.empty() ? absl::InvalidArgumentError("nothing is recorded")
                            : absl::OkStatus();
}

}  // namespace

absl::StatusOr<WhatIfResult> WhatIf(
    const RecordedRun& run, const WhatIfSettings& settings,
    const schedule::PolicyCatalogue& catalogue) {
  FRESHLINE_RETURN_IF_ERROR(Check(run, settings));
  schedule::PolicyConfig policy;
  if (settings.policy) {
    policy = *settings.policy;
  } else {
    FRESHLINE_ASSIGN_OR_RETURN(policy, record::PolicyOf(run.header, catalogue));
  }
  std::vector<schedule::GroupTraits> groups = record::GroupsOf(run.header);
  if (settings.batch_max) {
    for (schedule::GroupTraits& group : groups) {
      group.batch_max = *settings.batch_max;
    }
  }
  FRESHLINE_ASSIGN_OR_RETURN(std::vector<schedule::FlowTraits> flows,
                             record::FlowsOf(run.header));
  estimate::Estimator::Options options;
  if (run.header.half_life_runs() > 0) {
    options.half_life_runs = run.header.half_life_runs();
  }
  estimate::Estimator estimator(options);
  for (const estimate::Observation& seed : run.seeds) estimator.Observe(seed);
  const std::unique_ptr<schedule::Policy> engine = schedule::MakePolicy(
      policy, &estimator, std::move(groups), std::move(flows));
  const RecordedTimes times(run);
  WhatIfResult result = Driver(run, settings, times,
                               settings.workers.value_or(run.header.workers()),
                               engine.get(), &estimator)
                            .Run();
  result.policy = policy.name;
  return result;
}

}  // namespace freshline::bench
