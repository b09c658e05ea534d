// SPDX-License-Identifier: Apache-2.0
#include "bench/sim/simulation.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "base/check.h"
#include "base/random.h"
#include "bench/sim/coverage_windows.h"

namespace freshline::bench {

using base::Duration;
using base::MonoTime;
using base::Obtained;
using base::RowId;
using base::Seq;
using base::TicketId;
using schedule::Action;

namespace {

// Away from zero, so that arithmetic around the start stays positive.
constexpr MonoTime kStart{std::chrono::hours(1)};

class Simulation {
 public:
  Simulation(const SimOptions& options, SimStream* stream,
             const SimServiceTimes& service_times, schedule::Policy* policy,
             estimate::Estimator* estimator)
      : options_(options),
        stream_(stream),
        service_times_(service_times),
        policy_(policy),
        estimator_(estimator),
        jobs_(options.workers) {}

  SimResult Run();

 private:
  struct RowState {
    Seq newest = 0;       // of its events
    Seq as_of = 0;        // of the stored row
    uint64_t events = 0;  // so far
    uint64_t seen = 0;    // of them, by the stored row
    MonoTime as_of_at = kStart;
    bool unread = false;  // no query read what a job stored
    MonoTime first_pending_at = kStart;
    double regret = -1;  // below 0: no loss was reported
  };
  // An outcome on its way.
  struct Report {
    uint64_t events = 0;
    uint64_t missing = 0;
    double loss = 0;
  };
  struct RunningRow {
    RowId id;
    uint32_t state = 0;
    uint64_t events = 0;  // at the start
  };
  struct Job {
    base::JobId id{};
    std::vector<RunningRow> rows;
    Seq as_of = 0;
    base::JobShape shape;
    MonoTime started;
    SimRun run;
    bool background = false;
  };
  struct Query {
    uint32_t row = 0;
    MonoTime at;
    Seq want = 0;
    double value = 0;
    bool counted = false;
    uint64_t number = 0;  // among the counted
    base::FlowId flow{};
    Duration slo{};
    uint64_t events = 0;  // of the key when it came
    // The row that was stored then: what it gets, unless it is refreshed.
    uint64_t seen = 0;
    MonoTime as_of_at;
    Obtained how = Obtained::kUnset;
  };
  struct Timed {
    MonoTime at;
    uint64_t what;  // worker or ticket
    friend bool operator>(const Timed& a, const Timed& b) {
      return a.at != b.at ? a.at > b.at : a.what > b.what;
    }
  };
  using TimedQueue =
      std::priority_queue<Timed, std::vector<Timed>, std::greater<>>;

  void WarmUp();
  SimFlow& FlowOf(base::FlowId flow);
  uint32_t StateOf(RowId row);
  double GainOf(const RowState& row, double value) const;
  void Take(const SimArrival& arrival);
  void TakeReport(uint32_t slot);
  void Finish(uint32_t worker);
  void Cancel(TicketId ticket);
  void Apply();
  void Start(const Action& action);
  void Answered(const Query& query);
  void Hash(uint64_t word) {
    result_.actions_hash = base::MixBits(result_.actions_hash ^ word);
  }
  void HashAction(const Action& action);

  const SimOptions& options_;
  SimStream* const stream_;
  const SimServiceTimes& service_times_;
  schedule::Policy* const policy_;
  estimate::Estimator* const estimator_;

