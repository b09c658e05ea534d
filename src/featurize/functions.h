// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/random.h"
#include "featurize/feature_function.h"
#include "featurize/item_table.h"
#include "registry/revision.h"

namespace freshline::featurize {

// The item tables of one revision, opened. Copies share them. Thread-safe
// once opened.
class ItemTables {
 public:
  ItemTables() = default;

  // Opens every table that the revision names; relative paths start at
  // `directory`. Returns: the first error, naming the table and its file.
  static absl::StatusOr<ItemTables> Open(const registry::Revision& revision,
                                         const std::string& directory);

  // REQUIRES: an index into Revision::item_tables() of the revision opened.
  const std::shared_ptr<const ItemTable>& table(uint32_t index) const {
    return tables_[index];
  }
  size_t size() const { return tables_.size(); }

  // Draws item ids that the table of an embedding or retrieval group knows,
  // uniformly; empty for a group without a table, or with an empty one.
  std::function<int64_t(base::Rng*)> SamplerOf(
      const registry::FeatureGroup& group) const;

 private:
  std::vector<std::shared_ptr<const ItemTable>> tables_;
};

// The function that computes the rows of one group. It holds what it needs of
// the revision and of the tables.
// Returns: INVALID_ARGUMENT naming the group where the tables do not fit it.
absl::StatusOr<std::unique_ptr<FeatureFunction>> MakeFunction(
    const registry::Revision& revision, base::GroupId group,
    const ItemTables& tables);

// The function that computes approximate rows of the group; null where its
// definition has none. Errors as MakeFunction().
absl::StatusOr<std::unique_ptr<FeatureFunction>> MakeApproximation(
    const registry::Revision& revision, base::GroupId group,
    const ItemTables& tables);

// Name of the instruction set that scans use: "avx512-vnni", "avx2" or
// "portable".
absl::string_view KernelName();

}  // namespace freshline::featurize
