// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/random.h"
#include "estimate/estimator.h"
#include "estimate/inline_costs.h"
#include "featurize/feature_function.h"
#include "registry/revision.h"

namespace freshline::execute {

struct ProfileOptions {
  uint32_t runs = 20;      // per number of events and batch size; 0: no profile
  uint32_t batch_max = 1;  // and at most the group's
  uint64_t seed = 1;
};

// Seeds the estimator before the first query: computes rows of `group` on
// made-up events (1, 2, 4, ... up to what the function looks at), alone and in
// batches, and records what each took. `sample_item` draws values for INT64
// columns that name items, so that lookups hit; it may be empty.
// Returns: the first error of a computation, after which the group stays with
// what was learned. Cost: `runs` times the time of a run, per size.
absl::Status ProfileGroup(const registry::FeatureGroup& group,
                          const registry::Source& source,
                          const featurize::FeatureFunction& function,
                          const std::function<int64_t(base::Rng*)>& sample_item,
                          const ProfileOptions& options,
                          const base::Clock& clock,
                          estimate::Estimator* estimator,
                          estimate::InlineCosts* inline_costs);

}  // namespace freshline::execute
