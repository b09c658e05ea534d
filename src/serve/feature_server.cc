// SPDX-License-Identifier: Apache-2.0
#include "serve/feature_server.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "registry/entity_key.h"
#include "serve/pending_answer.h"

namespace freshline::serve {

using base::Duration;
using base::GroupId;
using base::MonoTime;
using base::Obtained;
using registry::FeatureGroup;
using registry::QueryPlan;
using table::KeyView;
using table::StoredRow;

// The keys of a query: one extractor for each entity of the plan.
struct FeatureServer::Keys {
  uint32_t rows = 1;
  std::vector<ingest::KeyExtractor> of_entity;  // as plan->entities
  std::vector<size_t> entity_of_group;          // as plan->groups
};

// An answer in the making.
struct FeatureServer::Draft {
  struct Computed {  // inline, to be stored once the key is unlocked
    base::RowId row;
    registry::RowBytes bytes;
    table::AsOf as_of;
    base::UnixMicros event_time_us;
  };
  Answer answer;
  execute::ScratchPool::Loan scratch;
  std::optional<execute::ScratchPool::Loan> approximate_scratch;
  base::UnixMicros now_us;
  Duration inline_left;
  bool may_compute;  // false: the stored answer was asked for
  std::vector<StaleRow> stale;
  std::vector<Computed> computed;
};

FeatureServer::FeatureServer(Options options, Rooms rooms)
    : options_(options), rooms_(std::move(rooms)) {}

absl::StatusOr<std::shared_ptr<const QueryPlan>> FeatureServer::Resolve(
    absl::string_view service, absl::Span<const std::string> references) {
  if (service.empty() == references.empty()) {
    return absl::InvalidArgumentError(
        "exactly one of feature_service and features must be given");
  }
  if (!service.empty()) {
    FRESHLINE_ASSIGN_OR_RETURN(const registry::FeatureService* const found,
                               rooms_.revision->GetService(service));
    return found->plan;
  }
  const std::string cache_key = absl::StrJoin(references, "\n");
  {
    base::MutexLock lock(&plans_mu_);
    const auto it = plans_.find(cache_key);
    if (it != plans_.end()) return it->second;
  }
  FRESHLINE_ASSIGN_OR_RETURN(std::shared_ptr<const QueryPlan> plan,
                             rooms_.revision->PlanReferences(references));
  base::MutexLock lock(&plans_mu_);
  if (plans_.size() >= kPlansMax) plans_.clear();
  plans_[cache_key] = plan;
  return plan;
}

absl::StatusOr<FeatureServer::Keys> FeatureServer::ResolveKeys(
    const Query& query) const {
  const QueryPlan& plan = *query.plan;
  size_t rows = 1;
  for (const ingest::ColumnInput& column : query.entities) {
    bool known = false;
    for (const uint32_t e : plan.entities) {
      for (const auto& key : rooms_.revision->entities()[e].keys) {
        known |= absl::string_view(key.name) == column.name;
      }
    }
    if (!known) {
      return absl::InvalidArgumentError(
          absl::StrCat("entities: no feature asked for has a join key \"",
                       column.name, "\""));
    }
    if (column.size() == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("entities: column \"", column.name,
                       "\" has no values; give one, or one per row"));
    }
    rows = std::max(rows, column.size());
  }
  if (rows > options_.rows_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("entities: ", rows, " rows; at most ", options_.rows_max,
                     " are answered at once"));
  }
  Keys keys;
  keys.rows = static_cast<uint32_t>(rows);
  for (const uint32_t e : plan.entities) {
    FRESHLINE_ASSIGN_OR_RETURN(
        ingest::KeyExtractor extractor,
        ingest::KeyExtractor::Create(
            rooms_.revision->entities()[e], query.entities, rows,
            ingest::KeyShape::kOneOrOnePerRow, "entities"));
    keys.of_entity.push_back(std::move(extractor));
  }
  for (const GroupId g : plan.groups) {
    const auto at = std::find(plan.entities.begin(), plan.entities.end(),
                              rooms_.revision->group(g).entity);
    keys.entity_of_group.push_back(
        static_cast<size_t>(at - plan.entities.begin()));
  }
  return keys;
}

absl::Status FeatureServer::ApplyEvents(const Query& query, Completion* done) {
  if (query.events.empty()) return absl::OkStatus();
  FRESHLINE_ASSIGN_OR_RETURN(const ingest::PreparedEvents events,
                             rooms_.ingest->Prepare(query.events));
  const std::vector<ingest::EventResult> results = rooms_.ingest->Apply(events);
  done->OnEvents(events, results);
  return absl::OkStatus();
}

