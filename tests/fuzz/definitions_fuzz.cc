// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/check.h"
#include "registry/validate.h"

// Whatever text comes: a revision whose plans hold only groups that it has, or
// a list of what is wrong.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace registry = freshline::registry;
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = registry::ParseDefinitions(text, "fuzz.textproto");
  if (!parsed.ok()) {
    FRESHLINE_CHECK(absl::IsInvalidArgument(parsed.status()));
    FRESHLINE_CHECK(!parsed.status().message().empty());
    return 0;
  }
  const registry::Revision& revision = **parsed;
  for (const registry::FeatureGroup& group : revision.groups()) {
    FRESHLINE_CHECK(group.source < revision.sources().size());
    FRESHLINE_CHECK(group.batch_max >= 1);
  }
  for (const registry::FeatureService& service : revision.services()) {
    FRESHLINE_CHECK(service.plan != nullptr);
    FRESHLINE_CHECK(service.plan->slo <= service.plan->budget_max);
    for (const freshline::base::GroupId id : service.plan->groups) {
      FRESHLINE_CHECK(freshline::base::ToInt(id) < revision.groups().size());
    }
  }
  return 0;
}
