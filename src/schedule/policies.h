// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/time.h"
#include "estimate/cost_model.h"
#include "schedule/flow_shares.h"
#include "schedule/index.h"
#include "schedule/policy.h"
#include "schedule/policy_defaults.h"

namespace freshline::schedule {

// When work is queued, and whether a query waits for it.
enum class Trigger : uint8_t {
  kNever,           // a query with a stale row is answered at once
  kQueryWaits,      // it waits until its answer_by
  kQueryWaitsCold,  // it waits where nothing is stored, else as the next
  kQueryEnqueues,   // it is answered at once, and its row is queued
  kEventEnqueues,   // it is answered at once; events queue their rows
};

// A policy is a row of choices for one engine (SlackPolicy): what queues work,
// which work is next, and what is given up. Every bound has
// its documented treatment: tickets beyond tickets_max and rows beyond
// rows_max are answered as they stand (STALE_SHED), and counted.
struct PolicyConfig {
  std::string name;
  std::string summary;  // what it does and where it comes from, in a line
  Trigger trigger = Trigger::kQueryWaits;
  // kEventEnqueues: a row is queued once so many events are pending.
  uint32_t pending_min = 1;
  // A row refreshed less than this ago is left as it is; 0: never.
  base::Duration ttl{};
  // kEventEnqueues: whether an event whose row is queued already adds nothing.
  // Otherwise every event is owed a run of its own.
  bool coalesce = true;
  // Which queued row runs next.
  Index index;
  // Which of the rows that nobody waits for; without a function: ExpectedLoss.
  // Keys are renewed by turns, a few each millisecond; with `moves` all of them
  // at every start.
  Index background_index;
  // Keep what is queued feasible: shed the lowest density while it is not.
  bool admission = false;
  // With admission: work earning less than worker time is worth (DensityPrice)
  // runs after all other, and is tried only at a good chance to end in time or
  // by a worker that has nothing else to do.
  bool price = false;
  // With admission: flows share the workers by weight (FlowShares). While the
  // queue does not fit, a row is shed of the flow that is furthest ahead, and
  // each flow has its own price. Otherwise all flows are one.
  bool fairness = false;
  // Whether the driver takes the guard off the deadline: only where queries
  // wait is there anything to guard.
  bool guard = false;
  // Idle workers refresh rows with pending events.
  bool background = false;

  uint32_t tickets_max = kTicketsMaxDefault;
  // Queued for tickets, or by trigger.
  uint32_t rows_max = kTicketsMaxDefault;
  // Queued for idle workers.
  uint32_t background_max = kBackgroundRowsMaxDefault;
  // Rows whose past (RowFacts) is remembered while they are not queued; the
  // longest unused is forgotten first.
  uint32_t history_max = 0;

  // How far back the price looks.
  base::Duration price_memory = std::chrono::seconds(1);

  // Admission asks of a need the chance to end in time at which it is worth
  // the price of worker time, price / (gain / E[time]), within these bounds.
  double chance_min = 0.1;
  double chance_max = 0.9;
  // A row joins a batch while the whole batch ends in time with this chance.
  double batch_chance_min = 0.9;
  // A background row starts while the chance that more foreground rows come
  // during its run than workers stay free is at most this.
  double background_risk_max = 0.3;

  // Work longer than this is not lent the last idle worker of several.
  base::Duration background_last_max = std::chrono::milliseconds(20);

  // How often a group is probed where no prediction admits it (GroupHealth).
  base::Duration probe_interval = kProbeIntervalDefault;

  // After a failed run a row is left alone for backoff_min, doubling up to
  // backoff_max, which is at least backoff_min. 0: the next event or query
  // tries it again.
  base::Duration backoff_min = kBackoffMinDefault;
  base::Duration backoff_max = kBackoffMaxDefault;
  // So many failed jobs in a row quarantine a group: only probes run, until
  // one succeeds.
  uint32_t quarantine_failures = kQuarantineFailuresDefault;
};

// What the engine needs to know of a feature group; by GroupId.
struct GroupTraits {
  uint32_t batch_max = 1;
};

// Policies by name. A value; not thread-safe while it is added to.
class PolicyCatalogue {
 public:
  // The five policies of the daemon:
  //   slo_aware           waits if admitted; sheds the lowest density
  //   edf                 waits; earliest answer_by first
  //   fifo                waits; in order of arrival
  //   stale_then_refresh  answered at once, the query queues its row
  //   eager_fifo          answered at once, events queue their rows
  static PolicyCatalogue BuiltIn();

  // Returns: INVALID_ARGUMENT where the configuration is not valid or has no
  // name; ALREADY_EXISTS naming it.
  absl::Status Add(PolicyConfig config);

  // Returns: NOT_FOUND naming `name` and the names that exist.
  absl::StatusOr<PolicyConfig> Find(absl::string_view name) const;

  // In the order in which they were added.
  std::span<const PolicyConfig> policies() const { return policies_; }

 private:
  std::vector<PolicyConfig> policies_;
};

// Of the daemon's five.
absl::StatusOr<PolicyConfig> FindPolicy(absl::string_view name);
std::span<const absl::string_view> PolicyNames();

// Returns: INVALID_ARGUMENT naming the field, its value and its range.
absl::Status ValidatePolicyConfig(const PolicyConfig& config);

// A policy with those choices. `costs` must outlive it. Groups beyond
// `groups` and flows beyond `flows` have default traits.
// REQUIRES: ValidatePolicyConfig(config) is OK; weights are above 0, finite.
std::unique_ptr<Policy> MakePolicy(const PolicyConfig& config,
                                   const estimate::CostModel* costs,
                                   std::vector<GroupTraits> groups,
                                   std::vector<FlowTraits> flows = {});

}  // namespace freshline::schedule
