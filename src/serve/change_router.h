// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>

#include "base/clock.h"
#include "estimate/inline_costs.h"
#include "execute/dispatcher.h"
#include "execute/row_assessor.h"
#include "ingest/ingest.h"
#include "registry/revision.h"
#include "staleness/metric_set.h"
#include "table/table.h"

namespace freshline::serve {

// Tells the dispatcher which rows an accepted event made stale, and what a
// refresh of each would be worth and cost. Groups that are computed while
// answering are left out.
//
// Thread-safety: any thread. Cost: one read of the key per changed key and
// group.
class ChangeRouter final : public ingest::ChangeListener {
 public:
  struct Rooms {
    const base::Clock* clock;
    std::shared_ptr<const registry::Revision> revision;
    table::Table* table;
    const execute::FunctionSet* functions;
    const staleness::MetricSet* metrics;
    execute::ScratchPool* scratch;
    estimate::InlineCosts* inline_costs;
    base::Duration inline_cost_max;
  };
  explicit ChangeRouter(Rooms rooms);

  // Until a dispatcher is connected, changes are not routed: the daemon is
  // built bottom-up, and no event comes before.
  void Connect(execute::Dispatcher* dispatcher) { dispatcher_ = dispatcher; }

  void OnEvents(std::span<const ingest::Change> changes) override;

 private:
  const Rooms rooms_;
  execute::Dispatcher* dispatcher_ = nullptr;
  // By source: the groups that may run as jobs.
  std::vector<std::vector<base::GroupId>> groups_of_source_;
};

}  // namespace freshline::serve