std::optional<base::TicketId> FeatureServer::Get(const Query& query,
                                                 Completion* done) {
  if (query.budget_us.has_value() && *query.budget_us < 0) {
    Fail(absl::InvalidArgumentError(
             absl::StrCat("budget_us: ", *query.budget_us,
                          " is negative; 0 asks for the stored answer")),
         done);
    return std::nullopt;
  }
  const absl::StatusOr<Keys> keys = ResolveKeys(query);
  if (!keys.ok()) {
    Fail(keys.status(), done);
    return std::nullopt;
  }
  if (const absl::Status applied = ApplyEvents(query, done); !applied.ok()) {
    Fail(applied, done);
    return std::nullopt;
  }
  const MonoTime now = rooms_.clock->Now();
  if (query.caller_deadline <= now) {
    Fail(absl::DeadlineExceededError(
             "the deadline was past on arrival; the events were applied"),
         done);
    return std::nullopt;
  }
  Draft draft = MakeDraft(query, *keys);
  if (draft.stale.empty()) {
    Complete(draft.answer, done);
    return std::nullopt;
  }
  // Compared as microseconds first: a huge budget must not overflow.
  const Duration budget =
      query.budget_us.has_value()
          ? std::chrono::microseconds(
                std::min(*query.budget_us,
                         std::chrono::duration_cast<std::chrono::microseconds>(
                             query.plan->budget_max)
                             .count()))
          : query.plan->slo;
  const MonoTime deadline =
      std::min(query.received + budget, query.caller_deadline);
  auto pending = std::make_unique<PendingAnswer>(
      this, std::move(draft.answer), CompletionHandle(done), deadline,
      query.overhead_us, std::move(draft.stale));
  if (deadline - rooms_.dispatcher->guard(query.plan->flow) <= now) {
    pending->SendStale(Obtained::kStaleDeadline);
    return std::nullopt;
  }
  std::unique_ptr<execute::WaitingQuery> waiting = std::move(pending);
  const std::optional<base::TicketId> ticket =
      rooms_.dispatcher->Submit(std::move(waiting));
  if (!ticket.has_value()) {
    static_cast<PendingAnswer*>(waiting.get())->SendStale(Obtained::kStaleShed);
  }
  return ticket;
}

void FeatureServer::Cancel(base::TicketId ticket) {
  rooms_.dispatcher->Cancel(ticket);
}

FeatureServer::Draft FeatureServer::MakeDraft(const Query& query,
                                              const Keys& keys) {
  const QueryPlan& plan = *query.plan;
  std::vector<bool> shared;
  for (const size_t e : keys.entity_of_group) {
    shared.push_back(keys.of_entity[e].shared());
  }
  Draft draft{Answer(rooms_.revision, query.plan, keys.rows, std::move(shared)),
              rooms_.scratch->Borrow(),
              std::nullopt,
              rooms_.clock->WallNowMicros(),
              options_.inline_cost_max,
              !query.budget_us.has_value() || *query.budget_us > 0,
              {},
              {}};
  registry::EntityKeyBuilder builder;
  for (size_t g = 0; g < plan.groups.size(); ++g) {
    const ingest::KeyExtractor& extractor =
        keys.of_entity[keys.entity_of_group[g]];
    const uint32_t entity = rooms_.revision->group(plan.groups[g]).entity;
    for (uint32_t row = 0; row < draft.answer.rows(g); ++row) {
      const absl::string_view key = extractor.Key(row, &builder);
      const bool found = rooms_.table->Read(
          entity, key,
          [&](const KeyView& view) { FillRow(query, g, row, view, &draft); });
      if (!found) {
        draft.answer.Put(g, row, {}, RowFreshness::Cold());
      }
    }
  }
  CommitInline(&draft);
  if (rooms_.outcomes != nullptr) {
    draft.answer.set_name(rooms_.outcomes->NameOf(plan.flow, query.request_id));
  }
  return draft;
}

