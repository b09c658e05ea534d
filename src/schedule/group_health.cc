// SPDX-License-Identifier: Apache-2.0
#include "schedule/group_health.h"

#include <algorithm>
#include <bit>

namespace freshline::schedule {

namespace {

constexpr int kProbeSpacing = 20;
// Under overload a size may be outbid for a while and be predicted well.
constexpr int kStarvedIntervals = 5;

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

std::vector<base::GroupId> GroupHealth::Quarantined() const {
  std::vector<base::GroupId> all;
  for (uint32_t i = 0; i < groups_.size(); ++i) {
    if (quarantined(base::GroupId{i})) all.push_back(base::GroupId{i});
  }
  return all;
}

size_t GroupHealth::SizeOf(const base::JobShape& shape) {
  if (shape.scans > 0) return std::min(shape.scans, 7U);
  return 8 + std::min(static_cast<size_t>(std::bit_width(shape.events)) / 2,
                      size_t{7});
}

void GroupHealth::JobEnded(const base::JobShape& shape, bool ok,
                           base::MonoTime now) {
  Group& found = At(shape.group);
  found.failures = ok ? 0 : std::min(found.failures + 1, quarantine_failures_);
  found.starved_at[SizeOf(shape)] = now + kStarvedIntervals * probe_interval_;
}

bool GroupHealth::ProbeDue(base::GroupId group, base::MonoTime now) const {
  if (now < next_probe_of_any_) return false;
  const Group* found = Find(group);
  return found == nullptr || (!found->probing && now >= found->next_probe);
}

bool GroupHealth::ProbeDueWhenShed(const base::JobShape& shape,
                                   base::MonoTime now) {
  base::MonoTime& starved_at = At(shape.group).starved_at[SizeOf(shape)];
  if (starved_at == base::kInfiniteFuture) {
    starved_at = now + kStarvedIntervals * probe_interval_;
  }
  return now >= starved_at && ProbeDue(shape.group, now);
}

void GroupHealth::ProbeQueued(base::GroupId group) { At(group).probing = true; }

void GroupHealth::ProbeAbandoned(base::GroupId group) {
  At(group).probing = false;
}

void GroupHealth::ProbeEnded(base::GroupId group, base::Duration run_time,
                             uint32_t workers, base::MonoTime now) {
  Group& found = At(group);
  found.probing = false;
  found.next_probe = now + probe_interval_;
  next_probe_of_any_ = now + run_time * kProbeSpacing / std::max(workers, 1U);
}

}  // namespace freshline::schedule
