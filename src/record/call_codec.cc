// SPDX-License-Identifier: Apache-2.0
#include "record/call_codec.h"

#include <algorithm>

namespace freshline::record {

using base::Duration;
using base::MonoTime;
using schedule::Action;
using schedule::RecordedCall;

namespace {

// The numbers of the file are those of the enums.
static_assert(static_cast<int>(RecordedCall::Kind::kArrive) ==
              v1::Call::ARRIVE);
static_assert(static_cast<int>(RecordedCall::Kind::kObserve) ==
              v1::Call::OBSERVE);
static_assert(static_cast<int>(Action::Kind::kAnswer) == v1::Action::ANSWER);

// No daemon has more: what follows them is sized by them.
constexpr uint32_t kWorkersMax = 4096;
constexpr uint32_t kGroupsMax = 1 << 20;

int64_t Nanos(MonoTime t) { return t.time_since_epoch().count(); }
MonoTime Time(int64_t ns) { return MonoTime(Duration(ns)); }

void EncodeRow(base::RowId row, v1::Row* out) {
  out->set_key(base::ToInt(row.key));
  out->set_group(base::ToInt(row.group));
}

base::RowId DecodeRow(const v1::Row& row) {
  return {base::KeyId{row.key()},
          base::GroupId{std::min(row.group(), kGroupsMax)}};
}

void EncodeShape(const base::JobShape& shape, v1::Shape* out) {
  out->set_events(shape.events);
  out->set_scans(shape.scans);
}

base::JobShape DecodeShape(const v1::Shape& shape, base::GroupId group) {
  return {group, shape.events(), shape.scans()};
}

void EncodeNeed(const schedule::Need& need, v1::Need* out) {
  EncodeRow(need.row, out->mutable_row());
  out->set_want(need.want);
  out->set_cold(need.cold);
  for (const schedule::Level& level : need.levels) {
    v1::Need::Level* to = out->add_levels();
    to->set_fidelity(static_cast<uint32_t>(level.fidelity));
    to->set_gain(level.gain);
    EncodeShape(level.shape, to->mutable_shape());
  }
}

bool DecodeNeed(const v1::Need& need, schedule::Need* out) {
  out->row = DecodeRow(need.row());
  out->want = need.want();
  out->cold = need.cold();
  for (const v1::Need::Level& level : need.levels()) {
    if (out->levels.size() == out->levels.capacity()) return false;
    out->levels.push_back({static_cast<base::Fidelity>(level.fidelity()),
                           level.gain(),
                           DecodeShape(level.shape(), out->row.group)});
  }
  return true;
}

void EncodeAction(const Action& action, const schedule::Actions& all,
                  v1::Action* out) {
  out->set_kind(static_cast<v1::Action::Kind>(action.kind));
  switch (action.kind) {
    case Action::Kind::kStart:
      out->set_job(base::ToInt(action.job));
      out->set_worker(base::ToInt(action.worker));
      for (uint32_t i = 0; i < action.rows_count; ++i) {
        EncodeRow(all.rows[action.rows_begin + i], out->add_rows());
      }
      out->set_fidelity(static_cast<uint32_t>(action.fidelity));
      out->set_background(action.background);
      EncodeShape(action.shape, out->mutable_shape());
      return;
    case Action::Kind::kSettle:
      EncodeRow(action.row, out->mutable_row());
      out->set_reason(static_cast<uint32_t>(action.reason));
      out->set_price(action.price);
      [[fallthrough]];
    case Action::Kind::kAnswer:
      out->set_ticket(base::ToInt(action.ticket));
      return;
  }
}

bool DecodeAction(const v1::Action& action, schedule::Actions* out) {
  if (!v1::Action::Kind_IsValid(action.kind())) return false;
  Action to;
  to.kind = static_cast<Action::Kind>(action.kind());
  if (to.kind == Action::Kind::kStart) {
    if (action.rows().empty()) return false;
    to.job = base::JobId{action.job()};
    to.worker = base::WorkerId{action.worker()};
    to.rows_begin = static_cast<uint32_t>(out->rows.size());
    to.rows_count = static_cast<uint32_t>(action.rows_size());
    for (const v1::Row& row : action.rows()) {
      out->rows.push_back(DecodeRow(row));
    }
    to.fidelity = static_cast<base::Fidelity>(action.fidelity());
    to.background = action.background();
    to.shape = DecodeShape(action.shape(), out->rows[to.rows_begin].group);
  } else {
    to.ticket = base::TicketId{action.ticket()};
    to.row = DecodeRow(action.row());
    to.reason = static_cast<base::Obtained>(action.reason());
    to.price = action.price();
  }
  out->list.push_back(to);
  return true;
}

void EncodeRun(const RecordedCall& call, v1::Call* out) {
  out->mutable_row()->set_group(base::ToInt(call.shape.group));
  EncodeShape(call.shape, out->mutable_shape());
  out->set_batch(call.batch);
  out->set_time_ns(call.time.count());
  if (call.worker) out->set_worker(base::ToInt(*call.worker));
  if (call.predicted_p99) {
    out->set_predicted_p99_ns(call.predicted_p99->count());
  }
  if (call.cpu_time) out->set_cpu_time_ns(call.cpu_time->count());
}

void DecodeRun(const v1::Call& call, RecordedCall* out) {
  out->shape = DecodeShape(call.shape(), base::GroupId{call.row().group()});
  out->batch = call.batch();
  out->time = Duration(call.time_ns());
  out->worker.reset();
  out->predicted_p99.reset();
  if (call.has_worker()) out->worker = base::WorkerId{call.worker()};
  if (call.has_predicted_p99_ns()) {
    out->predicted_p99 = Duration(call.predicted_p99_ns());
  }
  out->cpu_time.reset();
  if (call.has_cpu_time_ns()) out->cpu_time = Duration(call.cpu_time_ns());
}

}  // namespace

void EncodeCall(const RecordedCall& call, v1::Call* out) {
  out->Clear();
  out->set_kind(static_cast<v1::Call::Kind>(call.kind));
  out->set_now_ns(Nanos(call.now));
  switch (call.kind) {
    case RecordedCall::Kind::kArrive:
      out->set_flow(base::ToInt(call.flow));
      out->set_answer_by_ns(Nanos(call.answer_by));
      for (const schedule::Need& need : call.needs) {
        EncodeNeed(need, out->add_needs());
      }
      [[fallthrough]];
    case RecordedCall::Kind::kCancel:
      out->set_ticket(base::ToInt(call.ticket));
      break;
    case RecordedCall::Kind::kChanged:
      EncodeRow(call.row, out->mutable_row());
      out->set_newest(call.newest);
      out->set_pending(call.signals.pending);
      out->set_gain(call.signals.gain);
      out->set_regret(call.signals.regret);
      EncodeShape(call.signals.shape, out->mutable_shape());
      break;
    case RecordedCall::Kind::kDone:
      out->set_job(base::ToInt(call.job));
      for (const schedule::RowResult& result : call.results) {
        v1::Result* to = out->add_results();
        EncodeRow(result.row, to->mutable_row());
        to->set_as_of(result.as_of);
        to->set_ok(result.ok);
      }
      break;
    case RecordedCall::Kind::kTick:
      break;
    case RecordedCall::Kind::kSetWorkers:
      out->set_workers(call.workers);
      break;
    case RecordedCall::Kind::kProbe:
      EncodeRow(call.row, out->mutable_row());
      EncodeShape(call.shape, out->mutable_shape());
      break;
    case RecordedCall::Kind::kSeed:
    case RecordedCall::Kind::kObserve:
      EncodeRun(call, out);
      break;
  }
  for (const Action& action : call.actions.list) {
    EncodeAction(action, call.actions, out->add_actions());
  }
}

bool DecodeCall(const v1::Call& call, RecordedCall* out) {
  if (!v1::Call::Kind_IsValid(call.kind()) || call.kind() == v1::Call::END) {
    return false;
  }
  if (call.workers() > kWorkersMax || call.batch() > kWorkersMax) return false;
  out->kind = static_cast<RecordedCall::Kind>(call.kind());
  out->now = Time(call.now_ns());
  out->ticket = base::TicketId{call.ticket()};
  out->flow = base::FlowId{call.flow()};
  out->answer_by = Time(call.answer_by_ns());
  out->needs.resize(static_cast<size_t>(call.needs_size()));
  for (int i = 0; i < call.needs_size(); ++i) {
    schedule::Need& need = out->needs[static_cast<size_t>(i)];
    need = {};
    if (!DecodeNeed(call.needs(i), &need)) return false;
  }
  out->row = DecodeRow(call.row());
  out->newest = call.newest();
  out->signals = {call.pending(), call.gain(),
                  DecodeShape(call.shape(), out->row.group), call.regret()};
  out->job = base::JobId{call.job()};
  out->results.clear();
  for (const v1::Result& result : call.results()) {
    out->results.push_back(
        {DecodeRow(result.row()), result.as_of(), result.ok()});
  }
  out->workers = call.workers();
  DecodeRun(call, out);
  out->actions.Clear();
  for (const v1::Action& action : call.actions()) {
    if (!DecodeAction(action, &out->actions)) return false;
  }
  return true;
}

}  // namespace freshline::record
