// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "bench/score/models.h"
#include "bench/score/queries.h"
#include "bench/score/states.h"
#include "featurize/item_table.h"
#include "featurize/recommend.h"

namespace freshline::bench {

// The state of the user that the row had seen which a query was answered with.
struct ServedState {
  // False: a violation or an error, answered by popularity.
  bool in_time = false;
  // Clicks of the query's user, the first so many; 0: no row, popularity.
  Prefix seen = 0;
};

// Ranks what rows of the full model would have answered that had seen this or
// that part of a user's clicks: for runs that know what each row had seen but
// computed no row. Every state is computed once, however many queries and runs
// of one slice were answered with it; those of RankModels() are taken from
// there.
//
// Not thread-safe. Memory: 200 bytes per state, at most one for each click of
// the slice's users; the trace, the pool and the set outlive it.
class StateRanker {
 public:
  // `models` are RankModels() of the same arguments, with the full model.
  StateRanker(const ScoringTrace& trace, const StringPool& pool,
              const QuerySet& set, const std::array<Ranks, kModelRows>& models,
              std::shared_ptr<const featurize::ItemTable> table,
              const ScoreOptions& options);

  // Ties are broken as RankModels() does. Deterministic, whatever the threads.
  // REQUIRES: served.size() == set.queries.size(), and no state beyond the
  // user's timeline. Cost: as RankModels(), per state not yet computed.
  Ranks Rank(std::span<const ServedState> served);

  size_t states_computed() const { return lists_.size(); }

 private:
  struct List {
    std::array<int64_t, kListLength> items{};
    std::array<uint8_t, kListLength> ranks{};  // pessimistic
    uint8_t size = 0;
  };
  // The model's rank where one of its rows is of that very state, else null.
  const uint8_t* FindModel(size_t query, Prefix seen) const;
  void Compute(const std::vector<UserState>& states);
  static List Shorten(const featurize::RankedList& ranked);

  const ScoringTrace trace_;
  const StringPool& pool_;
  const QuerySet& set_;
  const std::array<Ranks, kModelRows>& models_;
  const ScoreOptions options_;
  const featurize::Recommender recommender_;
  absl::flat_hash_map<UserState, uint32_t> index_;
  std::vector<List> lists_;
};

}  // namespace freshline::bench
