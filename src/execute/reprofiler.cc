// SPDX-License-Identifier: Apache-2.0
#include "execute/reprofiler.h"

#include <algorithm>

namespace freshline::execute {

using base::MonoTime;

namespace {

// Far apart, so that all of it is a small share of any worker's time.
constexpr base::Duration kPause = std::chrono::milliseconds(250);

}  // namespace

void Reprofiler::Ran(base::RowId row, const base::JobShape& shape,
                     bool asked_for, MonoTime now) {
  const size_t index = base::ToInt(row.group);
  if (index >= groups_.size() || options_.after <= base::Duration::zero()) {
    return;
  }
  Group& group = groups_[index];
  group.samples[std::min<size_t>(shape.scans, kSamples - 1)] = {row, shape};
  if (!asked_for && group.left > 0) return;
  group.left = 0;
  group.idle_since = now;
  CheckAt(now + options_.after);
}

void Reprofiler::Forget(base::RowId row) {
  for (auto& sample : groups_[base::ToInt(row.group)].samples) {
    if (sample.has_value() && sample->row == row) sample.reset();
  }
}

std::optional<Reprofiler::Probe> Reprofiler::Due(MonoTime now) {
  if (now < next_check_) return std::nullopt;
  next_check_ = base::kInfiniteFuture;
  std::optional<Probe> due;
  for (Group& group : groups_) {
    if (group.idle_since == base::kInfiniteFuture) continue;
    const MonoTime idle_at = group.idle_since + options_.after;
    if (now < idle_at) {
      CheckAt(idle_at);
      continue;
    }
    if (due.has_value()) {  // the next one's turn comes after a pause
      CheckAt(now + kPause);
      continue;
    }
    if (group.left == 0) {
      group.left = options_.rounds * static_cast<uint32_t>(kSamples);
    }
    while (group.left > 0 && !due.has_value()) {
      due = group.samples[--group.left % kSamples];
    }
    if (group.left == 0) group.idle_since = now;
    CheckAt(group.left > 0 ? now + kPause : now + options_.after);
  }
  return due;
}

}  // namespace freshline::execute