  MonoTime now_ = kStart;
  Seq sequence_ = 0;
  uint64_t next_ticket_ = 1;
  absl::flat_hash_map<RowId, uint32_t> row_slots_;
  std::vector<RowState> rows_;
  std::vector<base::JobShape> shapes_;  // of each row, with its last event
  absl::flat_hash_map<TicketId, Query> waiting_;
  std::vector<Job> jobs_;                          // by worker
  absl::flat_hash_map<uint32_t, Report> reports_;  // by row
  TimedQueue completions_;
  TimedQueue departures_;
  schedule::Actions actions_;
  std::vector<schedule::RowResult> results_;
  std::vector<bool> newer_;  // of them: had seen more than the stored row
  SimResult result_;
  CoverageWindows coverage_;
};

SimFlow& Simulation::FlowOf(base::FlowId flow) {
  const uint32_t index = base::ToInt(flow);
  if (index >= result_.flows.size()) result_.flows.resize(index + 1);
  return result_.flows[index];
}

uint32_t Simulation::StateOf(RowId row) {
  const auto [it, made] =
      row_slots_.try_emplace(row, static_cast<uint32_t>(rows_.size()));
  if (made) {
    rows_.emplace_back();
    shapes_.emplace_back().group = row.group;
  }
  return it->second;
}

double Simulation::GainOf(const RowState& row, double value) const {
  if (options_.metric == nullptr) return value;
  return value * options_.metric->Gain(
                     {static_cast<uint32_t>(row.events - row.seen), row.seen,
                      now_ - row.as_of_at,
                      row.events > row.seen ? now_ - row.first_pending_at
                                            : Duration::zero(),
                      std::max(row.regret, 0.0)});
}

void Simulation::WarmUp() {
  for (const SimWarmRow& warm : options_.warm_rows) {
    RowState& row = rows_[StateOf(warm.row)];
    sequence_ += warm.events;
    row.newest = row.as_of = sequence_;
    row.events = row.seen = warm.events;
  }
}

void Simulation::TakeReport(uint32_t slot) {
  const auto it = reports_.find(slot);
  if (it == reports_.end()) return;
  const Report report = it->second;
  reports_.erase(it);
  if (options_.metric != nullptr && options_.metric->learned() != nullptr) {
    options_.metric->learned()->Observe(report.events, report.missing,
                                        report.loss);
  }
  if (report.missing == 0) return;
  // As table::Table::NoteLoss().
  double& regret = rows_[slot].regret;
  regret = regret < 0 ? report.loss : regret + 0.25 * (report.loss - regret);
}

void Simulation::Take(const SimArrival& arrival) {
  const uint32_t slot = StateOf(arrival.row);
  RowState& row = rows_[slot];
  shapes_[slot] = arrival.shape;
  if (arrival.event) {
    TakeReport(slot);
    row.newest = ++sequence_;
    if (++row.events == row.seen + 1) row.first_pending_at = now_;
    policy_->Changed(
        arrival.row, row.newest,
        {static_cast<uint32_t>(row.events - row.seen),
         GainOf(row, arrival.value), arrival.shape, std::max(row.regret, 0.0)},
        now_, &actions_);
    Apply();
  }
  if (!arrival.query) return;
  row.unread = false;
  const bool counted = arrival.at >= options_.warm_up;
  const Duration slo =
      arrival.slo > Duration::zero() ? arrival.slo : options_.slo;
  Query query{slot,          now_,        row.newest,
              arrival.value, counted,     result_.queries,
              arrival.flow,  slo,         row.events,
              row.seen,      row.as_of_at};
  if (counted) {
    ++result_.queries;
    ++FlowOf(arrival.flow).queries;
    if (options_.keep_outcomes) result_.outcomes.emplace_back();
  }
  if (row.as_of >= row.newest) {
    query.how = Obtained::kAlreadyFresh;
    Answered(query);
    return;
  }
  schedule::Need need;
  need.row = arrival.row;
  need.want = row.newest;
  need.cold = row.seen == 0;
  need.levels.push_back(
      {base::Fidelity::kFull,
       options_.waiting_gain_share * GainOf(row, arrival.value),
       arrival.shape});
  const TicketId id{next_ticket_++};
  waiting_[id] = query;
  const Duration guard =
      options_.guard_of ? options_.guard_of(arrival, now_) : options_.guard;
  policy_->Arrive({id, arrival.flow, now_ + slo - guard, {&need, 1}}, now_,
                  &actions_);
  Apply();
  if (arrival.patience > Duration::zero()) {
    departures_.push({now_ + arrival.patience, base::ToInt(id)});
  }
}

void Simulation::Answered(const Query& query) {
  if (!query.counted) return;
  const RowState& row = rows_[query.row];
  ++result_.answered;
  ++result_.obtained[static_cast<size_t>(query.how)];
  SimFlow& flow = FlowOf(query.flow);
  ++flow.answered;
  const bool late = now_ - query.at > query.slo;
  result_.late += late;
  flow.late += late;
  result_.value_offered += query.value;
  flow.value_offered += query.value;
  // A row that a job brought but that the query did not wait for is in the
  // store, not in the answer.
  const bool refreshed = query.how == Obtained::kRefreshed;
  const uint64_t seen = refreshed ? row.seen : query.seen;
  if (refreshed || query.how == Obtained::kAlreadyFresh) {
    result_.value_captured += query.value;
    flow.value_captured += query.value;
  }
  if (options_.loss_of) {
    const double loss = options_.loss_of(query.number, seen);
    if (loss >= 0) {
      reports_[query.row] = {query.events,
                             query.events - std::min(seen, query.events), loss};
    }
  }
  result_.latency_ns.Record((now_ - query.at).count());
  result_.pending.Record(static_cast<int64_t>(row.events - seen));
  if (!options_.keep_outcomes) return;
  const MonoTime as_of_at = refreshed ? row.as_of_at : query.as_of_at;
  result_.outcomes[query.number] = {
      query.how, seen, seen >= query.events, now_ - query.at,
      seen > 0 ? now_ - as_of_at : Duration::zero()};
}

void Simulation::HashAction(const Action& action) {
  Hash(static_cast<uint64_t>(now_.time_since_epoch().count()));
  Hash(static_cast<uint64_t>(action.kind));
  switch (action.kind) {
    case Action::Kind::kStart:
      Hash(base::ToInt(action.worker) | (action.background ? 1ULL << 32 : 0));
      for (uint32_t i = 0; i < action.rows_count; ++i) {
        const RowId row = actions_.rows[action.rows_begin + i];
        Hash(base::ToInt(row.key));
        Hash(base::ToInt(row.group));
      }
      return;
    case Action::Kind::kSettle:
      Hash(base::ToInt(action.ticket));
      Hash(base::ToInt(action.row.key));
      Hash(static_cast<uint64_t>(action.reason));
      return;
    case Action::Kind::kAnswer:
      Hash(base::ToInt(action.ticket));
      return;
  }
}

void Simulation::Apply() {
  for (const Action& action : actions_.list) {
    HashAction(action);
    switch (action.kind) {
      case Action::Kind::kStart:
        Start(action);
        break;
      case Action::Kind::kSettle: {
        const auto it = waiting_.find(action.ticket);
        if (it != waiting_.end()) it->second.how = action.reason;
        break;
      }
      case Action::Kind::kAnswer: {
        const auto it = waiting_.find(action.ticket);
        if (it == waiting_.end()) break;
        const Query query = it->second;
        waiting_.erase(it);
        Answered(query);
        break;
      }
    }
  }
  actions_.Clear();
}

void Simulation::Start(const Action& action) {
  const uint32_t worker = base::ToInt(action.worker);
  FRESHLINE_CHECK(worker < jobs_.size());
  Job& job = jobs_[worker];
  FRESHLINE_CHECK(job.rows.empty() && action.rows_count > 0);
  job.id = action.job;
  job.as_of = sequence_;
  job.started = now_;
  job.background = action.background;
  uint64_t draw = options_.seed;
  base::BatchShape shape;
  for (uint32_t i = 0; i < action.rows_count; ++i) {
    const RowId id = actions_.rows[action.rows_begin + i];
    const uint32_t slot = StateOf(id);
    job.rows.push_back({id, slot, rows_[slot].events});
    shape.Add(shapes_[slot]);
    draw = DrawOf(draw, id, rows_[slot].newest);
  }
  job.shape = shape.shape();
  job.run =
      service_times_.Sample(job.shape, action.rows_count, draw, now_ - kStart);
  completions_.push({now_ + job.run.time + job.run.overhead, worker});
}

void Simulation::Finish(uint32_t worker) {
  Job& job = jobs_[worker];
  const auto batch = static_cast<uint32_t>(job.rows.size());
  results_.clear();
  newer_.clear();
  for (const RunningRow& running : job.rows) {
    RowState& row = rows_[running.state];
    newer_.push_back(job.run.ok && running.events > row.seen);
    if (job.run.ok && job.as_of > row.as_of) {
      row.as_of = job.as_of;
      row.seen = running.events;
      row.as_of_at = job.started;
      row.first_pending_at = std::max(row.first_pending_at, job.started);
      result_.rows_wasted += row.unread;
      row.unread = true;
    }
    results_.push_back({running.id, job.as_of, job.run.ok});
  }
  ++result_.jobs;
  result_.rows_computed += batch;
  if (job.background) result_.rows_background += batch;
  result_.busy += job.run.time;
  if (job.run.ok) {
    estimator_->Observe(job.shape, batch, job.run.time);
    if (job.shape.group == base::GroupId{0} && coverage_.Count()) {
      coverage_.Close(estimator_->CalibrationOf(base::GroupId{0}).within_p99);
    }
  }
  // The worker is free when the policy hears of it.
  job.rows.clear();
  policy_->Done(job.id, results_, now_, &actions_);
  for (size_t i = 0; i < results_.size(); ++i) {
    const schedule::RowResult& done = results_[i];
    const bool used = std::any_of(
        actions_.list.begin(), actions_.list.end(), [&](const Action& a) {
          return a.kind == Action::Kind::kSettle && a.row == done.row &&
                 a.reason == Obtained::kRefreshed;
        });
    if (used) {
      ++result_.rows_used;
      rows_[StateOf(done.row)].unread = false;
    }
    if (done.ok && !used && !newer_[i]) ++result_.rows_wasted;
  }
  Apply();
}

void Simulation::Cancel(TicketId ticket) {
  const auto it = waiting_.find(ticket);
  if (it == waiting_.end()) return;
  if (it->second.counted) ++result_.cancelled;
  waiting_.erase(it);
  policy_->Cancel(ticket, now_, &actions_);
  Apply();
}

SimResult Simulation::Run() {
  WarmUp();
  policy_->SetWorkers(options_.workers, now_, &actions_);
  Apply();
  SimArrival arrival;
  bool more = stream_->Next(&arrival);
  while (true) {
    const MonoTime next_arrival =
        more ? kStart + arrival.at : base::kInfiniteFuture;
    const MonoTime next_done =
        completions_.empty() ? base::kInfiniteFuture : completions_.top().at;
    const MonoTime next_leave =
        departures_.empty() ? base::kInfiniteFuture : departures_.top().at;
    const MonoTime next_tick = policy_->NextWake();
    if (!more && completions_.empty() && waiting_.empty()) break;
    const MonoTime next =
        std::min({next_arrival, next_done, next_leave, next_tick});
    FRESHLINE_CHECK(next != base::kInfiniteFuture && next >= now_);
    now_ = next;
    // At one moment: work comes home, then answers leave, then callers come
    // and go.
    if (next == next_done) {
      const auto worker = static_cast<uint32_t>(completions_.top().what);
      completions_.pop();
      Finish(worker);
    } else if (next == next_tick) {
      policy_->Tick(now_, &actions_);
      Apply();
    } else if (next == next_leave) {
      const TicketId ticket{departures_.top().what};
      departures_.pop();
      Cancel(ticket);
    } else {
      Take(arrival);
      more = stream_->Next(&arrival);
    }
  }
  result_.span = now_ - kStart;
  result_.calibration = estimator_->CalibrationOf(base::GroupId{0});
  result_.p99_coverage_windows = coverage_.Shares();
  result_.policy = policy_->Stats();
  return std::move(result_);
}

}  // namespace

uint64_t DrawOf(uint64_t before, RowId row, Seq newest) {
  return base::MixBits(base::MixBits(before ^ base::ToInt(row.key)) ^ newest);
}

void SeedEstimator(const SimOptions& options,
                   const SimServiceTimes& service_times,
                   estimate::Estimator* estimator) {
  uint64_t draw = base::MixBits(options.seed ^ 0x5eed);
  for (const base::JobShape& shape : options.profile_shapes) {
    const uint32_t index = base::ToInt(shape.group);
    const uint32_t batch_max =
        index < options.groups.size() ? options.groups[index].batch_max : 1;
    for (uint32_t batch = 1; batch <= batch_max; batch *= 2) {
      for (uint32_t i = 0; i < options.profile_runs; ++i) {
        draw = base::MixBits(draw);
        estimator->Seed(shape, batch,
                        service_times.Sample(shape, batch, draw, {}).time);
      }
    }
  }
}

SimResult RunSimulation(const SimOptions& options, SimStream* stream,
                        const SimServiceTimes& service_times) {
  estimate::Estimator estimator(options.estimator);
  SeedEstimator(options, service_times, &estimator);
  const std::unique_ptr<schedule::Policy> policy = schedule::MakePolicy(
      options.policy, &estimator, options.groups, options.flows);
  return RunSimulation(options, stream, service_times, policy.get(),
                       &estimator);
}

SimResult RunSimulation(const SimOptions& options, SimStream* stream,
                        const SimServiceTimes& service_times,
                        schedule::Policy* policy,
                        estimate::Estimator* estimator) {
  FRESHLINE_CHECK(options.workers > 0);
  return Simulation(options, stream, service_times, policy, estimator).Run();
}

}  // namespace freshline::bench
