// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/trace/click.h"

namespace freshline::bench {

struct SliceOptions {
  int64_t window_start_us = 0;  // of the trace's window, from which copies come
  int64_t window_end_us = 0;
  int64_t start_us = 0;  // of the slice that is replayed
  int64_t end_us = 0;
  // How many times the trace's own rate: whole copies are other slices of the
  // window, moved in time, their users renamed; a fraction keeps a share of
  // the users by hash. Gaps between a user's clicks stay what they are.
  double superpose = 1;
  // Number of the first copy: slices of other copies have other users.
  int64_t first_copy = 0;
  int64_t warm_up_us = 3'600'000'000;  // of history before the slice
};

// What one replay sends, in order of time. Times count from the slice's start.
struct Slice {
  std::vector<Click> warm_up;  // times < 0: clicks of the slice's users only
  std::vector<Click> queries;  // one query per click
  // What those users clicked in the half hour after: never sent, it tells what
  // came next.
  std::vector<Click> later;
  uint64_t users = 0;
  // Clicks of yet other users that are pushed, and no query follows.
  std::vector<Click> storm;
};

// Cuts a slice out of `clicks` (a whole trace in order of time, history and
// window), superposed as asked. A copied user is another user, with the same
// history before its slice. Deterministic.
//
// A copy is cut elsewhere in the window while there is room for it; else it
// wraps: what follows the window's end is cut from its start, of users of its
// own. Their history still ends where the slice starts, and what follows the
// first part still begins where the slice ends; only these two gaps grow.
// Returns: INVALID_ARGUMENT naming the option, for a slice outside the window,
// or a factor that is not in (0, 1000].
absl::StatusOr<Slice> CutSlice(const std::vector<Click>& clicks,
                               const SliceOptions& options);

}  // namespace freshline::bench
