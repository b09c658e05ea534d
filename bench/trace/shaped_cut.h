// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/trace/click.h"
#include "bench/trace/slice.h"
#include "bench/trace/workload_shape.h"

namespace freshline::bench {

// Cuts a slice as a workload has it, out of any trace. Deterministic by `seed`:
//
// flash_crowd: the users of (factor - 1) x superpose further copies are there
//   between `seconds` in the slice's middle, with their own history.
// hot_keys: each user takes the key of a rank that is drawn from the Zipf
//   distribution over as many ranks as there are users; users of one rank are
//   one user, whose clicks are all of theirs.
// long_history: each user has floor(Pareto(1, alpha)), at most `max`, clicks
//   more in the warm-up, before its own oldest one: copies of other users',
//   three of each, a second apart. The function looks at 50 clicks and four
//   interests, so that its time's tail ends there.
// first_seen: users are chosen by hash whose clicks before the slice are
//   dropped.
// slow_drift: a user whose first query comes at the share x of the slice has,
//   with the probability x * until, such clicks as above, one of each donor.
// ingest_storm: between `seconds` in the slice's middle, clicks of further
//   copies stand in Slice::storm; their users have no history.
// poster, real, gap, noisy_tenant, mixed_slo: as CutSlice().
//
// Returns: what CutSlice() says; INVALID_ARGUMENT where a crowd or a storm is
// longer than the slice, where there is no history to copy, or where more
// queries than asked for are of users without history already.
absl::StatusOr<Slice> CutShaped(const std::vector<Click>& clicks,
                                const SliceOptions& options,
                                const WorkloadShape& shape, uint64_t seed);

}  // namespace freshline::bench
