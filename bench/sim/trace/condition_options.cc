// SPDX-License-Identifier: Apache-2.0
#include "bench/sim/trace/condition_options.h"

#include <memory>
#include <utility>

#include "base/status_macros.h"
#include "staleness/metric_set.h"

namespace freshline::bench {

absl::StatusOr<SliceRunOptions> OptionsOf(const Condition& at, uint64_t seed,
                                          const schedule::PolicyConfig& policy,
                                          const WorkloadShape& shape,
                                          const RunSettings& settings) {
  if (at.approximate && !settings.approximation) {
    return absl::InvalidArgumentError(
        "approximate: the feature group declares no approximation: name "
        "definitions where it does");
  }
  SliceRunOptions options;
  if (at.approximate) options.approximate = settings.approximation;
  options.policy = policy;
  options.workers = settings.workers;
  options.guard = settings.guard;
  options.batch_max = at.batch_max;
  options.slo = base::FromMillis(at.slo_ms);
  options.gap = base::FromMillis(shape.GapOr(at.gap_ms));
  options.seed = seed;
  if (!at.metric.empty()) {
    FRESHLINE_ASSIGN_OR_RETURN(staleness::StalenessMetric metric,
                               staleness::ParseMetric(at.metric));
    options.metric =
        std::make_shared<const staleness::StalenessMetric>(std::move(metric));
  }
  options.reports =
      policy.index.reads_regret ||
      (options.metric != nullptr && options.metric->learned() != nullptr);
  if (shape.kind() == WorkloadKind::kNoisyTenant) {
    options.flow_of = [shape, seed](int64_t user) {
      return TenantOf(user, shape, seed);
    };
  }
  if (shape.kind() == WorkloadKind::kMixedSlo) {
    options.slo_of = [shape, seed, slo = options.slo](int64_t user) {
      return SloOf(user, shape, seed, slo);
    };
  }
  return options;
}

}  // namespace freshline::bench
