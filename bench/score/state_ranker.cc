// SPDX-License-Identifier: Apache-2.0
#include "bench/score/state_ranker.h"

#include <vector>

#include "base/check.h"

namespace freshline::bench {
namespace {

const Ranks& RowOf(const std::array<Ranks, kModelRows>& models, ModelRow row) {
  return models[static_cast<size_t>(row)];
}

}  // namespace

StateRanker::StateRanker(const ScoringTrace& trace, const StringPool& pool,
                         const QuerySet& set,
                         const std::array<Ranks, kModelRows>& models,
                         ListBook* book, const ScoreOptions& options)
    : trace_(trace),
      pool_(pool),
      set_(set),
      models_(models),
      options_(options),
      book_(book) {
  FRESHLINE_CHECK(options.full_model);
  FRESHLINE_CHECK(RowOf(models, ModelRow::kFresh).size() == set.queries.size());
}

const uint8_t* StateRanker::FindModel(size_t query, Prefix seen) const {
  const Query& q = set_.queries[query];
  const auto rank = [&](ModelRow row) { return &RowOf(models_, row)[query]; };
  if (seen == 0) return rank(ModelRow::kPopularity);
  if (seen == q.fresh) return rank(ModelRow::kFresh);
  if (seen == q.never) return rank(ModelRow::kNever);
  if (seen == q.without_last) return rank(ModelRow::kWithoutLast);
  if (seen == q.without_last_two) return rank(ModelRow::kWithoutLastTwo);
  if (seen == q.old_30s) return rank(ModelRow::kOld30s);
  return nullptr;
}

Ranks StateRanker::Rank(std::span<const ServedState> served) {
  FRESHLINE_CHECK(served.size() == set_.queries.size());
  std::vector<UserState> missing;
  for (size_t i = 0; i < served.size(); ++i) {
    const Query& q = set_.queries[i];
    if (!q.scored || !served[i].in_time) continue;
    FRESHLINE_CHECK(served[i].seen <= set_.timelines[q.user].size());
    if (FindModel(i, served[i].seen) != nullptr) continue;
    const UserState state{q.user, served[i].seen};
    if (lists_.try_emplace(state).second) missing.push_back(state);
  }
  const std::vector<const ListBook::List*> found = book_->Find(
      missing.size(),
      [&](size_t i, std::vector<featurize::ClickedItem>* out) {
        ListClicks(trace_, pool_, set_, missing[i], options_.last_events, out);
      },
      options_.threads);
  for (size_t i = 0; i < missing.size(); ++i) lists_[missing[i]] = found[i];
  Ranks ranks(served.size(), 0);
  for (size_t i = 0; i < served.size(); ++i) {
    const Query& q = set_.queries[i];
    if (!q.scored) continue;
    const Prefix seen = served[i].in_time ? served[i].seen : 0;
    const uint8_t* const model = FindModel(i, seen);
    ranks[i] =
        model != nullptr ? *model : lists_.at({q.user, seen})->RankOf(q.truth);
  }
  return ranks;
}

}  // namespace freshline::bench