void FeatureServer::FillRow(const Query& query, size_t g, uint32_t row,
                            const KeyView& key, Draft* draft) {
  const FeatureGroup& group = draft->answer.group(g);
  const bool always_inline =
      (*rooms_.functions)[base::ToInt(group.id)]->always_inline();
  const StoredRow stored = key.row(group.id);
  key.NoteRead(group.id);
  const table::Signals signals = key.signals(group.id);
  draft->answer.NoteSubject(g, row, {key.id(), signals.seen + signals.pending});
  RowFreshness freshness{Obtained::kAlreadyFresh, stored.fidelity,
                         stored.event_time_us,    stored.as_of,
                         signals.pending,         false};
  if (!always_inline && stored.exists()) {
    const Duration age = execute::AgeOf(stored, draft->now_us);
    freshness.outside_max_age =
        group.max_age > Duration::zero() && age > group.max_age;
    const bool asked =
        query.max_pending.has_value() || query.max_age_us.has_value();
    const bool good_enough =
        asked &&
        (!query.max_pending.has_value() ||
         signals.pending <= *query.max_pending) &&
        (!query.max_age_us.has_value() ||
         age <= std::chrono::microseconds(std::clamp<int64_t>(
                    *query.max_age_us, 0, int64_t{1} << 50)));
    if (good_enough ||
        execute::IsFresh(group, stored, signals, draft->now_us)) {
      draft->answer.Put(g, row, stored.bytes, freshness);
      return;
    }
  }
  if (!always_inline && !stored.exists() && signals.newest == 0) {
    draft->answer.Put(g, row, {}, RowFreshness::Cold());
    return;
  }
  if ((always_inline || draft->may_compute) &&
      TryInline(group, key, g, row, draft)) {
    return;
  }
  freshness.obtained =
      stored.exists() ? Obtained::kStaleShed : Obtained::kDefaultCold;
  if (!draft->may_compute || !TryApproximate(group, key, g, row, draft)) {
    draft->answer.Put(g, row, stored.bytes, freshness);
  }
  if (!draft->may_compute) {
    if (stored.exists()) {
      draft->answer.mutable_freshness(g, row).obtained =
          Obtained::kStaleDeadline;
    }
  } else if (draft->stale.size() < kNeedsMax) {
    AddNeed(group, key, g, row, draft);
  }
}

bool FeatureServer::TryInline(const FeatureGroup& group, const KeyView& key,
                              size_t g, uint32_t row, Draft* draft) {
  if (group.placement == registry::Placement::kScheduled) return false;
  const Duration cost = rooms_.inline_costs->Predict(group.id);
  if (cost > draft->inline_left &&
      group.placement != registry::Placement::kInline) {
    return false;
  }
  draft->inline_left -= cost;
  const featurize::FeatureFunction& function =
      *(*rooms_.functions)[base::ToInt(group.id)];
  const table::EventView events = key.events(group.source);
  const featurize::Input input{events,
                               key.window_end_us(group.source, draft->now_us)};
  registry::RowBytes* out = &draft->scratch->row;
  const MonoTime begin = rooms_.clock->Now();
  const absl::Status computed =
      function.Compute({&input, 1}, {&out, 1}, draft->scratch->of(group.id));
  rooms_.inline_costs->Observe(group.id, rooms_.clock->Now() - begin);
  const StoredRow stored = key.row(group.id);
  if (!computed.ok()) {
    draft->answer.Put(
        g, row, stored.bytes,
        {stored.exists() ? Obtained::kStaleError : Obtained::kDefaultCold,
         stored.fidelity, stored.event_time_us, stored.as_of,
         key.signals(group.id).pending, false});
    return true;
  }
  // Under the shard's lock: every event of the key up to it has been seen.
  const table::AsOf as_of{rooms_.table->newest_sequence(), draft->now_us};
  const base::UnixMicros newest =
      events.empty() ? 0 : events.event_time_us[events.size - 1];
  draft->answer.Put(g, row, *out,
                    {Obtained::kComputedInline, base::Fidelity::kFull, newest,
                     as_of, 0, false});
  if (!function.always_inline()) {
    draft->computed.push_back({{key.id(), group.id}, *out, as_of, newest});
  }
  return true;
}

