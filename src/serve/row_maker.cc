// SPDX-License-Identifier: Apache-2.0
#include "serve/row_maker.h"

#include <algorithm>
#include <utility>

namespace freshline::serve {

using base::Duration;
using base::MonoTime;
using base::Obtained;
using registry::FeatureGroup;
using table::KeyView;

namespace {

// What a row costs beside being computed, on the calling thread's account: it
// is found and copied, or assessed for the scheduler.
constexpr Duration kReadCost = std::chrono::nanoseconds(300);
constexpr Duration kAssessCost = std::chrono::microseconds(2);
// What is made anew for every answer is stored where making it costs several
// times what storing does: it holds until an event comes or a window moves.
constexpr Duration kStoreCostMin = std::chrono::microseconds(2);

base::UnixMicros NewestTime(const table::EventView& events) {
  return events.empty() ? 0 : events.event_time_us[events.size - 1];
}

}  // namespace

void RowsMade::Store(table::Table* table) {
  for (Computed& row : computed) {
    row.stored.bytes = row.bytes;
    // Refused where a later computation was stored meanwhile: as it should be.
    table->Commit(row.row, row.stored);
  }
  computed.clear();
}

bool RowMaker::Fill(const Wanted& wanted, const KeyView& key, size_t g,
                    uint32_t row, Answer* answer, RowsMade* made) const {
  const FeatureGroup& group = answer->group(g);
  Row r{wanted,
        key,
        group,
        g,
        row,
        answer,
        made,
        key.row(group.id),
        key.signals(group.id),
        {}};
  r.freshness = {Obtained::kAlreadyFresh, r.stored.fidelity,
                 r.stored.event_time_us,  r.stored.as_of,
                 r.signals.pending,       false,
                 r.stored.holds_until_us};
  const bool made_anew = IsMadeAnew(group);
  made->limits.here_left -= kReadCost;
  answer->NoteSubject(g, row, {key.id(), r.signals.seen + r.signals.pending});
  if (r.stored.exists()) {
    key.NoteRead(group.id);
    r.freshness.outside_max_age =
        group.max_age > Duration::zero() &&
        execute::AgeOf(r.stored, wanted.now_us) > group.max_age;
    if (IsGoodEnough(r)) {
      Put(r, r.stored.bytes, r.freshness);
      return true;
    }
  } else if (!made_anew && r.signals.newest == 0) {
    Put(r, {}, RowFreshness::Cold());
    return true;
  }
  if (made_anew || wanted.may_compute) {
    const Inline computed = TryInline(r);
    if (computed != Inline::kNot) return computed == Inline::kDone;
  }
  const bool wants_refresh = wanted.may_compute && !made_anew;
  if (wants_refresh) {
    const Inline approximated = TryApproximate(r);
    if (approximated == Inline::kElsewhere) return false;
    if (approximated == Inline::kNot) {
      r.freshness.obtained =
          r.stored.exists() ? Obtained::kStaleShed : Obtained::kDefaultCold;
      Put(r, r.stored.bytes, r.freshness);
    }
    made->limits.here_left -= kAssessCost;
    made->stale.push_back(NeedOf(r));
    return true;
  }
  r.freshness.obtained =
      r.stored.exists() ? Obtained::kStaleDeadline : Obtained::kDefaultCold;
  Put(r, r.stored.bytes, r.freshness);
  if (made_anew) made->lost.push_back({key.id(), group.id});
  return true;
}

bool RowMaker::IsGoodEnough(const Row& r) const {
  const Wanted& wanted = r.wanted;
  if (execute::IsFresh(r.group, r.stored, r.signals, wanted.now_us)) {
    return true;
  }
  if (!wanted.max_pending.has_value() && !wanted.max_age_us.has_value()) {
    return false;
  }
  // A row that time has changed is as stale as one with a pending event.
  const uint32_t pending = wanted.now_us < r.stored.holds_until_us
                               ? r.signals.pending
                               : std::max(r.signals.pending, 1U);
  return pending <= wanted.max_pending.value_or(UINT32_MAX) &&
         (!wanted.max_age_us.has_value() ||
          execute::AgeOf(r.stored, wanted.now_us) <=
              std::chrono::microseconds(std::clamp<int64_t>(
                  *wanted.max_age_us, 0, int64_t{1} << 50)));
}

RowMaker::Inline RowMaker::Afford(Duration cost, MonoTime until,
                                  RowsMade* made) const {
  InlineLimits& limits = made->limits;
  if (limits.on_fan_out) {
    return rooms_.clock->Now() + cost <= until ? Inline::kDone : Inline::kNot;
  }
  if (cost <= limits.here_left) {
    limits.here_left -= cost;
    return Inline::kDone;
  }
  return options_.has_fan_out ? Inline::kElsewhere : Inline::kNot;
}

RowMaker::Inline RowMaker::TryInline(const Row& r) const {
  const FeatureGroup& group = r.group;
  if (group.placement == registry::Placement::kScheduled) return Inline::kNot;
  const table::EventView events = r.key.events(group.source, r.wanted.now_us);
  const Duration cost = rooms_.full.costs->Predict(group.id, events.size);
  const bool made_anew = IsMadeAnew(group);
  const bool always =
      made_anew || group.placement == registry::Placement::kInline;
  if (!always && cost > options_.inline_cost_max) return Inline::kNot;
  const Inline afford = Afford(
      cost,
      made_anew ? r.made->limits.made_anew_until : r.made->limits.by_cost_until,
      r.made);
  if (afford == Inline::kElsewhere) return afford;
  if (afford == Inline::kNot && group.placement != registry::Placement::kInline)
    return afford;
  const bool store = !made_anew || r.stored.exists() || cost >= kStoreCostMin;
  const std::optional<RowFreshness> fresh =
      Compute(r.wanted.now_us, r.key, group, events, store, r.made);
  if (fresh.has_value()) {
    Put(r, r.made->scratch->row, *fresh);
    return Inline::kDone;
  }
  RowFreshness failed = r.freshness;
  failed.obtained =
      r.stored.exists() ? Obtained::kStaleError : Obtained::kDefaultCold;
  Put(r, r.stored.bytes, failed);
  return Inline::kDone;
}

std::optional<RowFreshness> RowMaker::Compute(
    base::UnixMicros now_us, const KeyView& key, const FeatureGroup& group,
    const table::EventView& events, bool store, RowsMade* made) const {
  const featurize::Input input{events,
                               key.window_time_us(group.source, now_us)};
  execute::ScratchSet& scratch = *made->scratch;
  if (!rooms_.full.Compute(group.id, input, *rooms_.clock, &scratch).ok()) {
    return std::nullopt;
  }
  // Under the shard's lock: every event of the key up to it has been seen.
  RowFreshness fresh;
  fresh.obtained = Obtained::kComputedInline;
  fresh.event_time_us = NewestTime(events);
  fresh.as_of = {rooms_.table->newest_sequence(), now_us};
  fresh.holds_until_us =
      execute::HoldsUntil(*rooms_.full.of(group.id), input, now_us);
  if (store) {
    made->computed.push_back({{key.id(), group.id},
                              scratch.row,
                              {{},
                               fresh.as_of,
                               fresh.event_time_us,
                               base::Fidelity::kFull,
                               fresh.holds_until_us}});
  }
  return fresh;
}

void RowMaker::Refresh(base::UnixMicros now_us, const KeyView& key,
                       const FeatureGroup& group, RowsMade* made) const {
  if (execute::IsFresh(group, key.row(group.id), key.signals(group.id),
                       now_us)) {
    return;
  }
  Compute(now_us, key, group, key.events(group.source, now_us), /*store=*/true,
          made);
}

RowMaker::Inline RowMaker::TryApproximate(const Row& r) const {
  if (!rooms_.approximate.has_value()) return Inline::kNot;
  const InlineComputer& computer = *rooms_.approximate;
  const FeatureGroup& group = r.group;
  if (computer.of(group.id) == nullptr) return Inline::kNot;
  const table::EventView events = r.key.events(group.source, r.wanted.now_us);
  const Duration cost = computer.costs->Predict(group.id, events.size);
  if (cost > options_.inline_cost_max) return Inline::kNot;
  const Inline afford = Afford(cost, r.made->limits.by_cost_until, r.made);
  if (afford != Inline::kDone) return afford;
  if (!r.made->approximate_scratch.has_value()) {
    r.made->approximate_scratch.emplace(computer.scratch->Borrow());
  }
  execute::ScratchSet& scratch = **r.made->approximate_scratch;
  const featurize::Input input{
      events, r.key.window_time_us(group.source, r.wanted.now_us)};
  if (!computer.Compute(group.id, input, *rooms_.clock, &scratch).ok()) {
    return Inline::kNot;
  }
  Put(r, scratch.row,
      {Obtained::kApproximated,
       base::Fidelity::kApproximate,
       NewestTime(events),
       {rooms_.table->newest_sequence(), r.wanted.now_us},
       r.signals.pending,
       false,
       execute::HoldsUntil(*computer.of(group.id), input, r.wanted.now_us)});
  return Inline::kDone;
}

StaleRow RowMaker::NeedOf(const Row& r) const {
  const FeatureGroup& group = r.group;
  const execute::Assessment state =
      execute::Assess(group, *rooms_.full.of(group.id),
                      (*rooms_.metrics)[base::ToInt(group.id)], r.key,
                      r.wanted.now_us, r.made->scratch->of(group.id));
  StaleRow stale;
  stale.need.row = {r.key.id(), group.id};
  stale.need.want = state.want;
  stale.need.cold = !r.stored.exists();
  // An approximate row that stands already leaves less to gain.
  const bool approximated =
      r.answer->freshness(r.g, r.row).obtained == Obtained::kApproximated;
  const double share =
      approximated
          ? 1 - group.approximate.value_or(registry::Approximation{}).value
          : 1.0;
  stale.need.levels.push_back(
      {base::Fidelity::kFull, share * state.gain, state.shape});
  stale.group = static_cast<uint32_t>(r.g);
  stale.row = r.row;
  stale.signals = state.signals;
  if (r.signals.pending == 0) {
    // Stale by time: only a row computed since will do.
    stale.computed_after_us = r.stored.as_of.time_us;
  }
  return stale;
}

}  // namespace freshline::serve
