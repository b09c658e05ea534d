// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/ids.h"
#include "base/time.h"
#include "registry/revision.h"

namespace freshline::registry {

// Most features of one query plan, after "group:*" is expanded.
inline constexpr size_t kPlanFeaturesMax = 256;

// Resolves references into a plan, one reference at a time, so that the caller
// can report every bad one.
//
// Thread-safety: none. The groups and their index outlive the builder.
class PlanBuilder {
 public:
  // `index` is the position of each group's name in `groups`.
  PlanBuilder(absl::Span<const FeatureGroup> groups,
              const absl::flat_hash_map<std::string, uint32_t>& index)
      : groups_(groups), index_(&index) {}

  // Appends the feature "group:feature", or all of "group:*".
  // Returns: NOT_FOUND for an unknown group or feature, with the nearest
  // names; INVALID_ARGUMENT for a malformed or repeated reference, or for more
  // than kPlanFeaturesMax features. The plan is unchanged on error.
  absl::Status Add(absl::string_view reference);

  // REQUIRES: called at most once.
  QueryPlan Finish(base::FlowId flow, base::Duration slo,
                   base::Duration budget_max);

 private:
  absl::Status Append(uint32_t group, uint32_t feature);
  bool Contains(uint32_t group, uint32_t feature) const;
  absl::Status UnknownGroup(absl::string_view reference,
                            absl::string_view group) const;

  absl::Span<const FeatureGroup> groups_;
  const absl::flat_hash_map<std::string, uint32_t>* index_;
  QueryPlan plan_;
};

}  // namespace freshline::registry
