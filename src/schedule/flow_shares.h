// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "schedule/density_price.h"

namespace freshline::schedule {

// What the engine needs to know of a flow; by FlowId.
struct FlowTraits {
  double weight = 1;  // its share of the workers, to that of the others
};

// Worker time that flows got and asked for, and who is ahead of whom.
//
// Each flow has a virtual counter: worker time over weight, as in the virtual
// token counter of Sheng et al. ("Fairness in Serving Large Language Models",
// OSDI 2024). A flow that had nothing queued or running is lifted to the least
// counter of those that had (to that of the last one that had, where there is
// none), so that nobody saves up time while idle. What is queued counts as if
// it had run: when the queue does not fit, a row is given up of the flow that
// is furthest ahead(). So two flows that both keep giving up rows stay within
//     2 · max(longest row / weight)
// of each other, whatever they ask for: a flow gives up a row only while it is
// ahead of the other, and neither moves by more than one row at a time.
//
// Beside the counters stands the price of worker time for each flow: its
// densest work fills its max-min fair share of the workers (DensityPrice), so
// that a flow that floods does not make worker time dear for the others.
//
// Thread-safety: none. Cost: O(1), but Price O(flows). Bounds: kFlowsMax
// flows, 4 KB each once seen; those beyond share the last one.
class FlowShares {
 public:
  static constexpr uint32_t kFlowsMax = 256;
  static constexpr uint32_t kNone = UINT32_MAX;

  // Flows beyond `traits` have weight 1. REQUIRES: weights above 0, finite.
  // `fair`: whether prices are each flow's own, else there is one for all.
  FlowShares(std::vector<FlowTraits> traits, base::Duration price_memory,
             bool fair);

  // The index under which a flow is kept here.
  static uint32_t SlotOf(base::FlowId flow);
  // Flows [0, size()) have been seen or declared.
  uint32_t size() const { return static_cast<uint32_t>(flows_.size()); }

  // A row of a flow, which is expected to take `work`: queued; then given up,
  // or started and ended.
  void Queued(uint32_t flow, base::Duration work);
  void Unqueued(uint32_t flow, base::Duration work);
  void Started(uint32_t flow, base::Duration work);
  void Ended(uint32_t flow, base::Duration work, base::Duration really);

  // The counter with what is queued, in ns of a weight of 1.
  double ahead(uint32_t flow) const {
    const Flow& f = flows_[flow];
    return f.counter + static_cast<double>(f.queued.count()) / f.weight;
  }
  bool queues(uint32_t flow) const {
    return flows_[flow].queued > base::Duration::zero();
  }
  // Worker time that it got, by the clock.
  base::Duration service(uint32_t flow) const { return flows_[flow].service; }

  // Work of this density was asked for.
  void Offer(uint32_t flow, double density, base::Duration work,
             base::MonoTime now);
  // Refreshes what price() returns. Call after some offers.
  void RefreshPrice(uint32_t flow, uint32_t workers, base::MonoTime now);
  double price(uint32_t flow) const { return prices_[PriceOf(flow)].price(); }
  // The highest of all flows.
  double price() const;

 private:
  struct Flow {
    double weight = 1;
    double counter = 0;
    base::Duration queued{};
    base::Duration service{};
    uint32_t rows = 0;  // queued or running
  };
  void Reach(uint32_t flow);
  void Enter(uint32_t flow);
  void Leave(uint32_t flow);
  size_t PriceOf(uint32_t flow) const { return fair_ ? flow : 0; }
  double RoomOf(uint32_t flow, uint32_t workers, base::MonoTime now);

  const bool fair_;
  const base::Duration price_memory_;
  std::vector<Flow> flows_;
  std::vector<DensityPrice> prices_;
  std::vector<uint32_t> order_;  // of flows by demand over weight
  std::vector<double> demand_;
  double last_counter_ = 0;  // of the last flow that had rows
  uint32_t active_ = 0;
};

}  // namespace freshline::schedule
