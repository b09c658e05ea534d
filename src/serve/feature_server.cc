// SPDX-License-Identifier: Apache-2.0
#include "serve/feature_server.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/foreign_text.h"
#include "base/status_macros.h"
#include "registry/entity_key.h"
#include "serve/lost_rows.h"
#include "serve/pending_answer.h"
#include "serve/repeated_rows.h"

namespace freshline::serve {

using base::Duration;
using base::GroupId;
using base::MonoTime;
using base::Obtained;
using registry::QueryPlan;

namespace {

// Of one query: the rest is asked for again, or was not worth it. More would
// fill the dispatcher's inbox.
constexpr size_t kRefreshLaterMax = 256;
// So much of the time that is left is kept for encoding and sending.
constexpr int kSendShare = 8;

absl::Status TooLarge(const Answer& answer) {
  const uint32_t fit = answer.RowsThatFit();
  return absl::InvalidArgumentError(absl::StrCat(
      "entities: the answer to ", answer.rows(), " rows would take more than ",
      answer.bytes_max(), " bytes, the most that is sent; ",
      fit == 0 ? "not even the first row fits: ask for fewer features"
               : absl::StrCat("the first ", fit,
                              fit == 1 ? " row fits" : " rows fit",
                              ": ask for so many in a request, or for fewer "
                              "features"),
      ", or raise rpc.send_bytes_max of the daemon's configuration (events "
      "that "
      "came with the request are applied)"));
}

Duration LongestSlo(const registry::Revision& revision) {
  Duration longest = revision.adhoc_slo();
  for (const registry::FeatureService& service : revision.services()) {
    longest = std::max(longest, service.plan->slo);
  }
  return longest;
}

// From arrival to the deadline that the query itself sets. Whoever asks for the
// stored answer at once, with 0, finds it late where the SLO has passed: what
// is made anew for every answer is stored nowhere, and takes its time.
Duration BudgetOf(const Query& query) {
  if (query.budget_us.value_or(0) == 0) return query.plan->slo;
  // Compared as microseconds: a huge budget must not overflow.
  const auto most = std::chrono::duration_cast<std::chrono::microseconds>(
      query.plan->budget_max);
  return std::chrono::microseconds(std::min(*query.budget_us, most.count()));
}

}  // namespace

// An answer on its way out.
class FeatureServer::Sending final : public execute::FanOut::Work {
 public:
  Sending(FeatureServer* server, Answer answer, CompletionHandle done,
          MonoTime deadline)
      : server_(server),
        answer_(std::move(answer)),
        done_(std::move(done)),
        deadline_(deadline) {}
  bool RunPart() override {
    if (!begun_.exchange(true)) {
      server_->Complete(answer_, deadline_, done_.Release());
    }
    return false;
  }

 private:
  FeatureServer* const server_;
  Answer answer_;
  CompletionHandle done_;
  const MonoTime deadline_;
  std::atomic<bool> begun_{false};
};

FeatureServer::FeatureServer(Options options, Rooms rooms)
    : options_(options),
      rooms_(std::move(rooms)),
      maker_({options.inline_cost_max, rooms_.fan_out != nullptr},
             {rooms_.clock, rooms_.table, rooms_.metrics, rooms_.full,
              rooms_.approximate}),
      slo_max_(LongestSlo(*rooms_.revision)) {}

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

absl::Status FeatureServer::CheckEntities(const Query& query,
                                          size_t* rows) const {
  *rows = 1;
  for (const ingest::ColumnInput& column : query.entities) {
    bool known = false;
    for (const uint32_t e : query.plan->entities) {
      for (const auto& key : rooms_.revision->entities()[e].keys) {
        known |= absl::string_view(key.name) == column.name;
      }
    }
    if (!known) {
      return absl::InvalidArgumentError(
          absl::StrCat("entities: no feature asked for has a join key ",
                       base::Quoted(column.name)));
    }
    if (column.size() == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("entities: column ", base::Quoted(column.name),
                       " has no values; give one, or one per row"));
    }
    *rows = std::max(*rows, column.size());
  }
  if (*rows <= options_.rows_max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("entities: ", *rows, " rows; at most ", options_.rows_max,
                   " are answered at once"));
}

