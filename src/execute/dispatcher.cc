// SPDX-License-Identifier: Apache-2.0
#include "execute/dispatcher.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "execute/row_assessor.h"

namespace freshline::execute {

using base::Duration;
using base::MonoTime;
using base::Obtained;
using base::TicketId;
using schedule::Action;

namespace {

// Between so many messages the workers and the timer get their turn.
constexpr size_t kMessagesPerTurn = 16;
constexpr uint64_t kDecisionSample = 8;
constexpr Duration kPublishEvery = std::chrono::milliseconds(100);

std::optional<Duration> CpuTimeOf(const Job& job) {
  if (job.cpu_time == Duration::zero()) return std::nullopt;
  return job.cpu_time;
}

}  // namespace

Dispatcher::Dispatcher(Options options, Rooms rooms)
    : options_(options),
      rooms_(std::move(rooms)),
      inbox_(options.inbox_max),
      guard_(options.guard, rooms_.slo_of_flow),
      group_runs_(rooms_.source_of_group.size()),
      watch_(options.hang),
      reprofiler_(options.reprofile, rooms_.source_of_group.size()) {
  SyncWorkers();
  PublishStats();
}

Dispatcher::~Dispatcher() {
  inbox_.Close();
  inbox_.DrainTo(&batch_);
  for (Message& message : batch_) {
    if (message.query != nullptr) message.query->Send();
  }
  for (auto& [ticket, waiting] : waiting_) waiting.query->Send();
}

bool Dispatcher::Submit(TicketId ticket,
                        std::unique_ptr<WaitingQuery>&& query) {
  Message message;
  message.ticket = ticket;
  message.query = std::move(query);
  bool was_empty = false;
  if (stopping_.load(std::memory_order_relaxed) ||
      !inbox_.TryPush(std::move(message), &was_empty)) {
    // TryPush() took nothing.
    query = std::move(message.query);  // NOLINT(bugprone-use-after-move)
    refused_full_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  if (was_empty) rooms_.waker->Wake();
  return true;
}

void Dispatcher::Cancel(TicketId ticket) {
  Message message;
  message.kind = Message::Kind::kCancel;
  message.ticket = ticket;
  bool was_empty = false;
  // A lost cancellation costs work, never lateness.
  if (inbox_.TryPush(std::move(message), &was_empty) && was_empty) {
    rooms_.waker->Wake();
  }
}

void Dispatcher::Changed(base::RowId row, base::Seq newest,
                         const schedule::Signals& signals) {
  Message message;
  message.kind = Message::Kind::kChanged;
  message.row = row;
  message.newest = newest;
  message.signals = signals;
  bool was_empty = false;
  if (inbox_.TryPush(std::move(message), &was_empty) && was_empty) {
    rooms_.waker->Wake();
  }
}

MonoTime Dispatcher::Step() {
  NoticeStall(rooms_.clock->Now());
  TakeFinished();
  GiveUpHung();
  TickIfDue();
  inbox_.DrainTo(&batch_);
  for (size_t i = 0; i < batch_.size(); ++i) {
    Handle(&batch_[i]);
    if (i % kMessagesPerTurn == kMessagesPerTurn - 1) {
      TakeFinished();
      TickIfDue();
    }
  }
  batch_.clear();
  if (!arriving_.empty()) {
    const TicketId id = arriving_.front();
    arriving_.pop_front();
    ArriveSlice(id);
  }
  TickIfDue();
  ReprofileIfDue();
  const MonoTime now = rooms_.clock->Now();
  if (now >= next_publish_) {
    PublishStats();
    next_publish_ = now + kPublishEvery;
  }
  if (!arriving_.empty()) {
    expected_ = now;
    return now;
  }
  const MonoTime wake = std::min(
      {rooms_.policy->NextWake(), watch_.NextCheck(), reprofiler_.NextCheck()});
  // What the last step changed must not stay unpublished while nothing comes.
  expected_ = unpublished_ ? std::min(wake, next_publish_) : wake;
  return expected_;
}

void Dispatcher::NoticeStall(MonoTime now) {
  if (now > expected_ && now - expected_ >= kStallMin) {
    ++own_.stalls;
    stalled_until_ = now;
    watch_.Forgive(now - expected_);
  }
  expected_ = now;
}

void Dispatcher::Run() {
  while (true) {
    const MonoTime next = Step();
    if (stopping_.load(std::memory_order_acquire) && waiting_.empty() &&
        inbox_.size() == 0) {
      break;
    }
    rooms_.waker->WaitUntil(next);
  }
  PublishStats();
}

void Dispatcher::Stop() {
  stopping_.store(true, std::memory_order_release);
  rooms_.waker->Wake();
}

void Dispatcher::Handle(Message* message) {
  const bool sampled = ++decisions_ % kDecisionSample == 0;
  const MonoTime begin = rooms_.clock->Now();
  switch (message->kind) {
    case Message::Kind::kSubmit:
      Arrive(message->ticket, std::move(message->query));
      return;
    case Message::Kind::kCancel:
      Cancelled(message->ticket, begin);
      break;
    case Message::Kind::kChanged:
      rooms_.policy->Changed(message->row, message->newest, message->signals,
                             begin, &actions_);
      break;
  }
  if (sampled) decision_ns_.Record((rooms_.clock->Now() - begin).count());
  Apply();
}

void Dispatcher::Cancelled(TicketId id, MonoTime now) {
  const auto it = waiting_.find(id);
  if (it == waiting_.end()) return;
  const size_t slices = (it->second.needs_told + kSliceNeeds - 1) / kSliceNeeds;
  waiting_.erase(it);
  ++own_.cancelled;
  for (size_t slice = 0; slice < slices; ++slice) {
    rooms_.policy->Cancel(TicketId{base::ToInt(id) + slice}, now, &actions_);
  }
}

void Dispatcher::Arrive(TicketId id, std::unique_ptr<WaitingQuery> query) {
  const MonoTime answer_by = query->answer_by();
  Waiting waiting;
  waiting.query = std::move(query);
  waiting.answer_by = answer_by;
  waiting_[id] = std::move(waiting);
  ArriveSlice(id);
}

void Dispatcher::ArriveSlice(TicketId id) {
  const auto it = waiting_.find(id);
  if (it == waiting_.end()) return;  // it was cancelled
  Waiting& waiting = it->second;
  WaitingQuery& query = *waiting.query;
  const std::span<const schedule::Need> needs = query.needs();
  const size_t begin = waiting.needs_told;
  const size_t end = std::min(begin + kSliceNeeds, needs.size());
  open_needs_.clear();
  for (size_t i = begin; i < end; ++i) {
    // A job may have ended between the query's look at the table and now.
    bool satisfied = false;
    rooms_.table->Read(needs[i].row.key, [&](const table::KeyView& key) {
      const table::StoredRow row = key.row(needs[i].row.group);
      if (!row.exists() || !query.SatisfiedBy(i, row)) return;
      satisfied = true;
      query.Patch(i, row, key.signals(needs[i].row.group).pending,
                  Obtained::kRefreshed);
    });
    if (!satisfied) open_needs_.push_back(needs[i]);
  }
  waiting.needs_told = end;
  if (end < needs.size()) arriving_.push_back(id);
  if (open_needs_.empty()) {
    SendIfSettled(id);
    return;
  }
  const MonoTime now = rooms_.clock->Now();
  ++waiting.slices_open;
  // One that came too late to wait is no measure of how late answers leave.
  waiting.waited |= now < waiting.answer_by;
  const schedule::Ticket ticket{TicketId{base::ToInt(id) + begin / kSliceNeeds},
                                query.flow(), waiting.answer_by, open_needs_};
  const bool sampled = decisions_ % kDecisionSample == 0;
  rooms_.policy->Arrive(ticket, now, &actions_);
  if (sampled) decision_ns_.Record((rooms_.clock->Now() - now).count());
  Apply();
}

void Dispatcher::SendIfSettled(TicketId id) {
  const auto it = waiting_.find(id);
  const Waiting& settled = it->second;
  if (settled.slices_open > 0 ||
      settled.needs_told < settled.query->needs().size()) {
    return;
  }
  Waiting waiting = std::move(it->second);
  waiting_.erase(it);
  SendNow(waiting.query.get(),
          waiting.waited ? waiting.answer_by : base::kInfiniteFuture);
}

void Dispatcher::TakeFinished() {
  while (const auto worker = rooms_.workers->NextFinished()) {
    TakeResults(*worker);
  }
  SyncWorkers();
}

void Dispatcher::GiveUpHung() {
  const MonoTime now = rooms_.clock->Now();
  // Before Hung(), which moves the next check on.
  while (const auto worker = watch_.Slow(now)) {
    rooms_.workers->RelieveIfStarved(*worker);
  }
  while (const auto worker = watch_.Hung(now)) {
    rooms_.workers->WriteOff(*worker);
    const RunWatch::Run& run = watch_.Ended(*worker);
    GroupRuns& runs = group_runs_[base::ToInt(run.group)];
    ++runs.failures;
    ++runs.hung;
    ++own_.failures;
    ++own_.runs_hung;
    if (rooms_.workers->spares_left() == 0) runs.disabled = true;
    // Before the policy hears that the worker is free.
    SyncWorkers();
    results_.clear();
    for (const base::RowId row : run.rows) results_.push_back({row, 0, false});
    rooms_.policy->Done(run.job, results_, now, &actions_);
    Apply();
  }
}

void Dispatcher::SyncWorkers() {
  if (rooms_.workers->spares_left() > 0) {
    for (GroupRuns& runs : group_runs_) runs.disabled = false;
  }
  const uint32_t usable = rooms_.workers->usable();
  if (usable == workers_told_) return;
  workers_told_ = usable;
  rooms_.policy->SetWorkers(usable, rooms_.clock->Now(), &actions_);
  Apply();
}

void Dispatcher::ReprofileIfDue() {
  const MonoTime now = rooms_.clock->Now();
  if (now < reprofiler_.NextCheck()) return;
  const std::optional<Reprofiler::Probe> due = reprofiler_.Due(now);
  // What is due while workers are busy is left out: they learn already.
  if (!due.has_value() || watch_.running() > 0) return;
  if (!rooms_.table->Read(due->row.key, [](const table::KeyView&) {})) {
    reprofiler_.Forget(due->row);
    return;
  }
  ++own_.reprofiles;
  rooms_.policy->Probe(due->row, due->shape, now, &actions_);
  Apply();
}

void Dispatcher::TakeResults(base::WorkerId worker) {
  const Job& job = rooms_.workers->job(worker);
  RecordRun(job, worker, watch_.Ended(worker));
  results_.clear();
  // The next start on this worker overwrites the job.
  const size_t rows = job.row_count;
  const bool ok = job.status.ok();
  row_used_.assign(rows, false);
  std::vector<bool> stored(rows, false);
  for (size_t i = 0; i < rows; ++i) {
    const Job::Row& row = job.rows[i];
    if (job.status.ok()) {
      stored[i] = rooms_.table->Commit(row.row, row.stored(job.fidelity));
      ++own_.rows_computed;
    }
    results_.push_back({row.row, row.as_of.sequence, job.status.ok()});
  }
  finished_job_ = &job;
  rooms_.policy->Done(job.id, results_, rooms_.clock->Now(), &actions_);
  // Settlements and answers read the job's output, and a start may overwrite
  // it: the policy orders them so that starts come from idle workers only.
  Apply();
  finished_job_ = nullptr;
  for (size_t i = 0; i < rows; ++i) {
    if (row_used_[i]) {
      if (stored[i]) rooms_.table->NoteRead(results_[i].row);
    } else if (ok && !stored[i]) {
      ++own_.rows_wasted;
    }
  }
}

void Dispatcher::RecordRun(const Job& job, base::WorkerId worker,
                           const RunWatch::Run& run) {
  const auto batch = static_cast<uint32_t>(job.row_count);
  GroupRuns& runs = group_runs_[base::ToInt(job.group)];
  if (!job.status.ok()) {
    ++runs.failures;
    ++own_.failures;
    return;
  }
  // Its time is not the work's.
  if (run.started <= stalled_until_) return;
  runs.actual_ns.Record(job.run_time.count());
  rooms_.estimator->Observe({job.shape, batch, job.run_time, worker,
                             run.predicted_p99, /*is_seed=*/false,
                             CpuTimeOf(job)});
  reprofiler_.Ran(run.rows[0], job.shape, /*asked_for=*/!job.background,
                  rooms_.clock->Now());
  const base::Duration alone = CpuTimeOf(job).value_or(job.run_time) / batch;
  rooms_.inline_costs->Observe(job.group, job.shape.events, alone);
}

void Dispatcher::TickIfDue() {
  const MonoTime now = rooms_.clock->Now();
  NoticeStall(now);
  if (now < rooms_.policy->NextWake()) return;
  rooms_.policy->Tick(now, &actions_);
  Apply();
}

void Dispatcher::Apply() {
  ApplyOnce();
  while (!stillborn_.empty()) {
    const Stillborn stillborn = std::move(stillborn_.back());
    stillborn_.pop_back();
    own_.rows_refused += stillborn.rows.size();
    results_.clear();
    for (const base::RowId row : stillborn.rows) {
      results_.push_back({row, 0, false});
    }
    rooms_.policy->Done(stillborn.job, results_, rooms_.clock->Now(),
                        &actions_);
    ApplyOnce();
  }
}

void Dispatcher::ApplyOnce() {
  unpublished_ = true;
  // Answers first: a start copies snapshots, and must not overwrite the output
  // of the job that is being taken home.
  for (const Action& action : actions_.list) {
    if (action.kind == Action::Kind::kSettle) Settle(action);
    if (action.kind == Action::Kind::kAnswer) Answer(action.ticket);
  }
  for (const Action& action : actions_.list) {
    if (action.kind == Action::Kind::kStart) StartJob(action);
  }
  actions_.Clear();
}

void Dispatcher::StartJob(const Action& action) {
  const std::span<const base::RowId> rows(
      actions_.rows.data() + action.rows_begin, action.rows_count);
  const base::GroupId group = rows[0].group;
  if (group_runs_[base::ToInt(group)].disabled) {
    stillborn_.push_back({action.job, {rows.begin(), rows.end()}});
    return;
  }
  Job& job = rooms_.workers->job(action.worker);
  job.id = action.job;
  job.group = group;
  job.function = (*rooms_.functions)[base::ToInt(job.group)].get();
  job.fidelity = action.fidelity;
  job.background = action.background;
  job.row_count = action.rows_count;
  FRESHLINE_CHECK(job.row_count <= job.rows.size());
  const uint32_t source = rooms_.source_of_group[base::ToInt(job.group)];
  const base::UnixMicros now_us = rooms_.clock->WallNowMicros();
  for (size_t i = 0; i < job.row_count; ++i) {
    Job::Row& row = job.rows[i];
    row.row = rows[i];
    row.events.Clear();
    row.event_time_us = 0;
    row.window_time_us = now_us;
    row.holds_until_us = table::kHoldsForEver;
    row.as_of = {rooms_.table->newest_sequence(), now_us};
    rooms_.table->Read(rows[i].key, [&](const table::KeyView& key) {
      const table::EventView events = key.events(source, now_us);
      row.events.CopyNewest(events, job.function->events_needed());
      row.window_time_us = key.window_time_us(source, now_us);
      row.holds_until_us = HoldsUntil(
          *job.function, {row.events.View(), row.window_time_us}, now_us);
      // Read under the shard's lock: every event of the key up to it is here.
      row.as_of.sequence = rooms_.table->newest_sequence();
      if (!events.empty()) {
        row.event_time_us = events.event_time_us[events.size - 1];
      }
    });
  }
  // What is predicted now is judged when the run has ended.
  const base::Duration p99 =
      rooms_.estimator->Quantile(action.shape, action.rows_count, 0.99);
  const double factor = rooms_.estimator->WorkerFactor(action.worker);
  const auto p99_ns = static_cast<double>(p99.count());
  watch_.Started(action.worker, action.job, rows,
                 Duration(static_cast<int64_t>(p99_ns * factor)),
                 rooms_.clock->Now());
  rooms_.workers->Start(action.worker);
}

void Dispatcher::Settle(const Action& action) {
  const auto it = waiting_.find(FirstOf(action.ticket));
  if (it == waiting_.end()) return;
  WaitingQuery& query = *it->second.query;
  const std::span<const schedule::Need> needs = query.needs();
  const auto found = std::lower_bound(
      needs.begin(), needs.end(), action.row,
      [](const schedule::Need& n, base::RowId row) { return n.row < row; });
  if (found == needs.end() || found->row != action.row) {
    FRESHLINE_BUG("the policy settled a row that the ticket does not need");
    return;
  }
  const auto need = static_cast<size_t>(found - needs.begin());
  if (action.reason != Obtained::kRefreshed &&
      action.reason != Obtained::kApproximated) {
    query.Settle(need, action.reason, action.price);
    return;
  }
  uint32_t pending = 0;
  rooms_.table->Read(action.row.key, [&](const table::KeyView& key) {
    pending = key.signals(action.row.group).pending;
  });
  const Job& job = *finished_job_;
  for (size_t i = 0; i < job.row_count; ++i) {
    const Job::Row& row = job.rows[i];
    if (row.row != action.row) continue;
    row_used_[i] = true;
    query.Patch(need, row.stored(job.fidelity), pending, action.reason);
  }
}

void Dispatcher::Answer(TicketId ticket) {
  const TicketId id = FirstOf(ticket);
  const auto it = waiting_.find(id);
  if (it == waiting_.end()) return;
  --it->second.slices_open;
  SendIfSettled(id);
}

void Dispatcher::SendNow(WaitingQuery* query, MonoTime answer_by) {
  const base::FlowId flow = query->flow();
  const MonoTime deadline = query->deadline();
  const MonoTime before = rooms_.clock->Now();
  NoticeStall(before);
  query->Send();
  const MonoTime after = rooms_.clock->Now();
  expected_ = after;
  const bool late = after > deadline;
  if (late) ++own_.late;
  std::optional<Duration> overshoot;
  if (before >= answer_by && answer_by > stalled_until_) {
    overshoot = after - answer_by;
  }
  guard_.Answered(flow, overshoot, late, after);
}

void Dispatcher::PublishStats() {
  DispatcherStats stats = own_;
  stats.policy = rooms_.policy->Stats();
  stats.rows_wasted += rooms_.table->Stats().rows_unread;
  stats.tickets_refused_full = refused_full_.load(std::memory_order_relaxed);
  stats.workers_busy = watch_.running();
  stats.workers_usable = rooms_.workers->usable();
  stats.workers_hung = rooms_.workers->hung();
  stats.runs_starved = rooms_.estimator->starved();
  stats.spares_left = rooms_.workers->spares_left();
  std::vector<Guard::FlowState> flows = guard_.States(rooms_.clock->Now());
  for (const Guard::FlowState& flow : flows) {
    if (flow.answers == 0) continue;
    stats.guard = std::max(stats.guard, flow.guard);
    stats.overshoot = std::max(stats.overshoot, flow.overshoot);
  }
  stats.decision_ns_p50 = decision_ns_.Quantile(0.5);
  stats.decision_ns_p99 = decision_ns_.Quantile(0.99);
  std::vector<GroupRunStats> groups;
  for (uint32_t g = 0; g < group_runs_.size(); ++g) {
    const GroupRuns& runs = group_runs_[g];
    const estimate::Calibration calibration =
        rooms_.estimator->CalibrationOf(base::GroupId{g});
    if (calibration.runs == 0 && runs.failures == 0) continue;
    const auto& away = stats.policy.quarantined;
    groups.push_back({.group = base::GroupId{g},
                      .failures = runs.failures,
                      .hung = runs.hung,
                      .disabled = runs.disabled,
                      .quarantined = std::find(away.begin(), away.end(),
                                               base::GroupId{g}) != away.end(),
                      .actual_p50 = Duration(runs.actual_ns.Quantile(0.5)),
                      .actual_p99 = Duration(runs.actual_ns.Quantile(0.99)),
                      .calibration = calibration});
  }
  unpublished_ = false;
  base::MutexLock lock(&stats_mu_);
  published_ = stats;
  published_groups_ = std::move(groups);
  published_flows_ = std::move(flows);
}

DispatcherStats Dispatcher::Stats() const {
  base::MutexLock lock(&stats_mu_);
  return published_;
}

std::vector<GroupRunStats> Dispatcher::GroupStats() const {
  base::MutexLock lock(&stats_mu_);
  return published_groups_;
}

std::vector<Guard::FlowState> Dispatcher::FlowStats() const {
  base::MutexLock lock(&stats_mu_);
  return published_flows_;
}

}  // namespace freshline::execute
