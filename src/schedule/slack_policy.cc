// SPDX-License-Identifier: Apache-2.0
#include "schedule/slack_policy.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

#include "base/check.h"

namespace freshline::schedule {

using base::Duration;
using base::MonoTime;
using base::Obtained;
using base::RowId;
using base::Seq;
using base::TicketId;

namespace {

// Where another flow floods, every admitted row ends just in time, and some
// too late, because runs take longer than was expected. Rows of a flow whose
// rows all fit are to end this share of their time earlier, if that leaves
// them so many times their reserve.
constexpr int64_t kEarlyShare = 4;
constexpr int64_t kRunsLeft = 4;

// How often idle workers look whether background work may run by now.
constexpr Duration kBackgroundPoll = std::chrono::milliseconds(10);

int64_t Nanos(MonoTime t) { return t.time_since_epoch().count(); }

// The price moves over a second; an arrival need not pay for finding it.
constexpr uint64_t kOffersPerRefresh = 8;

double PerMilli(double per_nano) { return per_nano * 1e6; }

// What an untrusted number contributes.
double Sane(double gain) {
  return gain > 0 && gain < std::numeric_limits<double>::infinity() ? gain : 0;
}

}  // namespace

SlackPolicy::SlackPolicy(const PolicyConfig& config,
                         const estimate::CostModel* costs,
                         std::vector<GroupTraits> groups,
                         std::vector<FlowTraits> flows)
    : config_(config),
      costs_(costs),
      traits_(std::move(groups)),
      queues_(traits_.size()),
      health_(config.probe_interval, config.quarantine_failures),
      gate_(config.background_risk_max),
      flows_(std::move(flows), config.price_memory, config.fairness),
      offers_(config.price_memory) {}

SlackPolicy::Call SlackPolicy::Begin(MonoTime now, Actions* actions) {
  FRESHLINE_DCHECK(now >= last_now_);
  last_now_ = now;
  return {now, actions};
}

void SlackPolicy::End(const Call& call) {
  ShedUntilFeasible(call);
  StartJobs(call);
}

void SlackPolicy::EmitSettle(TicketId ticket, uint32_t flow, RowId row,
                             Obtained reason, const Call& call) {
  if (reason == Obtained::kStaleShed) ++stats_.needs_shed;
  Action action;
  action.kind = Action::Kind::kSettle;
  action.ticket = ticket;
  action.row = row;
  action.reason = reason;
  action.price = PerMilli(PriceOf(flow));
  call.actions->list.push_back(action);
}

void SlackPolicy::EmitAnswer(TicketId ticket, const Call& call) {
  Action action;
  action.kind = Action::Kind::kAnswer;
  action.ticket = ticket;
  call.actions->list.push_back(action);
}

void SlackPolicy::AnswerAtOnce(const Ticket& ticket, Obtained reason,
                               const Call& call) {
  const uint32_t flow = flows_.SlotOf(ticket.flow);
  for (const Need& need : ticket.needs) {
    EmitSettle(ticket.id, flow, need.row, reason, call);
  }
  EmitAnswer(ticket.id, call);
  // Idle workers may refresh them for the next query.
  for (const Need& need : ticket.needs) EnqueueForQuery(need, flow, call);
}

void SlackPolicy::Arrive(const Ticket& ticket, MonoTime now, Actions* actions) {
  const Call call = Begin(now, actions);
  ExpireDue(call);
  if (ticket_slots_.contains(ticket.id)) {
    FRESHLINE_BUG("a ticket arrived twice");
    return;
  }
  if (config_.trigger != Trigger::kQueryWaits &&
      config_.trigger != Trigger::kQueryWaitsCold) {
    AnswerAtOnce(ticket, Obtained::kStaleShed, call);
  } else if (ticket.answer_by <= now) {
    AnswerAtOnce(ticket, Obtained::kStaleDeadline, call);
  } else if (workers_ == 0 || ticket_slots_.size() >= config_.tickets_max) {
    ++stats_.tickets_refused;
    AnswerAtOnce(ticket, Obtained::kStaleShed, call);
  } else {
    uint32_t slot = static_cast<uint32_t>(tickets_.size());
    if (free_tickets_.empty()) {
      tickets_.emplace_back();
    } else {
      slot = free_tickets_.back();
      free_tickets_.pop_back();
    }
    tickets_[slot] = {
        ticket.id, flows_.SlotOf(ticket.flow), ticket.answer_by, {}, true};
    ticket_slots_[ticket.id] = slot;
    by_answer_by_.Set(slot, {Nanos(ticket.answer_by), ++sequence_});
    for (const Need& need : ticket.needs) AddNeed(slot, need, call);
    tickets_[slot].held = false;
    if (tickets_[slot].needs.count == 0) {
      EmitAnswer(ticket.id, call);
      Forget(slot);
    }
  }
  End(call);
}

Obtained SlackPolicy::Barred(RowId id, const base::JobShape& shape,
                             const Call& call) {
  if (health_.quarantined(id.group)) {
    if (health_.ProbeDue(id.group, call.now)) {
      const uint32_t slot = FindOrMakeRow(id);
      rows_[slot].shape = shape;
      QueueProbe(slot);
    }
    return Obtained::kStaleError;
  }
  const uint32_t slot = FindRow(id);
  if (slot != kNone && call.now < rows_[slot].retry_at) {
    return Obtained::kStaleError;
  }
  return Obtained::kUnset;
}

bool SlackPolicy::IsYoung(RowId id, MonoTime now) const {
  if (config_.ttl == Duration::zero()) return false;
  const uint32_t slot = FindRow(id);
  return slot != kNone && rows_[slot].refreshed_at > base::kInfinitePast &&
         now - rows_[slot].refreshed_at < config_.ttl;
}

void SlackPolicy::NoteQuery(uint32_t slot, const Need& need, uint32_t flow,
                            const Call& call) {
  Row& row = rows_[slot];
  NoteActivity(&row, true, call.now);
  row.asked_by = flow;
  row.shape = need.levels[0].shape;
  row.newest = std::max(row.newest, need.want);
  row.background_gain =
      std::max(row.background_gain, Sane(need.levels[0].gain));
  ++row.queries;
  ++row.queries_since;
  row.asked_at = call.now;
}

void SlackPolicy::EnqueueForQuery(const Need& need, uint32_t flow,
                                  const Call& call) {
  if (need.levels.empty()) return;
  const bool remembers = config_.history_max > 0;
  const bool enqueues = config_.trigger == Trigger::kQueryEnqueues ||
                        config_.trigger == Trigger::kQueryWaitsCold;
  if (!enqueues && !remembers && !config_.background) return;
  const bool barred =
      Barred(need.row, need.levels[0].shape, call) != Obtained::kUnset;
  const uint32_t slot = FindOrMakeRow(need.row);
  NoteQuery(slot, need, flow, call);
  Row& row = rows_[slot];
  if (enqueues && !barred && !IsYoung(need.row, call.now)) {
    row.again = !row.running || need.want > row.covered;
  }
  Reposition(slot, call);
}

void SlackPolicy::AddNeed(uint32_t ticket, const Need& need, const Call& call) {
  const bool waits = (config_.trigger == Trigger::kQueryWaits || need.cold) &&
                     !IsYoung(need.row, call.now);
  const uint32_t flow = tickets_[ticket].flow;
  if (!waits) {
    EmitSettle(tickets_[ticket].id, flow, need.row, Obtained::kStaleShed, call);
    EnqueueForQuery(need, flow, call);
    return;
  }
  const Obtained barred = need.levels.empty()
                              ? Obtained::kStaleShed
                              : Barred(need.row, need.levels[0].shape, call);
  if (barred != Obtained::kUnset) {
    EmitSettle(tickets_[ticket].id, flow, need.row, barred, call);
    return;
  }
  const uint32_t slot = FindOrMakeRow(need.row);
  Row& row = rows_[slot];
  NeedPool::Need added;
  added.ticket = ticket;
  added.row = slot;
  added.answer_by = Nanos(tickets_[ticket].answer_by);
  added.order = ++sequence_;
  added.want = need.want;
  added.gain = Sane(need.levels[0].gain);
  NoteQuery(slot, need, flow, call);
  row.gain += added.gain;
  needs_.Add(added, &row.needs, &tickets_[ticket].needs);
  Reposition(slot, call);
}

void SlackPolicy::CloseNeed(uint32_t need, Obtained reason, const Call& call) {
  const NeedPool::Need& closed = needs_[need];
  const uint32_t slot = closed.ticket;
  WaitingTicket& ticket = tickets_[slot];
  Row& row = rows_[closed.row];
  row.gain -= closed.gain;
  EmitSettle(ticket.id, ticket.flow, row.id, reason, call);
  needs_.Remove(need, &row.needs, &ticket.needs);
  // Sums of doubles drift: an empty one is exact.
  if (row.needs.count == 0) row.gain = 0;
  if (ticket.needs.count > 0 || ticket.held) return;
  EmitAnswer(ticket.id, call);
  Forget(slot);
}

void SlackPolicy::CloseFirst(uint32_t row, Obtained reason, const Call& call) {
  CloseNeed(rows_[row].needs.root, reason, call);
}

void SlackPolicy::CloseTicket(uint32_t ticket, Obtained reason,
                              const Call& call) {
  tickets_[ticket].held = true;
  while (tickets_[ticket].needs.count > 0) {
    const uint32_t need = tickets_[ticket].needs.first;
    const uint32_t row = needs_[need].row;
    CloseNeed(need, reason, call);
    Reposition(row, call);
  }
  EmitAnswer(tickets_[ticket].id, call);
  Forget(ticket);
}

void SlackPolicy::Forget(uint32_t ticket) {
  by_answer_by_.Remove(ticket);
  ticket_slots_.erase(tickets_[ticket].id);
  free_tickets_.push_back(ticket);
}

void SlackPolicy::ExpireDue(const Call& call) {
  const int64_t now = Nanos(call.now);
  while (!by_answer_by_.empty() && by_answer_by_.top_key().rank <= now) {
    CloseTicket(by_answer_by_.top(), Obtained::kStaleDeadline, call);
  }
}

void SlackPolicy::Cancel(TicketId id, MonoTime now, Actions* actions) {
  const Call call = Begin(now, actions);
  const auto it = ticket_slots_.find(id);
  if (it != ticket_slots_.end()) {
    const uint32_t slot = it->second;
    tickets_[slot].held = true;
    while (tickets_[slot].needs.count > 0) {
      const uint32_t need = tickets_[slot].needs.first;
      const uint32_t row = needs_[need].row;
      rows_[row].gain -= needs_[need].gain;
      needs_.Remove(need, &rows_[row].needs, &tickets_[slot].needs);
      if (rows_[row].needs.count == 0) rows_[row].gain = 0;
      Reposition(row, call);
    }
    Forget(slot);
  }
  ExpireDue(call);
  End(call);
}

void SlackPolicy::Changed(RowId id, Seq newest, const Signals& signals,
                          MonoTime now, Actions* actions) {
  const Call call = Begin(now, actions);
  ExpireDue(call);
  uint32_t slot = FindRow(id);
  const bool enqueues = config_.trigger == Trigger::kEventEnqueues;
  if (slot == kNone && signals.pending > 0 &&
      (enqueues || config_.background || config_.history_max > 0)) {
    slot = FindOrMakeRow(id);
  }
  if (slot != kNone) {
    Row& row = rows_[slot];
    NoteActivity(&row, false, now);
    row.newest = std::max(row.newest, newest);
    row.shape = signals.shape;
    row.pending = signals.pending;
    row.regret = Sane(signals.regret);
    row.pending_since = signals.pending == 0 ? base::kInfiniteFuture
                                             : std::min(row.pending_since, now);
    row.changed_gain = row.background_gain =
        signals.pending > 0 ? Sane(signals.gain) : 0;
    if (enqueues) EnqueueForEvent(slot, call);
    Reposition(slot, call);
  }
  End(call);
}

void SlackPolicy::EnqueueForEvent(uint32_t slot, const Call& call) {
  const RowId id = rows_[slot].id;
  if (rows_[slot].pending < config_.pending_min || IsYoung(id, call.now) ||
      Barred(id, rows_[slot].shape, call) != Obtained::kUnset) {
    return;
  }
  Row& row = rows_[slot];
  if (config_.coalesce) {
    row.again = !row.running || row.newest > row.covered;
  } else if (owed_ >= config_.rows_max) {
    ++stats_.rows_refused;
  } else {
    ++owed_;
    row.owed.push_back(++sequence_);
    row.again = true;
  }
}

void SlackPolicy::Tick(MonoTime now, Actions* actions) {
  const Call call = Begin(now, actions);
  ExpireDue(call);
  End(call);
}

void SlackPolicy::Probe(RowId id, const base::JobShape& shape, MonoTime now,
                        Actions* actions) {
  const Call call = Begin(now, actions);
  ExpireDue(call);
  if (idle_workers() > 0 && health_.ProbeDue(id.group, now)) {
    const uint32_t slot = FindOrMakeRow(id);
    if (now >= rows_[slot].retry_at) {
      rows_[slot].shape = shape;
      QueueProbe(slot);
    }
    DropIfUnused(slot);
  }
  End(call);
}

MonoTime SlackPolicy::NextWake() const {
  MonoTime wake = base::kInfiniteFuture;
  if (!by_answer_by_.empty()) {
    wake = tickets_[by_answer_by_.top()].answer_by;
  }
  if (!background_.empty() && queued_ == 0 && idle_workers() > 0) {
    wake = std::min(wake, last_now_ + kBackgroundPoll);
  }
  return wake;
}

PolicyStats SlackPolicy::Stats() const {
  PolicyStats stats = stats_;
  stats.tickets_waiting = ticket_slots_.size();
  stats.rows_queued = queued_;
  stats.background_queued = background_.size();
  stats.price = PerMilli(flows_.price());
  for (uint32_t f = 0; f < flows_.size(); ++f) {
    stats.flow_service.push_back(flows_.service(f));
  }
  stats.quarantined = health_.Quarantined();
  return stats;
}

uint32_t SlackPolicy::FindRow(RowId id) const {
  const auto it = row_slots_.find(id);
  return it == row_slots_.end() ? kNone : it->second;
}

uint32_t SlackPolicy::FindOrMakeRow(RowId id) {
  const auto [it, made] = row_slots_.try_emplace(id, 0);
  if (!made) {
    if (remembered_.contains(it->second)) remembered_.Remove(it->second);
    return it->second;
  }
  if (free_rows_.empty()) {
    it->second = static_cast<uint32_t>(rows_.size());
    rows_.emplace_back();
  } else {
    it->second = free_rows_.back();
    free_rows_.pop_back();
  }
  Row& row = rows_[it->second];
  row = Row{};
  row.id = id;
  row.shape.group = id.group;
  return it->second;
}

void SlackPolicy::DropIfUnused(uint32_t slot) {
  const Row& row = rows_[slot];
  if (row.place != Place::kNowhere || row.running || row.needs.count > 0 ||
      row.failures > 0) {
    return;
  }
  if (config_.background && row.active_at > base::kInfinitePast) {
    hazard_.Watched(last_now_ - row.active_at);
  }
  if (config_.history_max == 0) {
    row_slots_.erase(row.id);
    free_rows_.push_back(slot);
    return;
  }
  remembered_.Set(slot, {0, ++sequence_});
  if (remembered_.size() <= config_.history_max) return;
  const uint32_t oldest = remembered_.top();
  remembered_.Remove(oldest);
  row_slots_.erase(rows_[oldest].id);
  free_rows_.push_back(oldest);
}

void SlackPolicy::Reposition(uint32_t slot, const Call& call) {
  Row& row = rows_[slot];
  if (row.running) return;
  while (row.needs.count > 0) {
    if (Queue(slot, call)) return;
    CloseFirst(slot, Obtained::kStaleShed, call);
  }
  if (row.again) {
    if (Queue(slot, call)) return;
    row.again = false;
    owed_ -= row.owed.size();
    row.owed.clear();
  }
  LeaveForeground(slot);
  ToBackground(slot, call);
  DropIfUnused(slot);
}

bool SlackPolicy::Queue(uint32_t slot, const Call& call) {
  Row& row = rows_[slot];
  if (row.place != Place::kForeground) {
    if (queued_ >= config_.rows_max) {
      ++stats_.rows_refused;
      return false;
    }
    row.order = row.owed.empty() ? ++sequence_ : row.owed.front();
  }
  const bool admit = config_.admission && row.needs.count > 0;
  AdmissionTree::Entry entry;
  if (admit && !Admissible(slot, &entry, call)) return false;
  LeaveBackground(slot);
  if (row.place != Place::kForeground) {
    row.place = Place::kForeground;
    ++queued_;
    gate_.Arrived(call.now);
  }
  Account(slot, Duration(entry.work));
  if (admit) Admit(slot, entry);
  QueueOf(row.id.group).Set(slot, KeyOf(row, call));
  SyncGroup(row.id.group);
  return true;
}

bool SlackPolicy::Admissible(uint32_t slot, AdmissionTree::Entry* entry,
                             const Call& call) {
  Row& row = rows_[slot];
  const int64_t deadline = needs_[row.needs.root].answer_by;
  const Duration left(deadline - Nanos(call.now));
  const uint32_t batch = LikelyBatch(row, left);
  const Duration work = costs_->Mean(row.shape, batch) / batch;
  const double gain = std::max(row.gain, row.changed_gain * row.needs.count);
  const double worth = gain / std::max(1.0, static_cast<double>(work.count()));
  const uint32_t flow = FlowOf(row);
  if (config_.price && row.place != Place::kForeground) {
    const double share = offers_.Renew(row.id, row.newest, call.now);
    flows_.Offer(flow, worth,
                 Duration(static_cast<int64_t>(
                     share * static_cast<double>(work.count()))),
                 call.now);
    if (++offers_made_ % kOffersPerRefresh == 0) {
      flows_.RefreshPrice(flow, workers_, call.now);
    }
  }
  const double price = flows_.price(flow);
  row.weak = worth < price;
  // The chance at which trying pays what the time could earn elsewhere: nothing
  // while a worker has nothing else to do.
  const uint32_t before = queued_ - (row.place == Place::kForeground ? 1 : 0);
  row.chance_asked = before < idle_workers()
                         ? config_.chance_min
                         : std::clamp(price / std::max(worth, 1e-300),
                                      config_.chance_min, config_.chance_max);
  if (costs_->ChanceWithin(row.shape, batch, left) < config_.chance_min) {
    if (health_.ProbeDue(row.id.group, call.now)) QueueProbe(slot);
    return false;
  }
  const Duration reserve = costs_->Quantile(row.shape, batch, row.chance_asked);
  if (reserve > left) {
    ProbeIfStarved(slot, call);
    return false;
  }
  if (row.place != Place::kForeground) {
    const bool within = config_.fairness && price <= 0 && flows_.price() > 0;
    row.early = within ? std::clamp(left - kRunsLeft * reserve,
                                    Duration::zero(), left / kEarlyShare)
                       : Duration::zero();
  }
  // As if it were next: rows ahead of it that are worth less would give way.
  const Duration soonest(SortedRemaining(call.now).front());
  const double chance = costs_->ChanceWithin(row.shape, batch, left - soonest);
  entry->deadline = deadline - row.early.count();
  entry->order = row.order;
  entry->work = work.count();
  entry->reserve = reserve.count();
  entry->density = worth * chance;
  return true;
}

}  // namespace freshline::schedule
