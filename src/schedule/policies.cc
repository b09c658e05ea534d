// SPDX-License-Identifier: Apache-2.0
#include "schedule/policies.h"

#include <array>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/check.h"
#include "schedule/slack_policy.h"

namespace freshline::schedule {

namespace {

constexpr std::array<absl::string_view, 5> kNames = {
    "slo_aware", "edf", "fifo", "stale_then_refresh", "eager_fifo"};

absl::Status OutOfRange(absl::string_view field, double value,
                        absl::string_view range) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": ", value, " is not in ", range));
}

}  // namespace

std::span<const absl::string_view> PolicyNames() { return kNames; }

absl::StatusOr<PolicyConfig> FindPolicy(absl::string_view name) {
  PolicyConfig config;
  config.name = std::string(name);
  if (name == "slo_aware") {
    config.order = Order::kAnswerBy;
    config.admission = config.price = true;
    config.guard = config.background = true;
  } else if (name == "edf") {
    config.order = Order::kAnswerBy;
    config.guard = true;
  } else if (name == "fifo") {
    config.guard = true;
  } else if (name == "stale_then_refresh") {
    config.trigger = Trigger::kQueryEnqueues;
  } else if (name == "eager_fifo") {
    config.trigger = Trigger::kEventEnqueues;
  } else {
    return absl::NotFoundError(absl::StrCat("no policy is named \"", name,
                                            "\"; there are ",
                                            absl::StrJoin(kNames, ", ")));
  }
  return config;
}

absl::Status ValidatePolicyConfig(const PolicyConfig& config) {
  constexpr uint32_t kRowsMax = 1'000'000;
  for (const auto& [field, value] :
       {std::pair<absl::string_view, uint32_t>{"tickets_max",
                                               config.tickets_max},
        {"rows_max", config.rows_max},
        {"background_max", config.background_max},
        {"quarantine_failures", config.quarantine_failures}}) {
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
        {"backoff_min", config.backoff_min},
        {"backoff_max", config.backoff_max},
        {"price_memory", config.price_memory},
        {"background_last_max", config.background_last_max}}) {
    if (value < std::chrono::milliseconds(1) || value > std::chrono::hours(1)) {
      return OutOfRange(absl::StrCat(field, " in ms"), base::ToMillis(value),
                        "[1, 3600000]");
    }
  }
  if (config.chance_min > config.chance_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("chance_min: ", config.chance_min, " exceeds chance_max, ",
                     config.chance_max));
  }
  if (config.backoff_min > config.backoff_max) {
    return absl::InvalidArgumentError(absl::StrCat(
        "backoff_min in ms: ", base::ToMillis(config.backoff_min),
        " exceeds backoff_max, ", base::ToMillis(config.backoff_max)));
  }
  return absl::OkStatus();
}

std::unique_ptr<Policy> MakePolicy(const PolicyConfig& config,
                                   const estimate::CostModel* costs,
                                   std::vector<GroupTraits> groups) {
  FRESHLINE_CHECK(ValidatePolicyConfig(config).ok());
  FRESHLINE_CHECK(costs != nullptr);
  return std::make_unique<SlackPolicy>(config, costs, std::move(groups));
}

}  // namespace freshline::schedule
