// SPDX-License-Identifier: Apache-2.0
#include "registry/plan_builder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/foreign_text.h"
#include "base/status_macros.h"
#include "registry/nearest_name.h"

namespace freshline::registry {
namespace {

// The index of `value`, which is appended where it is new.
template <typename T>
uint32_t IndexOf(const T& value, std::vector<T>* values) {
  const auto it = std::find(values->begin(), values->end(), value);
  const auto index = static_cast<uint32_t>(it - values->begin());
  if (it == values->end()) values->push_back(value);
  return index;
}

std::vector<std::string> FeatureNames(const FeatureGroup& group) {
  std::vector<std::string> names;
  names.reserve(group.features.size());
  for (const Feature& feature : group.features) names.push_back(feature.name);
  return names;
}

}  // namespace

absl::Status PlanBuilder::Add(absl::string_view reference) {
  const size_t colon = reference.find(':');
  if (colon == absl::string_view::npos || colon == 0 ||
      colon + 1 == reference.size() ||
      reference.find(':', colon + 1) != absl::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(base::Quoted(reference),
                     " is not a reference: write \"group:feature\", or "
                     "\"group:*\" for every feature of the group"));
  }
  const absl::string_view group_name = reference.substr(0, colon);
  const absl::string_view feature_name = reference.substr(colon + 1);
  const auto found = index_->find(group_name);
  if (found == index_->end()) return UnknownGroup(reference, group_name);
  const FeatureGroup& group = groups_[found->second];
  if (feature_name != "*") {
    const auto feature = group.FindFeature(feature_name);
    if (feature.has_value()) return Append(found->second, *feature);
    return absl::NotFoundError(
        absl::StrCat(base::Quoted(reference), ": feature group ", group.name,
                     " has no such feature",
                     SuggestName(feature_name, FeatureNames(group))));
  }
  for (uint32_t i = 0; i < group.features.size(); ++i) {
    if (Contains(found->second, i)) {
      return absl::InvalidArgumentError(
          absl::StrCat(base::Quoted(reference), " repeats \"", group.name, ":",
                       group.features[i].name, "\": name each feature once"));
    }
  }
  if (plan_.features.size() + group.features.size() > kPlanFeaturesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(base::Quoted(reference), " makes more than ",
                     kPlanFeaturesMax, " features: split them"));
  }
  for (uint32_t i = 0; i < group.features.size(); ++i) {
    FRESHLINE_RETURN_IF_ERROR(Append(found->second, i));
  }
  return absl::OkStatus();
}

absl::Status PlanBuilder::Append(uint32_t group, uint32_t feature) {
  const FeatureGroup& owner = groups_[group];
  std::string name =
      absl::StrCat(owner.name, ":", owner.features[feature].name);
  if (Contains(group, feature)) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", name, "\" is repeated: name each feature once"));
  }
  if (plan_.features.size() == kPlanFeaturesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", name, "\" makes more than ", kPlanFeaturesMax,
                     " features: split them"));
  }
  const base::GroupId id{group};
  plan_.features.push_back({id, feature});
  plan_.group_index.push_back(IndexOf(id, &plan_.groups));
  plan_.names.push_back(std::move(name));
  IndexOf(owner.entity, &plan_.entities);
  return absl::OkStatus();
}

bool PlanBuilder::Contains(uint32_t group, uint32_t feature) const {
  return std::any_of(
      plan_.features.begin(), plan_.features.end(), [&](const FeatureRef& ref) {
        return ref.group == base::GroupId{group} && ref.feature == feature;
      });
}

absl::Status PlanBuilder::UnknownGroup(absl::string_view reference,
                                       absl::string_view group) const {
  std::vector<std::string> names;
  names.reserve(groups_.size());
  for (const FeatureGroup& known : groups_) names.push_back(known.name);
  return absl::NotFoundError(absl::StrCat(base::Quoted(reference),
                                          ": unknown feature group",
                                          SuggestName(group, names)));
}

QueryPlan PlanBuilder::Finish(base::FlowId flow, base::Duration slo,
                              base::Duration budget_max) {
  plan_.flow = flow;
  plan_.slo = slo;
  plan_.budget_max = budget_max;
  return std::move(plan_);
}

}  // namespace freshline::registry
