// SPDX-License-Identifier: Apache-2.0
#include "bench/score/state_ranker.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "base/check.h"

namespace freshline::bench {

using featurize::RankedList;

namespace {

constexpr size_t kUsersMax = 16;

const Ranks& RowOf(const std::array<Ranks, kModelRows>& models, ModelRow row) {
  return models[static_cast<size_t>(row)];
}

}  // namespace

StateRanker::StateRanker(const ScoringTrace& trace, const StringPool& pool,
                         const QuerySet& set,
                         const std::array<Ranks, kModelRows>& models,
                         std::shared_ptr<const featurize::ItemTable> table,
                         const ScoreOptions& options)
    : trace_(trace),
      pool_(pool),
      set_(set),
      models_(models),
      options_(options),
      recommender_(std::move(table)) {
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

StateRanker::List StateRanker::Shorten(const RankedList& ranked) {
  List list;
  for (const featurize::RankedItem& r : ranked) {
    if (list.size == kListLength) break;
    list.items[list.size] = r.item;
    list.ranks[list.size] = PessimisticRank(ranked, r.item);
    ++list.size;
  }
  return list;
}

void StateRanker::Compute(const std::vector<UserState>& states) {
  const size_t first = lists_.size();
  lists_.resize(first + states.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    const std::unique_ptr<featurize::Scratch> scratch =
        recommender_.MakeScratch(kUsersMax);
    std::vector<std::vector<featurize::ClickedItem>> clicks(kUsersMax);
    std::vector<RankedList> ranked(kUsersMax);
    while (true) {
      // Relaxed: only the number matters; join() publishes the lists.
      const size_t begin = next.fetch_add(kUsersMax, std::memory_order_relaxed);
      if (begin >= states.size()) return;
      const size_t n = std::min(kUsersMax, states.size() - begin);
      std::vector<featurize::Clicks> users;
      for (size_t i = 0; i < n; ++i) {
        ListClicks(trace_, pool_, set_, states[begin + i], options_.last_events,
                   &clicks[i]);
        users.emplace_back(clicks[i]);
      }
      recommender_.Recommend(users, kListTop, scratch.get(),
                             std::span(ranked).first(n));
      for (size_t i = 0; i < n; ++i) {
        lists_[first + begin + i] = Shorten(ranked[i]);
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 1; i < options_.threads; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
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
    const auto place = static_cast<uint32_t>(lists_.size() + missing.size());
    if (index_.try_emplace(state, place).second) missing.push_back(state);
  }
  Compute(missing);
  Ranks ranks(served.size(), 0);
  for (size_t i = 0; i < served.size(); ++i) {
    const Query& q = set_.queries[i];
    if (!q.scored) continue;
    const Prefix seen = served[i].in_time ? served[i].seen : 0;
    if (const uint8_t* model = FindModel(i, seen); model != nullptr) {
      ranks[i] = *model;
      continue;
    }
    const List& list = lists_[index_.at({q.user, seen})];
    const auto end = list.items.begin() + list.size;
    const auto found = std::find(list.items.begin(), end, q.truth);
    if (found != end) {
      ranks[i] = list.ranks[static_cast<size_t>(found - list.items.begin())];
    }
  }
  return ranks;
}

}  // namespace freshline::bench
