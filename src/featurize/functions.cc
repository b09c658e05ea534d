// SPDX-License-Identifier: Apache-2.0
#include "featurize/functions.h"

#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "featurize/aggregate/aggregate.h"
#include "featurize/embedding.h"
#include "featurize/kernels.h"
#include "featurize/retrieval.h"

namespace freshline::featurize {
namespace {

// Index of the table that a group reads, or nullopt.
std::optional<uint32_t> TableOf(const registry::FeatureGroup& group) {
  if (const auto* e = std::get_if<registry::Embedding>(&group.computation)) {
    return e->item_table;
  }
  if (const auto* r = std::get_if<registry::Retrieval>(&group.computation)) {
    return r->item_table;
  }
  return std::nullopt;
}

std::string Resolve(const std::string& path, const std::string& directory) {
  if (directory.empty() || (!path.empty() && path[0] == '/')) return path;
  return absl::StrCat(directory, "/", path);
}

absl::Status CheckOpen(const registry::FeatureGroup& group, uint32_t table,
                       const ItemTables& tables) {
  if (table < tables.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "feature_group \"", group.name,
      "\": its item table is not open: open the tables of the same revision"));
}

}  // namespace

absl::StatusOr<ItemTables> ItemTables::Open(const registry::Revision& revision,
                                            const std::string& directory) {
  ItemTables tables;
  for (const registry::ItemTableRef& ref : revision.item_tables()) {
    auto table = ItemTable::Open(Resolve(ref.path, directory), ref.dim);
    if (!table.ok()) {
      return absl::Status(table.status().code(),
                          absl::StrCat("item_table \"", ref.name,
                                       "\": ", table.status().message()));
    }
    tables.tables_.push_back(*std::move(table));
  }
  return tables;
}

std::function<int64_t(base::Rng*)> ItemTables::SamplerOf(
    const registry::FeatureGroup& group) const {
  const std::optional<uint32_t> index = TableOf(group);
  if (!index.has_value() || tables_[*index]->items() == 0) return nullptr;
  return [table = tables_[*index]](base::Rng* rng) {
    return table->item(static_cast<uint32_t>(rng->Below(table->items())));
  };
}

absl::StatusOr<std::unique_ptr<FeatureFunction>> MakeFunction(
    const registry::Revision& revision, base::GroupId group,
    const ItemTables& tables) {
  const registry::FeatureGroup& definition = revision.group(group);
  const std::optional<uint32_t> index = TableOf(definition);
  if (!index.has_value()) {
    return std::make_unique<AggregateFunction>(
        definition, revision.sources()[definition.source]);
  }
  FRESHLINE_RETURN_IF_ERROR(CheckOpen(definition, *index, tables));
  const std::shared_ptr<const ItemTable>& table = tables.table(*index);
  if (std::holds_alternative<registry::Retrieval>(definition.computation)) {
    return std::make_unique<RetrievalFunction>(definition, table);
  }
  const uint32_t dim = definition.layout.type(0).dim;
  if (dim != table->dim()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "feature_group \"", definition.name, "\": its feature is a vector of ",
        dim, ", and its item table has ", table->dim(),
        " columns: declare vector_dim: ", table->dim()));
  }
  return std::make_unique<EmbeddingFunction>(definition, table);
}

absl::StatusOr<std::unique_ptr<FeatureFunction>> MakeApproximation(
    const registry::Revision& revision, base::GroupId group,
    const ItemTables& tables) {
  const registry::FeatureGroup& definition = revision.group(group);
  if (!definition.approximate.has_value()) return nullptr;
  const std::optional<uint32_t> index = TableOf(definition);
  FRESHLINE_CHECK(index.has_value());  // the validator saw to it
  FRESHLINE_RETURN_IF_ERROR(CheckOpen(definition, *index, tables));
  return std::make_unique<RetrievalFunction>(
      definition, tables.table(*index),
      RetrievalFunction::Model::kCoVisitation);
}

absl::string_view KernelName() { return SelectKernels().name; }

}  // namespace freshline::featurize
