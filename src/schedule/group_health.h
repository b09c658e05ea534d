// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "base/job_shape.h"
#include "base/time.h"

namespace freshline::schedule {

// Which feature groups may be tried, and which must be.
//
// A group whose jobs keep failing is quarantined: only probes of it run until
// one succeeds. A probe is a job that runs whatever is predicted of it, so that
// no prediction locks work out for good: of a quarantined group, of a row that
// cannot end in time by any prediction, and of a size of row that is asked for
// and shed while nothing of that size runs. Sizes are told apart as coarsely
// as the estimator forgets them: by scans, or by events where nothing is
// scanned. Probes are bounded: one at a time per group, an interval apart, and
// all of them together a twentieth of the workers' time.
//
// Thread-safety: none. Cost: O(1). Memory: one record per GroupId seen.
class GroupHealth {
 public:
  GroupHealth(base::Duration probe_interval, uint32_t quarantine_failures)
      : probe_interval_(probe_interval),
        quarantine_failures_(quarantine_failures) {}

  bool quarantined(base::GroupId group) const;
  // All that are, in the order of their ids.
  std::vector<base::GroupId> Quarantined() const;

  // A job of the group ended. One success ends a quarantine.
  void JobEnded(const base::JobShape& shape, bool ok, base::MonoTime now);

  // A quarantined or hopeless row may be probed.
  bool ProbeDue(base::GroupId group, base::MonoTime now) const;
  // The same, of a row that was shed: only where no job of its size has ended
  // for five intervals, since the first was shed.
  bool ProbeDueWhenShed(const base::JobShape& shape, base::MonoTime now);

  void ProbeQueued(base::GroupId group);
  // The queued probe will not run as one.
  void ProbeAbandoned(base::GroupId group);
  void ProbeEnded(base::GroupId group, base::Duration run_time,
                  uint32_t workers, base::MonoTime now);

 private:
  static constexpr size_t kSizes = 16;

  struct Group {
    Group() { starved_at.fill(base::kInfiniteFuture); }
    uint32_t failures = 0;  // jobs in a row
    bool probing = false;
    base::MonoTime next_probe = base::kInfinitePast;
    std::array<base::MonoTime, kSizes> starved_at;
  };
  static size_t SizeOf(const base::JobShape& shape);
  Group& At(base::GroupId group);
  const Group* Find(base::GroupId group) const;

  const base::Duration probe_interval_;
  const uint32_t quarantine_failures_;
  std::vector<Group> groups_;
  base::MonoTime next_probe_of_any_ = base::kInfinitePast;
};

}  // namespace freshline::schedule
