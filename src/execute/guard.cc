// SPDX-License-Identifier: Apache-2.0
#include "execute/guard.h"

#include <algorithm>

namespace freshline::execute {

using base::Duration;
using estimate::QuantileTracker;

namespace {

constexpr double kStepUs = 250;
// A flow whose callers have gone silent for so long, or have hardly spoken, is
// one where nobody reports.
constexpr uint64_t kUnreportedMax = 10'000;
constexpr uint64_t kReportsMin = 100;
// What is left of the floor where callers report: neither side sees all.
constexpr int kFloorShare = 4;

double Micros(Duration d) { return static_cast<double>(d.count()) / 1000; }
Duration FromMicros(double us) {
  return Duration(static_cast<int64_t>(us * 1000));
}

Duration GuardMax(const Guard::Options& options, Duration slo) {
  const auto share = Duration(static_cast<int64_t>(
      options.guard_share_max * static_cast<double>(slo.count())));
  return std::max(share, options.floor);
}

QuantileTracker TrackerUpTo(const Guard::Options& options, Duration most) {
  return QuantileTracker({options.violation_budget / 2, kStepUs, 0,
                          std::max(0.0, Micros(most)), 0});
}

}  // namespace

Guard::Guard(const Options& options, std::span<const Duration> slos)
    : options_(options),
      guard_ns_(std::make_unique<std::atomic<int64_t>[]>(slos.size())) {
  for (const Duration slo : slos) {
    const Duration most = GuardMax(options, slo);
    flows_.push_back(
        {most,
         TrackerUpTo(options, std::min(most, options.overshoot_max)),
         TrackerUpTo(options, most),
         {},
         0});
    Publish(flows_.size() - 1);
  }
}

Duration Guard::Of(base::FlowId flow) const {
  const size_t index = base::ToInt(flow);
  if (index >= flows_.size()) return options_.floor;
  return Duration(guard_ns_[index].load(std::memory_order_relaxed));
}

Duration Guard::Largest() const {
  Duration largest{};
  bool any = false;
  for (const Flow& flow : flows_) {
    if (flow.state.answers == 0) continue;
    any = true;
    largest = std::max(largest, flow.state.guard);
  }
  return any ? largest : options_.floor;
}

void Guard::Answered(base::FlowId id, std::optional<Duration> overshoot,
                     bool late) {
  const size_t index = base::ToInt(id);
  if (index >= flows_.size()) return;
  Flow& flow = flows_[index];
  ++flow.state.answers;
  if (late) ++flow.state.late;
  ++flow.unreported;
  bool exceeded = false;
  if (overshoot.has_value() && *overshoot > flow.state.overshoot) {
    if (*overshoot <= std::min(flow.guard_max, options_.overshoot_max)) {
      exceeded = true;
    } else {
      ++flow.state.beyond_guard;
    }
  }
  flow.overshoot_us.Update(exceeded);
  Publish(index);
}

void Guard::Reported(base::FlowId id, int64_t overhead_us) {
  const size_t index = base::ToInt(id);
  if (index >= flows_.size()) return;
  Flow& flow = flows_[index];
  // Compared as microseconds: what is huge must not overflow.
  if (overhead_us < 0 || overhead_us > flow.guard_max.count() / 1000) {
    ++flow.state.overhead_implausible;
    return;
  }
  ++flow.state.overhead_reports;
  flow.unreported = 0;
  flow.overhead_us.Update(static_cast<double>(overhead_us) >
                          flow.overhead_us.value());
  Publish(index);
}

void Guard::Publish(size_t index) {
  Flow& flow = flows_[index];
  FlowState& state = flow.state;
  state.overshoot = FromMicros(flow.overshoot_us.value());
  state.overhead = FromMicros(flow.overhead_us.value());
  const bool reported = state.overhead_reports >= kReportsMin &&
                        flow.unreported <= kUnreportedMax;
  const Duration outside = reported
                               ? state.overhead + options_.floor / kFloorShare
                               : std::max(state.overhead, options_.floor);
  state.guard = std::min(state.overshoot + outside, flow.guard_max);
  guard_ns_[index].store(state.guard.count(), std::memory_order_relaxed);
}

Guard::FlowState Guard::StateOf(base::FlowId flow) const {
  const size_t index = base::ToInt(flow);
  if (index < flows_.size()) return flows_[index].state;
  FlowState none;
  none.guard = options_.floor;
  return none;
}

}  // namespace freshline::execute