bool FeatureServer::TryApproximate(const FeatureGroup& group,
                                   const KeyView& key, size_t g, uint32_t row,
                                   Draft* draft) {
  if (rooms_.approximations == nullptr) return false;
  const featurize::FeatureFunction* const function =
      (*rooms_.approximations)[base::ToInt(group.id)].get();
  if (function == nullptr) return false;
  const Duration cost = rooms_.approximate_costs->Predict(group.id);
  if (cost > draft->inline_left) return false;
  draft->inline_left -= cost;
  if (!draft->approximate_scratch.has_value()) {
    draft->approximate_scratch.emplace(rooms_.approximate_scratch->Borrow());
  }
  execute::ScratchSet& scratch = **draft->approximate_scratch;
  const table::EventView events = key.events(group.source);
  const featurize::Input input{events,
                               key.window_end_us(group.source, draft->now_us)};
  registry::RowBytes* out = &scratch.row;
  const MonoTime begin = rooms_.clock->Now();
  const absl::Status computed =
      function->Compute({&input, 1}, {&out, 1}, scratch.of(group.id));
  rooms_.approximate_costs->Observe(group.id, rooms_.clock->Now() - begin);
  if (!computed.ok()) return false;
  draft->answer.Put(g, row, *out,
                    {Obtained::kApproximated,
                     base::Fidelity::kApproximate,
                     events.empty() ? 0 : events.event_time_us[events.size - 1],
                     {rooms_.table->newest_sequence(), draft->now_us},
                     key.signals(group.id).pending,
                     false});
  return true;
}

void FeatureServer::AddNeed(const FeatureGroup& group, const KeyView& key,
                            size_t g, uint32_t row, Draft* draft) {
  const execute::Assessment state =
      execute::Assess(group, *(*rooms_.functions)[base::ToInt(group.id)],
                      (*rooms_.metrics)[base::ToInt(group.id)], key,
                      draft->now_us, draft->scratch->of(group.id));
  StaleRow stale;
  stale.need.row = {key.id(), group.id};
  stale.need.want = state.want;
  stale.need.cold = !key.row(group.id).exists();
  // An approximate row that stands already leaves less to gain.
  const bool approximated =
      draft->answer.freshness(g, row).obtained == Obtained::kApproximated;
  const double share =
      approximated
          ? 1 - group.approximate.value_or(registry::Approximation{}).value
          : 1.0;
  stale.need.levels.push_back(
      {base::Fidelity::kFull, share * state.gain, state.shape});
  stale.group = static_cast<uint32_t>(g);
  stale.row = row;
  if (state.signals.pending == 0) {
    // Stale by age: only a row computed since will do.
    stale.computed_after_us = key.row(group.id).as_of.time_us;
  }
  draft->stale.push_back(stale);
}

void FeatureServer::CommitInline(Draft* draft) {
  for (const Draft::Computed& row : draft->computed) {
    // Refused where a later computation was stored meanwhile: as it should be.
    rooms_.table->Commit(row.row, row.bytes, row.as_of, row.event_time_us,
                         base::Fidelity::kFull);
  }
}

void FeatureServer::Complete(const Answer& answer, Completion* done) {
  for (size_t g = 0; g < answer.plan().groups.size(); ++g) {
    for (uint32_t row = 0; row < answer.rows(g); ++row) {
      const auto how = static_cast<size_t>(answer.freshness(g, row).obtained);
      by_obtained_[how].fetch_add(1, std::memory_order_relaxed);
    }
  }
  answered_.fetch_add(1, std::memory_order_relaxed);
  // Before it leaves: its outcome could come at once.
  if (answer.name() != 0) Remember(answer);
  done->OnAnswer(answer);
}

void FeatureServer::Remember(const Answer& answer) {
  base::FixedVector<outcome::AnsweredRow, outcome::OutcomeBook::kRowsMax> rows;
  for (size_t g = 0; g < answer.plan().groups.size(); ++g) {
    const GroupId id = answer.plan().groups[g];
    if ((*rooms_.functions)[base::ToInt(id)]->always_inline()) continue;
    for (uint32_t row = 0; row < answer.rows(g); ++row) {
      const Answer::Subject& subject = answer.subject(g, row);
      if (subject.key == base::kNoKey || rows.full()) continue;
      const RowFreshness& freshness = answer.freshness(g, row);
      rows.push_back({{subject.key, id},
                      freshness.pending,
                      subject.events,
                      freshness.obtained == Obtained::kApproximated});
    }
  }
  if (!rows.empty())
    rooms_.outcomes->Remember(answer.name(), {rows.begin(), rows.size()});
}

void FeatureServer::Fail(const absl::Status& status, Completion* done) {
  errors_.fetch_add(1, std::memory_order_relaxed);
  done->OnError(status);
}

QueryCounters FeatureServer::Counters() const {
  QueryCounters counters;
  counters.answered = answered_.load(std::memory_order_relaxed);
  counters.errors = errors_.load(std::memory_order_relaxed);
  for (size_t i = 0; i < counters.rows_by_obtained.size(); ++i) {
    counters.rows_by_obtained[i] =
        by_obtained_[i].load(std::memory_order_relaxed);
  }
  return counters;
}

}  // namespace freshline::serve
