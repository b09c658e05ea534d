// SPDX-License-Identifier: Apache-2.0
#include "registry/revision.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/foreign_text.h"
#include "base/status_macros.h"
#include "registry/plan_builder.h"

namespace freshline::registry {
namespace {

template <typename T>
absl::flat_hash_map<std::string, uint32_t> IndexByName(
    const std::vector<T>& items) {
  absl::flat_hash_map<std::string, uint32_t> index;
  for (uint32_t i = 0; i < items.size(); ++i) index.emplace(items[i].name, i);
  return index;
}

template <typename T>
std::optional<uint32_t> FindByName(const std::vector<T>& items,
                                   absl::string_view name) {
  for (uint32_t i = 0; i < items.size(); ++i) {
    if (items[i].name == name) return i;
  }
  return std::nullopt;
}

}  // namespace

std::optional<uint32_t> Source::FindColumn(absl::string_view column) const {
  return FindByName(columns, column);
}

std::optional<uint32_t> FeatureGroup::FindFeature(
    absl::string_view feature) const {
  return FindByName(features, feature);
}

Revision::Revision(Contents contents)
    : contents_(std::move(contents)),
      service_index_(IndexByName(contents_.services)),
      source_index_(IndexByName(contents_.sources)),
      group_index_(IndexByName(contents_.groups)) {}

const FeatureService* Revision::FindService(absl::string_view name) const {
  const auto it = service_index_.find(name);
  return it == service_index_.end() ? nullptr : &contents_.services[it->second];
}

absl::StatusOr<const FeatureService*> Revision::GetService(
    absl::string_view name) const {
  const FeatureService* const found = FindService(name);
  if (found != nullptr) return found;
  std::vector<std::string> known;
  for (const FeatureService& s : services()) known.push_back(s.name);
  return absl::NotFoundError(
      absl::StrCat("feature_service: there is no ", base::Quoted(name),
                   "; known are: ", absl::StrJoin(known, ", ")));
}

const Source* Revision::FindSource(absl::string_view name) const {
  const auto it = source_index_.find(name);
  return it == source_index_.end() ? nullptr : &contents_.sources[it->second];
}

std::optional<uint32_t> Revision::FindSourceIndex(
    absl::string_view name) const {
  const auto it = source_index_.find(name);
  if (it == source_index_.end()) return std::nullopt;
  return it->second;
}

absl::StatusOr<std::shared_ptr<const QueryPlan>> Revision::PlanReferences(
    absl::Span<const std::string> references) const {
  if (references.empty()) {
    return absl::InvalidArgumentError(
        "no feature is asked for: name a feature service, or references "
        "\"group:feature\"");
  }
  PlanBuilder builder(contents_.groups, group_index_);
  for (const std::string& reference : references) {
    FRESHLINE_RETURN_IF_ERROR(builder.Add(reference));
  }
  return std::make_shared<const QueryPlan>(builder.Finish(
      adhoc_flow(), contents_.adhoc_slo, kBudgetPerSlo * contents_.adhoc_slo));
}

}  // namespace freshline::registry
