// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/trace/click.h"

// What each query of a replay is asked to predict, and what a model could have
// seen when it was asked.

namespace freshline::bench {

// Clicks in order of time. Those of [queries_begin, queries_end) are sent, a
// query each; the ones before are what a daemon has been warmed up with; the
// ones after are never sent and only tell what was clicked next.
struct ScoringTrace {
  std::span<const Click> clicks;
  size_t queries_begin = 0;
  size_t queries_end = 0;
};

// The part of a user's clicks that a state has seen: the first so many.
using Prefix = uint32_t;

struct Query {
  uint32_t user = 0;  // by order of appearance
  // Scored iff this click is on another item than the user's click before, and
  // the user's next click on another item is within kTruthHorizonUs.
  bool scored = false;
  int64_t truth = 0;        // that next item, where scored
  Prefix fresh = 0;         // with this click
  Prefix without_last = 0;  // without it; runs of one item count as one
  Prefix without_last_two = 0;
  Prefix old_30s = 0;  // clicks at least 30 s older than this one
  Prefix never = 0;    // what the warm-up left
};

inline constexpr int64_t kTruthHorizonUs = 1'800'000'000;

struct QuerySet {
  std::vector<Query> queries;  // of [queries_begin, queries_end)
  // Per user, its clicks as indexes into the trace, oldest first: a Prefix
  // counts these.
  std::vector<std::vector<uint32_t>> timelines;
  uint64_t scored = 0;
};

// Returns: INVALID_ARGUMENT for a range outside the clicks, clicks out of
// order, or more than 2^32 of them.
absl::StatusOr<QuerySet> FindTruths(const ScoringTrace& trace);

}  // namespace freshline::bench
