// SPDX-License-Identifier: Apache-2.0
#include "schedule/recorder.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace freshline::schedule {

using base::JobShape;
using base::MonoTime;

namespace {

std::string RowName(base::RowId row) {
  return absl::StrCat(base::ToInt(row.key), ":", base::ToInt(row.group));
}

std::string DescribeAt(const Actions& actions, size_t i) {
  if (i >= actions.list.size()) return "nothing";
  return DescribeAction(actions.list[i], actions);
}

bool SameAction(const Actions& a, const Actions& b, size_t i) {
  const Action& x = a.list[i];
  const Action& y = b.list[i];
  if (x.kind != y.kind) return false;
  switch (x.kind) {
    case Action::Kind::kStart:
      return x.job == y.job && x.worker == y.worker &&
             x.fidelity == y.fidelity && x.background == y.background &&
             x.shape == y.shape && x.rows_count == y.rows_count &&
             std::equal(a.rows.begin() + x.rows_begin,
                        a.rows.begin() + x.rows_begin + x.rows_count,
                        b.rows.begin() + y.rows_begin);
    case Action::Kind::kSettle:
      return x.ticket == y.ticket && x.row == y.row && x.reason == y.reason &&
             x.price == y.price;
    case Action::Kind::kAnswer:
      return x.ticket == y.ticket;
  }
  return false;
}

}  // namespace

std::string DescribeAction(const Action& action, const Actions& all) {
  switch (action.kind) {
    case Action::Kind::kStart: {
      std::string text = absl::StrCat(
          action.background ? "start background job " : "start job ",
          base::ToInt(action.job), " on worker ", base::ToInt(action.worker),
          " fidelity ", static_cast<int>(action.fidelity), " events ",
          action.shape.events, " scans ", action.shape.scans, " rows");
      for (uint32_t i = 0; i < action.rows_count; ++i) {
        absl::StrAppend(&text, " ", RowName(all.rows[action.rows_begin + i]));
      }
      return text;
    }
    case Action::Kind::kSettle:
      return absl::StrCat("settle ticket ", base::ToInt(action.ticket), " row ",
                          RowName(action.row), " reason ",
                          static_cast<int>(action.reason), " price ",
                          action.price);
    case Action::Kind::kAnswer:
      return absl::StrCat("answer ticket ", base::ToInt(action.ticket));
  }
  return "";
}

RecordedCall* PolicyRecorder::Begin(RecordedCall::Kind kind, MonoTime now) {
  call_.kind = kind;
  call_.now = now;
  call_.needs.clear();
  call_.results.clear();
  call_.actions.Clear();
  return &call_;
}

template <typename Forward>
void PolicyRecorder::Pass(Actions* actions, Forward forward) {
  const size_t list_before = actions->list.size();
  const size_t rows_before = actions->rows.size();
  forward();
  call_.actions.list.assign(
      actions->list.begin() + static_cast<ptrdiff_t>(list_before),
      actions->list.end());
  call_.actions.rows.assign(
      actions->rows.begin() + static_cast<ptrdiff_t>(rows_before),
      actions->rows.end());
  for (Action& action : call_.actions.list) {
    if (action.kind == Action::Kind::kStart) {
      action.rows_begin -= static_cast<uint32_t>(rows_before);
    }
  }
  sink_->Take(call_);
}

void PolicyRecorder::ListenTo(estimate::Estimator* estimator) {
  estimator->SetListener([this](const estimate::Observation& run) {
    RecordedCall* call = Begin(
        run.is_seed ? RecordedCall::Kind::kSeed : RecordedCall::Kind::kObserve,
        call_.now);
    call->shape = run.shape;
    call->batch = run.batch;
    call->time = run.time;
    call->worker = run.worker;
    call->predicted_p99 = run.predicted_p99;
    call->cpu_time = run.cpu_time;
    sink_->Take(*call);
  });
}

void PolicyRecorder::Arrive(const Ticket& ticket, MonoTime now,
                            Actions* actions) {
  RecordedCall* call = Begin(RecordedCall::Kind::kArrive, now);
  call->ticket = ticket.id;
  call->flow = ticket.flow;
  call->answer_by = ticket.answer_by;
  call->needs.assign(ticket.needs.begin(), ticket.needs.end());
  Pass(actions, [&] { policy_->Arrive(ticket, now, actions); });
}

