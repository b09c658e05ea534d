// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/container/flat_hash_map.h"
#include "bench/score/list_book.h"
#include "bench/score/models.h"
#include "bench/score/queries.h"
#include "bench/score/states.h"

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
// computed no row. Every state is looked up once, however many queries and runs
// of one slice were answered with it; those of RankModels() are taken from
// there.
//
// Not thread-safe. Memory: 32 bytes per state, at most one for each click of
// the slice's users, beside the book; all arguments outlive it.
class StateRanker {
 public:
  // `models` are RankModels() of the same arguments, with the full model.
  StateRanker(const ScoringTrace& trace, const StringPool& pool,
              const QuerySet& set, const std::array<Ranks, kModelRows>& models,
              ListBook* book, const ScoreOptions& options);

  // Ties are broken as RankModels() does. Deterministic, whatever the threads.
  // REQUIRES: served.size() == set.queries.size(), and no state beyond the
  // user's timeline. Cost: that of ListBook, per state that it does not have.
  Ranks Rank(std::span<const ServedState> served);

  size_t states_found() const { return lists_.size(); }

 private:
  // The model's rank where one of its rows is of that very state, else null.
  const uint8_t* FindModel(size_t query, Prefix seen) const;

  const ScoringTrace trace_;
  const StringPool& pool_;
  const QuerySet& set_;
  const std::array<Ranks, kModelRows>& models_;
  const ScoreOptions options_;
  ListBook* const book_;
  absl::flat_hash_map<UserState, const ListBook::List*> lists_;
};

}  // namespace freshline::bench
