// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "absl/types/span.h"
#include "freshline/v1/registry.pb.h"
#include "registry/name_table.h"
#include "registry/revision.h"
#include "registry/textproto.h"

// Validates how a feature group is computed. Parts of what it refers to may
// have been refused already; those are unknown here and cause no further
// violation.

namespace freshline::registry {

// The type of a column whose declaration was refused.
inline constexpr Scalar kUnknownScalar{};

// What a group may refer to.
struct GroupContext {
  const Source* source = nullptr;  // null: unknown; 0 in it: unknown
  const NameTable* item_tables = nullptr;
  absl::Span<const ItemTableRef> item_table_refs;  // dim 0: unknown
  Violations* violations = nullptr;

  // The column, or nullopt where it is unknown, which is reported if the
  // source is known.
  std::optional<uint32_t> ResolveColumn(const FieldPlace& place,
                                        const std::string& column) const;
};

// Validates one aggregate. `declared` is the type of the feature, where that
// is valid; `type_place` is where it was declared.
Aggregate CheckAggregate(const FieldPlace& place,
                         const freshline::v1::Aggregate& aggregate,
                         const std::optional<ValueType>& declared,
                         const FieldPlace& type_place,
                         const GroupContext& context);

// Validates the computation of `message` against its features, whose types
// are given by position, and fills `group->computation` and, per feature,
// aggregates and outputs.
// REQUIRES: group->features has the names, in order.
void CheckComputation(const FieldPlace& place,
                      const freshline::v1::FeatureGroup& message,
                      absl::Span<const std::optional<ValueType>> types,
                      const GroupContext& context, FeatureGroup* group);

}  // namespace freshline::registry
