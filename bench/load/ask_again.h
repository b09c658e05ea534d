// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/time.h"

namespace freshline::bench {

// A query of an impatient caller, encoded. The bytes must outlive the run.
struct ImpatientQuery {
  base::Duration offset{};  // when it is sent
  absl::string_view query;  // a GetFeaturesRequest
  absl::string_view again;  // what is sent where the answer was stale
};

struct AskAgainOptions {
  std::string target;
  std::string served_feature;  // whose freshness counts
  int channels = 8;
  base::Duration pause = std::chrono::milliseconds(2);  // before each again
  uint32_t again_max = 200;
  // Calls are given up after this, and asked again.
  base::Duration timeout = std::chrono::seconds(1);
};

// Queries that were sent in one second of the run.
struct AskAgainSecond {
  uint64_t queries = 0;
  uint64_t fresh_at_first = 0;
  uint64_t fresh_in_the_end = 0;
  uint64_t again = 0;   // questions that were asked again
  uint64_t errors = 0;  // calls that ended without OK

  double fresh_share() const {
    return queries == 0 ? 0
                        : static_cast<double>(fresh_at_first) /
                              static_cast<double>(queries);
  }
};

// Sends queries at their own times as ordinary callers do (threads of normal
// class, no budget, no overhead), and asks again at once where an answer is not
// fresh: those who turn a short disturbance into a storm that outlives it.
// Returns a record for every second up to the last offset, in order.
// Returns: UNAVAILABLE naming the target where it is not reached within 10 s.
// Ends again_max times (timeout + pause) after the last offset at the latest.
// REQUIRES: queries ascend by offset. Cost: a thread beside the caller's.
absl::StatusOr<std::vector<AskAgainSecond>> RunAskAgain(
    const AskAgainOptions& options, absl::Span<const ImpatientQuery> queries);

// The seconds from `end` on until the share that is fresh at first is that of
// the seconds [1, calm), less `tolerance`, and stays so to the last whole
// second; -1: never. Seconds without queries say nothing. REQUIRES: 1 < calm <=
// end < seconds.size().
int64_t SecondsToRecover(absl::Span<const AskAgainSecond> seconds, size_t calm,
                         size_t end, double tolerance);

}  // namespace freshline::bench
