// SPDX-License-Identifier: Apache-2.0
#include "schedule/policies.h"

#include <array>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/check.h"
#include "schedule/slack_policy.h"

namespace freshline::schedule {

namespace {

constexpr std::array<absl::string_view, 5> kNames = {
    "slo_aware", "edf", "fifo", "stale_then_refresh", "eager_fifo"};

PolicyConfig Named(absl::string_view name, absl::string_view summary) {
  PolicyConfig config;
  config.name = std::string(name);
  config.summary = std::string(summary);
  return config;
}

PolicyConfig SloAware() {
  PolicyConfig config =
      Named("slo_aware",
            "a query waits if its rows are admitted; while the queue does not "
            "fit, the lowest density is answered stale at once");
  config.index.function = EarliestAnswerBy;
  config.admission = config.price = config.fairness = true;
  config.guard = config.background = true;
  return config;
}

PolicyConfig Edf() {
  PolicyConfig config =
      Named("edf",
            "a query waits; the earliest answer_by first (Liu & Layland 1973)");
  config.index.function = EarliestAnswerBy;
  config.guard = true;
  return config;
}

PolicyConfig Fifo() {
  PolicyConfig config = Named("fifo", "a query waits; in order of arrival");
  config.guard = true;
  return config;
}

PolicyConfig StaleThenRefresh() {
  PolicyConfig config =
      Named("stale_then_refresh",
            "a query is answered at once and queues its stale rows "
            "(stale-while-revalidate, RFC 5861)");
  config.trigger = Trigger::kQueryEnqueues;
  return config;
}

PolicyConfig EagerFifo() {
  PolicyConfig config =
      Named("eager_fifo",
            "a query is answered at once; each event queues its row, once");
  config.trigger = Trigger::kEventEnqueues;
  return config;
}

absl::Status OutOfRange(absl::string_view field, double value,
                        absl::string_view range) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": ", value, " is not in ", range));
}

}  // namespace

std::span<const absl::string_view> PolicyNames() { return kNames; }

absl::StatusOr<PolicyConfig> FindPolicy(absl::string_view name) {
  return PolicyCatalogue::BuiltIn().Find(name);
}

PolicyCatalogue PolicyCatalogue::BuiltIn() {
  PolicyCatalogue catalogue;
  catalogue.policies_ = {SloAware(), Edf(), Fifo(), StaleThenRefresh(),
                         EagerFifo()};
  return catalogue;
}

absl::Status PolicyCatalogue::Add(PolicyConfig config) {
  if (config.name.empty()) {
    return absl::InvalidArgumentError("a policy needs a name");
  }
  if (const absl::Status valid = ValidatePolicyConfig(config); !valid.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("policy \"", config.name, "\": ", valid.message()));
  }
  if (Find(config.name).ok()) {
    return absl::AlreadyExistsError(
        absl::StrCat("there is a policy \"", config.name, "\" already"));
  }
  policies_.push_back(std::move(config));
  return absl::OkStatus();
}

absl::StatusOr<PolicyConfig> PolicyCatalogue::Find(
    absl::string_view name) const {
  std::vector<absl::string_view> known;
  for (const PolicyConfig& config : policies_) {
    if (name == absl::string_view(config.name)) return config;
    known.push_back(config.name);
  }
  return absl::NotFoundError(absl::StrCat("no policy is named \"", name,
                                          "\"; there are ",
                                          absl::StrJoin(known, ", ")));
}

absl::Status ValidatePolicyConfig(const PolicyConfig& config) {
  constexpr uint32_t kRowsMax = 1'000'000;
  for (const auto& [field, value] :
       {std::pair<absl::string_view, uint32_t>{"tickets_max",
                                               config.tickets_max},
        {"rows_max", config.rows_max},
        {"background_max", config.background_max},
        {"quarantine_failures", config.quarantine_failures},
        {"pending_min", config.pending_min}}) {
    if (value < 1 || value > kRowsMax) {
      return OutOfRange(field, value, "[1, 1000000]");
    }
  }
  for (const auto& [field, value] :
       {std::pair<absl::string_view, double>{"chance_min", config.chance_min},
        {"chance_max", config.chance_max},
        {"batch_chance_min", config.batch_chance_min},
        {"background_risk_max", config.background_risk_max}}) {
    // Written so that NaN fails.
    if (!(value > 0 && value < 1)) return OutOfRange(field, value, "(0, 1)");
  }
  for (const auto& [field, value] :
       {std::pair<absl::string_view, base::Duration>{"probe_interval",
                                                     config.probe_interval},
        {"backoff_max", config.backoff_max},
        {"price_memory", config.price_memory},
        {"background_last_max", config.background_last_max}}) {
    if (value < std::chrono::milliseconds(1) || value > std::chrono::hours(1)) {
      return OutOfRange(absl::StrCat(field, " in ms"), base::ToMillis(value),
                        "[1, 3600000]");
    }
  }
  if (config.backoff_min < base::Duration::zero() ||
      config.backoff_min > std::chrono::hours(1)) {
    return OutOfRange("backoff_min in ms", base::ToMillis(config.backoff_min),
                      "[0, 3600000]");
  }
  constexpr uint32_t kHistoryMax = 10'000'000;
  if (config.history_max > kHistoryMax) {
    return OutOfRange("history_max", config.history_max, "[0, 10000000]");
  }
  if (config.ttl < base::Duration::zero() ||
      config.ttl > std::chrono::hours(24)) {
    return OutOfRange("ttl in ms", base::ToMillis(config.ttl), "[0, 86400000]");
  }
  if (config.chance_min > config.chance_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("chance_min: ", config.chance_min, " exceeds chance_max, ",
                     config.chance_max));
  }
  return absl::OkStatus();
}

std::unique_ptr<Policy> MakePolicy(const PolicyConfig& config,
                                   const estimate::CostModel* costs,
                                   std::vector<GroupTraits> groups,
                                   std::vector<FlowTraits> flows) {
  FRESHLINE_CHECK(ValidatePolicyConfig(config).ok());
  FRESHLINE_CHECK(costs != nullptr);
  return std::make_unique<SlackPolicy>(config, costs, std::move(groups),
                                       std::move(flows));
}

}  // namespace freshline::schedule
