// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bench/score/models.h"
#include "bench/score/quality.h"
#include "bench/score/queries.h"

// Hit rates of several runs by user: what is left of a run's ranks when it has
// to be compared with runs of other policies and pooled with other seeds.

namespace freshline::bench {

// The users of a slice with scored queries, and what every run on it shares:
// how many of their truths the rows of no and of infinite compute found.
struct SliceUsers {
  std::vector<int64_t> user;  // ascending
  // One for each of them.
  std::vector<uint32_t> scored, never, infinite;
  friend bool operator==(const SliceUsers&, const SliceUsers&) = default;
};

// REQUIRES: `never` and `infinite` are of `set`, which is of `trace`.
SliceUsers CountUsers(const ScoringTrace& trace, const QuerySet& set,
                      const Ranks& never, const Ranks& infinite);

// How many truths of each user of `users` are within `ranks`.
// REQUIRES: `users` is CountUsers() of the same trace and set.
std::vector<uint32_t> HitsByUser(const ScoringTrace& trace, const QuerySet& set,
                                 const SliceUsers& users, const Ranks& ranks);

// A run of one seed. Views.
struct SeedHits {
  const SliceUsers* users = nullptr;
  std::span<const uint32_t> hits;  // of each of them
};

// The gap that the runs close together, one of each seed, with a percentile
// interval of a bootstrap (Efron 1979) that draws users: all queries of a user,
// over all seeds, go together. nullopt where infinite compute is no better
// than none. A resample without a gap is left out.
// REQUIRES: hits.size() == users->user.size() of every run.
// Cost: resamples * users additions.
std::optional<Estimate> GapClosed(std::span<const SeedHits> runs,
                                  const BootstrapOptions& options);

// The gap closed by `a` less that by `b`, which ran on the same slices: every
// resample takes the same users of both.
// REQUIRES: as above, and a[i].users == b[i].users.
std::optional<Estimate> GapDifference(std::span<const SeedHits> a,
                                      std::span<const SeedHits> b,
                                      const BootstrapOptions& options);

}  // namespace freshline::bench