absl::StatusOr<QueryKeys> FeatureServer::ResolveKeys(const Query& query) const {
  const QueryPlan& plan = *query.plan;
  size_t rows = 1;
  FRESHLINE_RETURN_IF_ERROR(CheckEntities(query, &rows));
  QueryKeys keys;
  keys.rows = static_cast<uint32_t>(rows);
  for (const uint32_t e : plan.entities) {
    FRESHLINE_ASSIGN_OR_RETURN(
        ingest::KeyExtractor extractor,
        ingest::KeyExtractor::Create(
            rooms_.revision->entities()[e], query.entities, rows,
            ingest::KeyShape::kOneOrOnePerRow, "entities"));
    keys.first_rows.push_back(FirstRowsOfKeys(extractor, keys.rows));
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
                             rooms_.ingest->Prepare(query.events, "events"));
  const std::vector<ingest::EventResult> results = rooms_.ingest->Apply(events);
  done->OnEvents(events, results);
  return absl::OkStatus();
}

void FeatureServer::Get(const Query& query, Completion* done) {
  if (query.budget_us.has_value() && *query.budget_us < 0) {
    Fail(absl::InvalidArgumentError(
             absl::StrCat("budget_us: ", *query.budget_us,
                          " is negative; 0 asks for the stored answer")),
         done);
    return;
  }
  absl::StatusOr<QueryKeys> keys = ResolveKeys(query);
  if (!keys.ok()) {
    Fail(keys.status(), done);
    return;
  }
  if (const absl::Status applied = ApplyEvents(query, done); !applied.ok()) {
    Fail(applied, done);
    return;
  }
  const MonoTime now = rooms_.clock->Now();
  if (query.caller_deadline <= now) {
    Fail(absl::DeadlineExceededError(
             "the deadline was past on arrival; the events were applied"),
         done);
    return;
  }
  const Times times = TimesOf(query, now);
  const std::shared_ptr<Gather> gather =
      MakeGather(query, *std::move(keys), times, now, done);
  if (!gather->RunHere()) {
    if (rooms_.fan_out != nullptr) {
      gather->Divide(rooms_.fan_out->width());
      if (rooms_.fan_out->TryPost(gather, times.answer_by)) return;
    }
    gather->FillRest();
  }
  Gathered(gather.get(), times, done);
}

FeatureServer::Times FeatureServer::TimesOf(const Query& query,
                                            MonoTime now) const {
  const MonoTime deadline =
      std::min(query.received + BudgetOf(query), query.caller_deadline);
  if (rooms_.dispatcher == nullptr) return {deadline, deadline};
  const execute::Guard::Asker asker{query.plan->flow, deadline - query.received,
                                    query.caller};
  execute::Guard& guard = rooms_.dispatcher->guard();
  if (query.overhead_us.has_value()) {
    guard.Reported(asker, *query.overhead_us, now);
  }
  return {deadline, deadline - guard.Of(asker, now)};
}

InlineLimits FeatureServer::LimitsOf(const Times& times, MonoTime now) const {
  InlineLimits limits;
  limits.here_left = options_.inline_cost_max;
  limits.made_anew_until =
      times.answer_by - (times.answer_by - now) / kSendShare;
  // The rest is for the scheduler.
  limits.by_cost_until = now + (times.answer_by - now) / 2;
  return limits;
}

std::shared_ptr<Gather> FeatureServer::MakeGather(const Query& query,
                                                  QueryKeys keys,
                                                  const Times& times,
                                                  MonoTime now,
                                                  Completion* done) {
  std::vector<bool> shared;
  for (const size_t e : keys.entity_of_group) {
    shared.push_back(keys.of_entity[e].shared());
  }
  Answer answer(rooms_.revision, query.plan, keys.rows, std::move(shared),
                options_.answer_bytes_max);
  if (rooms_.outcomes != nullptr) {
    answer.set_name(
        rooms_.outcomes->NameOf(query.plan->flow, query.request_id));
  }
  RowMaker::Wanted wanted;
  wanted.now_us = rooms_.clock->WallNowMicros();
  wanted.may_compute = query.budget_us != 0;
  wanted.max_pending = query.max_pending;
  wanted.max_age_us = query.max_age_us;
  return std::make_shared<Gather>(
      &maker_, rooms_.table, std::move(keys), std::move(answer), wanted,
      LimitsOf(times, now),
      [this, times, done](Gather* gather) { Gathered(gather, times, done); });
}