void PolicyRecorder::Cancel(base::TicketId ticket, MonoTime now,
                            Actions* actions) {
  RecordedCall* call = Begin(RecordedCall::Kind::kCancel, now);
  call->ticket = ticket;
  Pass(actions, [&] { policy_->Cancel(ticket, now, actions); });
}

void PolicyRecorder::Changed(base::RowId row, base::Seq newest,
                             const Signals& signals, MonoTime now,
                             Actions* actions) {
  RecordedCall* call = Begin(RecordedCall::Kind::kChanged, now);
  call->row = row;
  call->newest = newest;
  call->signals = signals;
  Pass(actions, [&] { policy_->Changed(row, newest, signals, now, actions); });
}

void PolicyRecorder::Done(base::JobId job, std::span<const RowResult> results,
                          MonoTime now, Actions* actions) {
  RecordedCall* call = Begin(RecordedCall::Kind::kDone, now);
  call->job = job;
  call->results.assign(results.begin(), results.end());
  Pass(actions, [&] { policy_->Done(job, results, now, actions); });
}

void PolicyRecorder::Tick(MonoTime now, Actions* actions) {
  Begin(RecordedCall::Kind::kTick, now);
  Pass(actions, [&] { policy_->Tick(now, actions); });
}

void PolicyRecorder::SetWorkers(uint32_t n, MonoTime now, Actions* actions) {
  RecordedCall* call = Begin(RecordedCall::Kind::kSetWorkers, now);
  call->workers = n;
  Pass(actions, [&] { policy_->SetWorkers(n, now, actions); });
}

void PolicyRecorder::Probe(base::RowId row, const JobShape& shape, MonoTime now,
                           Actions* actions) {
  RecordedCall* call = Begin(RecordedCall::Kind::kProbe, now);
  call->row = row;
  call->shape = shape;
  Pass(actions, [&] { policy_->Probe(row, shape, now, actions); });
}

void Replayer::Feed(const RecordedCall& call) {
  switch (call.kind) {
    case RecordedCall::Kind::kArrive:
      policy_->Arrive({call.ticket, call.flow, call.answer_by, call.needs},
                      call.now, &actions_);
      return;
    case RecordedCall::Kind::kCancel:
      policy_->Cancel(call.ticket, call.now, &actions_);
      return;
    case RecordedCall::Kind::kChanged:
      policy_->Changed(call.row, call.newest, call.signals, call.now,
                       &actions_);
      return;
    case RecordedCall::Kind::kDone:
      policy_->Done(call.job, call.results, call.now, &actions_);
      return;
    case RecordedCall::Kind::kTick:
      policy_->Tick(call.now, &actions_);
      return;
    case RecordedCall::Kind::kSetWorkers:
      policy_->SetWorkers(call.workers, call.now, &actions_);
      return;
    case RecordedCall::Kind::kProbe:
      policy_->Probe(call.row, call.shape, call.now, &actions_);
      return;
    case RecordedCall::Kind::kSeed:
    case RecordedCall::Kind::kObserve:
      estimator_->Observe(
          {call.shape, call.batch, call.time, call.worker, call.predicted_p99,
           call.kind == RecordedCall::Kind::kSeed, call.cpu_time});
      return;
  }
}

bool Replayer::Take(const RecordedCall& call) {
  if (result_.differs_at.has_value()) return false;
  actions_.Clear();
  Feed(call);
  const size_t n = std::max(actions_.list.size(), call.actions.list.size());
  for (size_t i = 0; i < n; ++i) {
    if (i < actions_.list.size() && i < call.actions.list.size() &&
        SameAction(call.actions, actions_, i)) {
      continue;
    }
    result_.differs_at = result_.calls;
    result_.difference = absl::StrCat(
        "call ", result_.calls, " action ", i, ": recorded ",
        DescribeAt(call.actions, i), ", replayed ", DescribeAt(actions_, i));
    return false;
  }
  ++result_.calls;
  result_.actions += n;
  return true;
}

ReplayResult Replay(const Recording& recording, Policy* policy,
                    estimate::Estimator* estimator) {
  Replayer replayer(policy, estimator);
  for (const RecordedCall& call : recording.calls) {
    if (!replayer.Take(call)) break;
  }
  return replayer.result();
}

}  // namespace freshline::schedule
