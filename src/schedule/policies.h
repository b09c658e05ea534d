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
#include "schedule/policy.h"

namespace freshline::schedule {

// When work is queued, and whether a query waits for it.
enum class Trigger : uint8_t {
  kQueryWaits,     // a query with a stale row waits until its answer_by
  kQueryEnqueues,  // it is answered at once, and its row is queued
  kEventEnqueues,  // it is answered at once; every event queues its row
};

// Which queued row is started first.
enum class Order : uint8_t {
  kArrival,   // the first that was queued
  kAnswerBy,  // the earliest answer_by among its waiting tickets
  kDensity,   // gain * P(in time) / E[time], the highest
};

// A policy is a row of choices for one engine (SlackPolicy). Every bound has
// its documented treatment: tickets beyond tickets_max and rows beyond
// rows_max are answered as they stand (STALE_SHED), and counted.
struct PolicyConfig {
  std::string name;
  Trigger trigger = Trigger::kQueryWaits;
  Order order = Order::kArrival;
  // Keep what is queued feasible: shed the lowest density while it is not.
  bool admission = false;
  // With admission: work earning less than worker time is worth (DensityPrice)
  // runs after all other, and is tried only at a good chance to end in time.
  bool price = false;
  // Whether the driver takes the guard off the deadline: only where queries
  // wait is there anything to guard.
  bool guard = false;
  // Idle workers refresh rows with pending events.
  bool background = false;

  uint32_t tickets_max = 10'000;
  uint32_t rows_max = 10'000;        // queued for tickets, or by trigger
  uint32_t background_max = 10'000;  // queued for idle workers

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
  base::Duration probe_interval = std::chrono::milliseconds(100);

  // After a failed run a row is left alone for backoff_min, doubling up to
  // backoff_max.
  base::Duration backoff_min = std::chrono::milliseconds(100);
  base::Duration backoff_max = std::chrono::seconds(60);
  // So many failed jobs in a row quarantine a group: only probes run, until
  // one succeeds.
  uint32_t quarantine_failures = 8;
};

// What the engine needs to know of a feature group; by GroupId.
struct GroupTraits {
  uint32_t batch_max = 1;
};

// The five policies of the daemon:
//   slo_aware           waits if admitted; sheds the lowest density
//   edf                 waits; earliest answer_by first (Liu & Layland 1973)
//   fifo                waits; in order of arrival
//   stale_then_refresh  answered at once, the query queues its row
//                       (stale-while-revalidate, RFC 5861)
//   eager_fifo          answered at once, each event queues its row
// Returns: NOT_FOUND naming `name` and the names that exist.
absl::StatusOr<PolicyConfig> FindPolicy(absl::string_view name);

// The names that FindPolicy() knows, in the order above.
std::span<const absl::string_view> PolicyNames();

// Returns: INVALID_ARGUMENT naming the field, its value and its range.
absl::Status ValidatePolicyConfig(const PolicyConfig& config);

// A policy with those choices. `costs` must outlive it. Groups beyond
// `groups` have default traits.
// REQUIRES: ValidatePolicyConfig(config) is OK.
std::unique_ptr<Policy> MakePolicy(const PolicyConfig& config,
                                   const estimate::CostModel* costs,
                                   std::vector<GroupTraits> groups);

}  // namespace freshline::schedule