void FeatureServer::Gathered(Gather* gather, const Times& times,
                             Completion* done) {
  if (gather->stale().empty() || gather->answer().overflown()) {
    Complete(gather->answer(), times.deadline, done);
  } else {
    Wait(gather, times, done);
  }
  // The answer first: it is due.
  if (!gather->lost().empty() && rooms_.fan_out != nullptr) {
    rooms_.fan_out->TryPostIdle(std::make_shared<LostRows>(
        LostRows::Rooms{rooms_.clock, rooms_.revision.get(), rooms_.table,
                        &maker_},
        std::move(gather->lost())));
  }
}

void FeatureServer::Wait(Gather* gather, const Times& times, Completion* done) {
  std::vector<StaleRow> stale = std::move(gather->stale());
  if (stale.size() > kNeedsMax) stale.resize(kNeedsMax);
  auto pending = std::make_unique<PendingAnswer>(
      [this, deadline = times.deadline](Answer answer,
                                        CompletionHandle handle) {
        Send(std::move(answer), std::move(handle), deadline);
      },
      std::move(gather->answer()), CompletionHandle(done), times.deadline,
      times.answer_by, std::move(stale));
  if (times.answer_by <= rooms_.clock->Now()) {
    pending->SendStale(Obtained::kStaleDeadline);
    RefreshLater(pending->places());
    return;
  }
  const base::TicketId ticket = rooms_.dispatcher->NewTicket();
  if (!done->OnWaiting(ticket)) return;  // the handle reports CANCELLED
  std::unique_ptr<execute::WaitingQuery> waiting = std::move(pending);
  if (!rooms_.dispatcher->Submit(ticket, std::move(waiting))) {
    static_cast<PendingAnswer*>(waiting.get())->SendStale(Obtained::kStaleShed);
  }
}

void FeatureServer::RefreshLater(const std::vector<StaleRow>& rows) {
  for (const StaleRow& row :
       std::span(rows).first(std::min(rows.size(), kRefreshLaterMax))) {
    const schedule::Level& full = row.need.levels[0];
    rooms_.dispatcher->Changed(row.need.row, row.need.want,
                               {std::max(row.signals.pending, 1U), full.gain,
                                full.shape, row.signals.regret});
  }
}

void FeatureServer::Cancel(base::TicketId ticket) {
  rooms_.dispatcher->Cancel(ticket);
}

void FeatureServer::Send(Answer answer, CompletionHandle done,
                         MonoTime deadline) {
  if (rooms_.fan_out == nullptr || answer.values() <= kDispatcherValuesMax) {
    Complete(answer, deadline, done.Release());
    return;
  }
  auto sending = std::make_shared<Sending>(this, std::move(answer),
                                           std::move(done), deadline);
  if (!rooms_.fan_out->TryPost(sending, deadline)) sending->RunPart();
}

void FeatureServer::Complete(const Answer& answer, MonoTime deadline,
                             Completion* done) {
  if (answer.overflown()) {
    Fail(TooLarge(answer), done);
    return;
  }
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
  if (rooms_.clock->Now() > deadline) {
    late_.fetch_add(1, std::memory_order_relaxed);
  }
}

void FeatureServer::Remember(const Answer& answer) {
  base::FixedVector<outcome::AnsweredRow, outcome::OutcomeBook::kRowsMax> rows;
  // Those that may be stale first: what of them is lost teaches the most, and
  // of a long answer not all rows are remembered.
  for (const bool made_anew : {false, true}) {
    for (size_t g = 0; g < answer.plan().groups.size(); ++g) {
      const GroupId id = answer.plan().groups[g];
      if (maker_.IsMadeAnew(answer.group(g)) != made_anew) continue;
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
  }
  if (!rows.empty())
    rooms_.outcomes->Remember(answer.name(), {rows.begin(), rows.size()});
}

void FeatureServer::Fail(const absl::Status& status, Completion* done) {
  done->OnError(status);
}

QueryCounters FeatureServer::Counters() const {
  QueryCounters counters;
  counters.answered = answered_.load(std::memory_order_relaxed);
  counters.late = late_.load(std::memory_order_relaxed);
  for (size_t i = 0; i < counters.rows_by_obtained.size(); ++i) {
    counters.rows_by_obtained[i] =
        by_obtained_[i].load(std::memory_order_relaxed);
  }
  return counters;
}

}  // namespace freshline::serve
