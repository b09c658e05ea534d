// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "base/time.h"
#include "freshline/v1/operations.pb.h"

namespace freshline::daemon {

// What is not as it should be, read off a status. States count while they
// last. Counters of things that were refused, lost or failed count from an
// increase until five minutes have passed without another; a bug counts for
// ever.
//
// Thread-safety: every method from any thread.
// Cost: some microseconds; nothing is kept but one record for each rule.
class Concerns {
 public:
  static constexpr base::Duration kRemembered = std::chrono::minutes(5);

  // A sentence, and the name of the rule that says it, which stays the same
  // while numbers in the sentence change.
  struct Concern {
    std::string rule;
    std::string sentence;
  };

  // All that hold at `now`. `status` is filled but for `degraded`. Two threads
  // may come in another order than that of their times and counts: a count that
  // went down is no increase.
  std::vector<Concern> Look(const v1::GetStatusResponse& status,
                            base::MonoTime now);

 private:
  struct Episode {
    uint64_t before = 0;  // the count when it began
    uint64_t last = 0;
    base::MonoTime grew_at = base::kInfinitePast;
  };

  // Of a counter: how much it grew in the episode that goes on; 0: none does.
  uint64_t Growth(absl::string_view rule, uint64_t count, base::MonoTime now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  base::Mutex mu_;
  std::map<std::string, Episode> episodes_ ABSL_GUARDED_BY(mu_);
};

// Remembers what was said, so that a log has one line where a concern comes
// and one where it goes. Thread-safety: none.
class ConcernChanges {
 public:
  struct Changes {
    std::vector<std::string> came;  // sentences
    std::vector<std::string> went;
  };
  Changes Since(const std::vector<Concerns::Concern>& now);

 private:
  std::map<std::string, std::string> said_;  // sentence by rule
};

}  // namespace freshline::daemon
