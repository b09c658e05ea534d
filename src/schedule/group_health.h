// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace freshline::schedule {

// Which feature groups may be tried: groups whose jobs keep failing are
// quarantined, and a group is probed now and then where nothing of it is
// admitted or it is quarantined. At most one probe per group is queued or
// running; the next is due one interval after the last ended, and later where
// it took more than a twentieth of the workers' time.
//
// Thread-safety: none. Cost: O(1). Memory: one record per GroupId seen.
class GroupHealth {
 public:
  GroupHealth(base::Duration probe_interval, uint32_t quarantine_failures)
      : probe_interval_(probe_interval),
        quarantine_failures_(quarantine_failures) {}

  bool quarantined(base::GroupId group) const;

  // A job of the group ended. One success ends a quarantine.
  void JobEnded(base::GroupId group, bool ok);

  bool ProbeDue(base::GroupId group, base::MonoTime now) const;
  void ProbeQueued(base::GroupId group);
  // The queued probe will not run as one.
  void ProbeAbandoned(base::GroupId group);
  void ProbeEnded(base::GroupId group, base::Duration run_time,
                  uint32_t workers, base::MonoTime now);

 private:
  struct Group {
    uint32_t failures = 0;  // jobs in a row
    bool probing = false;
    base::MonoTime next_probe = base::kInfinitePast;
  };
  Group& At(base::GroupId group);
  const Group* Find(base::GroupId group) const;

  const base::Duration probe_interval_;
  const uint32_t quarantine_failures_;
  std::vector<Group> groups_;
};

}  // namespace freshline::schedule
