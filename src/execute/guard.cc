// SPDX-License-Identifier: Apache-2.0
#include "execute/guard.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

namespace freshline::execute {

using base::Duration;
using base::FlowId;
using base::MonoTime;
using estimate::QuantileTracker;

namespace {

constexpr double kStepUs = 250;
// A caller that has not reported over so many queries, or has hardly spoken,
// is one that does not report.
constexpr uint64_t kUnreportedMax = 10'000;
constexpr uint64_t kReportsMin = 100;
// What is left of the floor where callers report: neither side sees all.
constexpr int kFloorShare = 4;
constexpr Duration kMediansEvery = std::chrono::seconds(1);
// Callers that have been silent for longer have no voice in the median.
constexpr Duration kVoice = std::chrono::seconds(60);

Duration Share(double share, Duration of) {
  return Duration(
      static_cast<int64_t>(share * static_cast<double>(of.count())));
}

uint8_t ClassOf(Duration budget) {
  const auto us = static_cast<uint64_t>(std::max<int64_t>(
      0,
      std::chrono::duration_cast<std::chrono::microseconds>(budget).count()));
  return static_cast<uint8_t>(
      std::min(63, static_cast<int>(std::bit_width(us))));
}

// Fewer callers are nobody's measure.
constexpr size_t kVoicesMin = 3;

// The lower one of an even number, so that half of the voices move nothing.
std::optional<Duration> LowerMedian(std::vector<Duration>* of,
                                    size_t voices_min) {
  if (of->size() < voices_min) return std::nullopt;
  const auto middle =
      of->begin() + static_cast<std::ptrdiff_t>((of->size() - 1) / 2);
  std::nth_element(of->begin(), middle, of->end());
  return *middle;
}

QuantileTracker TrackerUpTo(double violation_budget, Duration most) {
  return QuantileTracker({violation_budget / 2, kStepUs, 0,
                          std::max(0.0, base::ToMicros(most)), 0});
}

double LeftAfter(Duration silence) {
  if (silence <= Guard::kSilence) return 1;
  return std::exp2(-static_cast<double>((silence - Guard::kSilence).count()) /
                   static_cast<double>(Guard::kHalfLife.count()));
}

}  // namespace

void Guard::Learned::Age(MonoTime now) {
  if (last != base::kInfinitePast && now > last) {
    micros.Shrink(LeftAfter(now - last));
  }
  last = std::max(last, now);
}

Duration Guard::Learned::At(MonoTime now) const {
  Learned then = *this;
  then.Age(now);
  return base::FromMicros(then.micros.value());
}

Guard::Guard(const Options& options, std::span<const Duration> slos)
    : options_(options), medians_(slos.size()) {
  for (const Duration slo : slos) {
    Flow flow;
    flow.slo = slo;
    const Duration most =
        std::min(std::max(Share(options.guard_share_max, slo), options.floor),
                 options.overshoot_max);
    flow.overshoot.micros = TrackerUpTo(options.violation_budget, most);
    flows_.push_back(std::move(flow));
  }
  callers_.reserve(kCallersMax);
}

Duration Guard::ShareMax(const Flow& flow, Duration budget) const {
  // The floor stands for the SLO; a shorter budget has its part of it.
  Duration floor = options_.floor;
  if (budget < flow.slo) {
    floor = Share(static_cast<double>(budget.count()) /
                      static_cast<double>(flow.slo.count()),
                  floor);
  }
  return std::max(Share(options_.guard_share_max, budget), floor);
}

Duration Guard::Default(const Flow& flow, Duration budget) const {
  return std::max(Share(options_.overhead_share, std::min(budget, flow.slo)),
                  options_.floor);
}

bool Guard::Reports(const Caller& caller) {
  return caller.reports > 0 && caller.unreported <= kUnreportedMax;
}

Duration Guard::Outside(const Flow& flow, const Asker& asker,
                        const Caller* caller, MonoTime now) const {
  const Median& kind = medians_[base::ToInt(asker.flow)][ClassOf(asker.budget)];
  const Duration by_default = Default(flow, asker.budget);
  if (caller == nullptr || !Reports(*caller)) {
    return std::max(kind.of_all.value_or(by_default), by_default);
  }
  const Duration own = caller->overhead.At(now);
  const Duration rest = options_.floor / kFloorShare;
  if (caller->reports >= kReportsMin) return own + rest;
  return std::max(own, kind.of_reporters.value_or(by_default)) + rest;
}

Duration Guard::Of(const Asker& asker, MonoTime now) {
  const size_t index = base::ToInt(asker.flow);
  base::MutexLock lock(&mu_);
  if (index >= flows_.size()) return std::min(options_.floor, asker.budget);
  TakeMedians(now);
  const Flow& flow = flows_[index];
  Caller* const caller = Find(asker, now);
  if (caller != nullptr) ++caller->unreported;
  return std::min(flow.overshoot.At(now) + Outside(flow, asker, caller, now),
                  ShareMax(flow, asker.budget));
}

void Guard::Reported(const Asker& asker, int64_t overhead_us, MonoTime now) {
  const size_t index = base::ToInt(asker.flow);
  base::MutexLock lock(&mu_);
  if (index >= flows_.size()) return;
  Flow& flow = flows_[index];
  // Compared as microseconds: what is huge must not overflow.
  if (overhead_us < 0 ||
      overhead_us > std::max(asker.budget, flow.slo).count() / 1000) {
    ++flow.counts.overhead_implausible;
    return;
  }
  ++flow.counts.overhead_reports;
  const int64_t most_us = ShareMax(flow, asker.budget).count() / 1000;
  if (overhead_us > most_us) {
    ++flow.counts.overhead_bounded;
    overhead_us = most_us;
  }
  Caller* const caller = Find(asker, now);
  if (caller == nullptr) return;
  ++caller->reports;
  caller->unreported = 0;
  caller->overhead.Age(now);
  caller->overhead.micros.Update(static_cast<double>(overhead_us) >
                                 caller->overhead.micros.value());
}

void Guard::Answered(FlowId id, std::optional<Duration> overshoot, bool late,
                     MonoTime now) {
  const size_t index = base::ToInt(id);
  base::MutexLock lock(&mu_);
  if (index >= flows_.size()) return;
  Flow& flow = flows_[index];
  ++flow.counts.answers;
  if (late) ++flow.counts.late;
  flow.overshoot.Age(now);
  bool exceeded = false;
  if (overshoot.has_value() &&
      base::ToMicros(*overshoot) > flow.overshoot.micros.value()) {
    if (*overshoot <=
        std::min(ShareMax(flow, flow.slo), options_.overshoot_max)) {
      exceeded = true;
    } else {
      ++flow.counts.beyond_guard;
    }
  }
  flow.overshoot.micros.Update(exceeded);
}

Guard::Caller* Guard::Find(const Asker& asker, MonoTime now) {
  if (asker.caller == 0) return nullptr;
  const CallerKey key{asker.caller, asker.flow, ClassOf(asker.budget)};
  const auto it = index_.find(key);
  Caller* caller = nullptr;
  if (it != index_.end()) {
    caller = &callers_[it->second];
    caller->spared = true;
  } else {
    if (callers_.size() < kCallersMax) {
      caller = &callers_.emplace_back();
    } else {
      caller = Evict();
    }
    const Flow& flow = flows_[base::ToInt(asker.flow)];
    // No budget of the class is twice this one.
    caller->key = key;
    caller->overhead = {TrackerUpTo(options_.violation_budget,
                                    ShareMax(flow, 2 * asker.budget)),
                        base::kInfinitePast};
    caller->reports = 0;
    caller->unreported = 0;
    caller->spared = false;
    index_[key] = static_cast<uint32_t>(caller - callers_.data());
  }
  caller->seen = now;
  return caller;
}

// By second chance: one that asked again since the hand came by is spared once.
// Those who come but once push out each other.
Guard::Caller* Guard::Evict() {
  while (callers_[hand_].spared) {
    callers_[hand_].spared = false;
    hand_ = (hand_ + 1) % callers_.size();
  }
  Caller* const caller = &callers_[hand_];
  hand_ = (hand_ + 1) % callers_.size();
  index_.erase(caller->key);
  return caller;
}

void Guard::TakeMedians(MonoTime now) {
  if (now < medians_due_) return;
  medians_due_ = now + kMediansEvery;
  for (auto& of_flow : medians_) of_flow.fill({});
  std::vector<const Caller*> heard;
  for (const Caller& caller : callers_) {
    if (now - caller.seen <= kVoice) heard.push_back(&caller);
  }
  const auto kind = [](const Caller* c) {
    return std::pair(c->key.flow, c->key.budget_class);
  };
  std::sort(heard.begin(), heard.end(), [&](const Caller* a, const Caller* b) {
    return kind(a) < kind(b);
  });
  std::vector<Duration> all;
  std::vector<Duration> reporters;
  for (size_t i = 0; i < heard.size();) {
    const auto [flow_id, budget_class] = kind(heard[i]);
    all.clear();
    reporters.clear();
    for (;
         i < heard.size() && kind(heard[i]) == std::pair(flow_id, budget_class);
         ++i) {
      if (heard[i]->reports >= kReportsMin && Reports(*heard[i])) {
        reporters.push_back(heard[i]->overhead.At(now));
        all.push_back(reporters.back());
      } else {
        all.push_back(Duration::zero());  // no more than the default
      }
    }
    medians_[base::ToInt(flow_id)][budget_class] = {
        LowerMedian(&all, kVoicesMin), LowerMedian(&reporters, kVoicesMin)};
  }
}

std::vector<Guard::FlowState> Guard::States(MonoTime now) const {
  base::MutexLock lock(&mu_);
  std::vector<FlowState> states;
  std::vector<std::vector<Duration>> reported(flows_.size());
  for (const Flow& flow : flows_) states.push_back(flow.counts);
  for (const Caller& caller : callers_) {
    if (now - caller.seen > kVoice) continue;
    const size_t f = base::ToInt(caller.key.flow);
    if (Reports(caller)) {
      ++states[f].callers_reporting;
      reported[f].push_back(caller.overhead.At(now));
    } else {
      ++states[f].callers_silent;
    }
  }
  for (uint32_t f = 0; f < flows_.size(); ++f) {
    const Flow& flow = flows_[f];
    FlowState& state = states[f];
    state.overshoot = flow.overshoot.At(now);
    state.overhead_silent =
        Outside(flow, {FlowId{f}, flow.slo, 0}, nullptr, now);
    state.overhead_reported =
        LowerMedian(&reported[f], 1).value_or(Duration::zero());
    state.overhead =
        state.callers_reporting > state.callers_silent
            ? state.overhead_reported + options_.floor / kFloorShare
            : state.overhead_silent;
    state.guard =
        std::min(state.overshoot + state.overhead, ShareMax(flow, flow.slo));
  }
  return states;
}

}  // namespace freshline::execute
