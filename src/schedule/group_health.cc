// SPDX-License-Identifier: Apache-2.0
#include "schedule/group_health.h"

#include <algorithm>

namespace freshline::schedule {

namespace {

constexpr int kProbeSpacing = 20;

}  // namespace

GroupHealth::Group& GroupHealth::At(base::GroupId group) {
  const uint32_t index = base::ToInt(group);
  if (index >= groups_.size()) groups_.resize(index + 1);
  return groups_[index];
}

const GroupHealth::Group* GroupHealth::Find(base::GroupId group) const {
  const uint32_t index = base::ToInt(group);
  return index < groups_.size() ? &groups_[index] : nullptr;
}

bool GroupHealth::quarantined(base::GroupId group) const {
  const Group* found = Find(group);
  return found != nullptr && found->failures >= quarantine_failures_;
}

void GroupHealth::JobEnded(base::GroupId group, bool ok) {
  Group& found = At(group);
  found.failures = ok ? 0 : std::min(found.failures + 1, quarantine_failures_);
}

bool GroupHealth::ProbeDue(base::GroupId group, base::MonoTime now) const {
  const Group* found = Find(group);
  return found == nullptr || (!found->probing && now >= found->next_probe);
}

void GroupHealth::ProbeQueued(base::GroupId group) { At(group).probing = true; }

void GroupHealth::ProbeAbandoned(base::GroupId group) {
  At(group).probing = false;
}

void GroupHealth::ProbeEnded(base::GroupId group, base::Duration run_time,
                             uint32_t workers, base::MonoTime now) {
  Group& found = At(group);
  found.probing = false;
  const base::Duration spacing =
      run_time * kProbeSpacing / std::max(workers, 1U);
  found.next_probe = now + std::max(probe_interval_, spacing);
}

}  // namespace freshline::schedule
