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

}  // namespace

std::string DescribeAction(const Action& action, const Actions& all) {
  switch (action.kind) {
    case Action::Kind::kStart: {
      std::string text = absl::StrCat(
          action.background ? "start background job " : "start job ",
          base::ToInt(action.job), " on worker ", base::ToInt(action.worker),
          " fidelity ", static_cast<int>(action.fidelity), " rows");
      for (uint32_t i = 0; i < action.rows_count; ++i) {
        absl::StrAppend(&text, " ", RowName(all.rows[action.rows_begin + i]));
      }
      return text;
    }
    case Action::Kind::kSettle:
      return absl::StrCat("settle ticket ", base::ToInt(action.ticket), " row ",
                          RowName(action.row), " reason ",
                          static_cast<int>(action.reason));
    case Action::Kind::kAnswer:
      return absl::StrCat("answer ticket ", base::ToInt(action.ticket));
  }
  return "";
}

PolicyRecorder::PolicyRecorder(Policy* policy, size_t calls_max)
    : policy_(policy), calls_max_(calls_max) {}

RecordedCall* PolicyRecorder::Append(RecordedCall::Kind kind, MonoTime now) {
  if (recording_.calls.size() >= calls_max_) {
    ++recording_.calls_dropped;
    return nullptr;
  }
  RecordedCall& call = recording_.calls.emplace_back();
  call.kind = kind;
  call.now = now;
  return &call;
}

template <typename Forward>
void PolicyRecorder::Pass(RecordedCall* call, Actions* actions,
                          Forward forward) {
  const size_t list_before = actions->list.size();
  const size_t rows_before = actions->rows.size();
  forward();
  if (call == nullptr) return;
  call->actions.list.assign(
      actions->list.begin() + static_cast<ptrdiff_t>(list_before),
      actions->list.end());
  call->actions.rows.assign(
      actions->rows.begin() + static_cast<ptrdiff_t>(rows_before),
      actions->rows.end());
  for (Action& action : call->actions.list) {
    if (action.kind == Action::Kind::kStart) {
      action.rows_begin -= static_cast<uint32_t>(rows_before);
    }
  }
}

void PolicyRecorder::ListenTo(estimate::Estimator* estimator) {
  estimator->SetListener([this](const estimate::Observation& run) {
    RecordedCall* call = Append(
        run.is_seed ? RecordedCall::Kind::kSeed : RecordedCall::Kind::kObserve,
        MonoTime{});
    if (call == nullptr) return;
    call->shape = run.shape;
    call->batch = run.batch;
    call->time = run.time;
    call->worker = run.worker;
    call->predicted_p99 = run.predicted_p99;
  });
}

void PolicyRecorder::Arrive(const Ticket& ticket, MonoTime now,
                            Actions* actions) {
  RecordedCall* call = Append(RecordedCall::Kind::kArrive, now);
  if (call != nullptr) {
    call->ticket = ticket.id;
    call->flow = ticket.flow;
    call->answer_by = ticket.answer_by;
    call->needs.assign(ticket.needs.begin(), ticket.needs.end());
  }
  Pass(call, actions, [&] { policy_->Arrive(ticket, now, actions); });
}

void PolicyRecorder::Cancel(base::TicketId ticket, MonoTime now,
                            Actions* actions) {
  RecordedCall* call = Append(RecordedCall::Kind::kCancel, now);
  if (call != nullptr) call->ticket = ticket;
  Pass(call, actions, [&] { policy_->Cancel(ticket, now, actions); });
}

void PolicyRecorder::Changed(base::RowId row, base::Seq newest,
                             const Signals& signals, MonoTime now,
                             Actions* actions) {
  RecordedCall* call = Append(RecordedCall::Kind::kChanged, now);
  if (call != nullptr) {
    call->row = row;
    call->newest = newest;
    call->signals = signals;
  }
  Pass(call, actions,
       [&] { policy_->Changed(row, newest, signals, now, actions); });
}

void PolicyRecorder::Done(base::JobId job, std::span<const RowResult> results,
                          MonoTime now, Actions* actions) {
  RecordedCall* call = Append(RecordedCall::Kind::kDone, now);
  if (call != nullptr) {
    call->job = job;
    call->results.assign(results.begin(), results.end());
  }
  Pass(call, actions, [&] { policy_->Done(job, results, now, actions); });
}

void PolicyRecorder::Tick(MonoTime now, Actions* actions) {
  Pass(Append(RecordedCall::Kind::kTick, now), actions,
       [&] { policy_->Tick(now, actions); });
}

void PolicyRecorder::SetWorkers(uint32_t n, MonoTime now, Actions* actions) {
  RecordedCall* call = Append(RecordedCall::Kind::kSetWorkers, now);
  if (call != nullptr) call->workers = n;
  Pass(call, actions, [&] { policy_->SetWorkers(n, now, actions); });
}

void PolicyRecorder::Probe(base::RowId row, const JobShape& shape, MonoTime now,
                           Actions* actions) {
  RecordedCall* call = Append(RecordedCall::Kind::kProbe, now);
  if (call != nullptr) {
    call->row = row;
    call->shape = shape;
  }
  Pass(call, actions, [&] { policy_->Probe(row, shape, now, actions); });
}

ReplayResult Replay(const Recording& recording, Policy* policy,
                    estimate::Estimator* estimator) {
  ReplayResult result;
  Actions actions;
  for (const RecordedCall& call : recording.calls) {
    actions.Clear();
    switch (call.kind) {
      case RecordedCall::Kind::kArrive:
        policy->Arrive({call.ticket, call.flow, call.answer_by, call.needs},
                       call.now, &actions);
        break;
      case RecordedCall::Kind::kCancel:
        policy->Cancel(call.ticket, call.now, &actions);
        break;
      case RecordedCall::Kind::kChanged:
        policy->Changed(call.row, call.newest, call.signals, call.now,
                        &actions);
        break;
      case RecordedCall::Kind::kDone:
        policy->Done(call.job, call.results, call.now, &actions);
        break;
      case RecordedCall::Kind::kTick:
        policy->Tick(call.now, &actions);
        break;
      case RecordedCall::Kind::kSetWorkers:
        policy->SetWorkers(call.workers, call.now, &actions);
        break;
      case RecordedCall::Kind::kProbe:
        policy->Probe(call.row, call.shape, call.now, &actions);
        break;
      case RecordedCall::Kind::kSeed:
      case RecordedCall::Kind::kObserve:
        estimator->Observe({call.shape, call.batch, call.time, call.worker,
                            call.predicted_p99,
                            call.kind == RecordedCall::Kind::kSeed});
        break;
    }
    const size_t n = std::max(actions.list.size(), call.actions.list.size());
    for (size_t i = 0; i < n; ++i) {
      const std::string was = DescribeAt(call.actions, i);
      const std::string is = DescribeAt(actions, i);
      if (was == is) continue;
      result.differs_at = result.calls;
      result.difference = absl::StrCat("call ", result.calls, " action ", i,
                                       ": recorded ", was, ", replayed ", is);
      return result;
    }
    ++result.calls;
  }
  return result;
}

}  // namespace freshline::schedule
