// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "base/clock.h"
#include "base/ids.h"
#include "estimate/inline_costs.h"
#include "execute/row_assessor.h"
#include "featurize/feature_function.h"

namespace freshline::serve {

// The functions of one kind (full or approximate) that are computed while
// answering, with their working memory and what they are known to cost. A
// value of references: all that it names outlives it. Thread-safe as they are.
struct InlineComputer {
  const execute::FunctionSet* functions;
  execute::ScratchPool* scratch;
  estimate::InlineCosts* costs;

  // Null where the group has none of the kind.
  const featurize::FeatureFunction* of(base::GroupId group) const {
    return (*functions)[base::ToInt(group)].get();
  }

  // Computes the row of one key into scratch->row and learns what it cost.
  // REQUIRES: of(group) is not null.
  absl::Status Compute(base::GroupId group, const featurize::Input& input,
                       const base::Clock& clock,
                       execute::ScratchSet* scratch_set) const {
    registry::RowBytes* out = &scratch_set->row;
    const base::MonoTime begin = clock.Now();
    absl::Status computed =
        of(group)->Compute({&input, 1}, {&out, 1}, scratch_set->of(group));
    costs->Observe(group, input.events.size, clock.Now() - begin);
    return computed;
  }
};

}  // namespace freshline::serve
