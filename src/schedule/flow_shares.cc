// SPDX-License-Identifier: Apache-2.0
#include "schedule/flow_shares.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"

namespace freshline::schedule {

using base::Duration;
using base::MonoTime;

FlowShares::FlowShares(std::vector<FlowTraits> traits, Duration price_memory,
                       bool fair)
    : fair_(fair), price_memory_(price_memory) {
  if (traits.size() > kFlowsMax) traits.resize(kFlowsMax);
  for (const FlowTraits& t : traits) {
    FRESHLINE_CHECK(t.weight > 0 &&
                    t.weight < std::numeric_limits<double>::infinity());
    flows_.emplace_back().weight = t.weight;
  }
  Reach(0);
}

uint32_t FlowShares::SlotOf(base::FlowId flow) {
  return std::min(base::ToInt(flow), kFlowsMax - 1);
}

void FlowShares::Reach(uint32_t flow) {
  if (flow >= flows_.size()) flows_.resize(flow + 1);
  const size_t prices = fair_ ? flows_.size() : 1;
  while (prices_.size() < prices) prices_.emplace_back(price_memory_);
}

void FlowShares::Enter(uint32_t flow) {
  Flow& entering = flows_[flow];
  if (entering.rows++ > 0) return;
  double least =
      active_ == 0 ? last_counter_ : std::numeric_limits<double>::infinity();
  for (uint32_t f = 0; active_ > 0 && f < flows_.size(); ++f) {
    if (f != flow && flows_[f].rows > 0) {
      least = std::min(least, flows_[f].counter);
    }
  }
  ++active_;
  entering.counter = std::max(entering.counter, least);
}

void FlowShares::Leave(uint32_t flow) {
  Flow& leaving = flows_[flow];
  FRESHLINE_DCHECK(leaving.rows > 0);
  if (--leaving.rows > 0) return;
  --active_;
  last_counter_ = leaving.counter;
}

void FlowShares::Queued(uint32_t flow, Duration work) {
  Reach(flow);
  Enter(flow);
  flows_[flow].queued += work;
}

void FlowShares::Unqueued(uint32_t flow, Duration work) {
  flows_[flow].queued -= work;
  Leave(flow);
}

void FlowShares::Started(uint32_t flow, Duration work) {
  flows_[flow].queued -= work;
  flows_[flow].counter +=
      static_cast<double>(work.count()) / flows_[flow].weight;
}

void FlowShares::Ended(uint32_t flow, Duration work, Duration really) {
  flows_[flow].counter +=
      static_cast<double>((really - work).count()) / flows_[flow].weight;
  flows_[flow].service += really;
  Leave(flow);
}

void FlowShares::Offer(uint32_t flow, double density, Duration work,
                       MonoTime now) {
  Reach(flow);
  prices_[PriceOf(flow)].Offer(density, work, now);
}

double FlowShares::RoomOf(uint32_t flow, uint32_t workers, MonoTime now) {
  if (!fair_ || flows_.size() == 1) return workers;
  demand_.clear();
  order_.clear();
  double weights = 0;
  for (uint32_t f = 0; f < flows_.size(); ++f) {
    demand_.push_back(prices_[f].Demand(now));
    order_.push_back(f);
    weights += flows_[f].weight;
  }
  // Max-min: whoever asks for less than its share leaves the rest to others.
  std::sort(order_.begin(), order_.end(), [&](uint32_t a, uint32_t b) {
    const double left = demand_[a] * flows_[b].weight;
    const double right = demand_[b] * flows_[a].weight;
    return left != right ? left < right : a < b;
  });
  double room = workers;
  for (const uint32_t f : order_) {
    const double share = room * flows_[f].weight / weights;
    // Enough for everything: nothing is dear. Whoever asks for more than its
    // share is last, and so are all after it.
    if (f == flow) return demand_[f] <= share ? workers : share;
    const double taken = std::min(demand_[f], share);
    room -= taken;
    weights -= flows_[f].weight;
  }
  return room;
}

void FlowShares::RefreshPrice(uint32_t flow, uint32_t workers, MonoTime now) {
  prices_[PriceOf(flow)].Refresh(RoomOf(flow, workers, now), now);
}

double FlowShares::price() const {
  double highest = 0;
  for (const DensityPrice& p : prices_) highest = std::max(highest, p.price());
  return highest;
}

}  // namespace freshline::schedule
