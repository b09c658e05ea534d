// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/strings/string_view.h"
#include "bench/score/list_book.h"
#include "bench/score/queries.h"

// What models would have answered, computed after a replay so that scoring
// steals no time from it.

namespace freshline::bench {

// A model and the state of the user that it sees.
enum class ModelRow : uint8_t {
  kFresh,           // the full model on every click: infinite compute
  kNever,           // the full model, frozen after the warm-up
  kWithoutLast,     // the full model without the last item clicked
  kWithoutLastTwo,  // "
  kOld30s,          // the full model on clicks at least 30 s old
  kPopularity,
  kOwnItems,      // the user's own items, fresh
  kCoVisitation,  // co-visitation alone, fresh
  kCheap,         // co-visitation and own items, fresh: needs no scheduling
};
inline constexpr size_t kModelRows = 9;

// "fresh", "never", "without last", ...
absl::string_view ModelRowName(ModelRow row);

// Place of the truth in a list of 20, from 1; 0: missed, or not scored.
// One per query.
using Ranks = std::vector<uint8_t>;

struct ScoreOptions {
  int threads = 2;
  // Clicks that a state keeps, repeats included, as the retrieval's
  // definition has it (last_events).
  uint32_t last_events = 50;
  // The weight that serves the cheap model best, or nearly, on generated and
  // on real clicks: what has to be beaten gets its due.
  double cheap_own_weight = 0.5;
  // False: the rows of the full model stay 0, and nothing is scanned.
  bool full_model = true;
};

// Ranks of every model on every query. Where the truth ties with others it
// gets the worst place among them, beyond the list too. The full model's lists
// are those of `book`, which computes what it does not have yet.
// The clicks' strings are in `pool`. Deterministic, whatever the threads.
std::array<Ranks, kModelRows> RankModels(const ScoringTrace& trace,
                                         const StringPool& pool,
                                         const QuerySet& set, ListBook* book,
                                         const ScoreOptions& options);

// What one query was answered with, as logged by the client.
struct ServedList {
  // False: a violation or an error. It had no features, so popularity answers,
  // as it does for an empty list.
  bool in_time = false;
  std::vector<int64_t> items;  // best first; the first 20 count
};

// Ranks of what was served. REQUIRES: served.size() == set.queries.size();
// `popularity` is that row of RankModels().
Ranks RankServed(const QuerySet& set, std::span<const ServedList> served,
                 const Ranks& popularity);

}  // namespace freshline::bench
