// SPDX-License-Identifier: Apache-2.0
#include "bench/score/models.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "bench/score/states.h"

namespace freshline::bench {
namespace {

using featurize::ClickedItem;
using featurize::RankedItem;
using featurize::RankedList;
using featurize::Recommender;

// One use of the full model's list on a state: by that query, in that row.
struct Use {
  uint32_t user = 0;
  Prefix prefix = 0;
  uint32_t query = 0;
  ModelRow row = ModelRow::kFresh;
};

// Uses [begin, end) share one state.
struct State {
  size_t begin = 0;
  size_t end = 0;
};

// Keeps what a model scored: fillers have negative scores.
void DropFillers(RankedList* list) {
  RankedList scored;
  for (const RankedItem& r : *list) {
    if (r.score > 0) scored.push_back(r);
  }
  *list = scored;
}

class ModelRanker {
 public:
  ModelRanker(const ScoringTrace& trace, const StringPool& pool,
              const QuerySet& set, ListBook* book, const ScoreOptions& options)
      : trace_(trace),
        pool_(pool),
        set_(set),
        options_(options),
        book_(book),
        recommender_(book->recommender()) {
    for (Ranks& ranks : ranks_) ranks.assign(set.queries.size(), 0);
  }

  std::array<Ranks, kModelRows> Run() {
    ListUses();
    recommender_.Popular(kListTop, &popular_);
    if (options_.full_model) {
      lists_ = book_->Find(
          states_.size(),
          [this](size_t i, std::vector<ClickedItem>* out) { Clicks(i, out); },
          options_.threads);
    }
    std::vector<std::thread> threads;
    for (int i = 1; i < options_.threads; ++i) {
      threads.emplace_back([this] { Work(); });
    }
    Work();
    for (std::thread& thread : threads) thread.join();
    return std::move(ranks_);
  }

 private:
  Ranks& ranks(ModelRow row) { return ranks_[static_cast<size_t>(row)]; }

  void ListUses() {
    for (uint32_t i = 0; i < set_.queries.size(); ++i) {
      const Query& q = set_.queries[i];
      if (!q.scored) continue;
      uses_.push_back({q.user, q.fresh, i, ModelRow::kFresh});
      if (!options_.full_model) continue;
      uses_.push_back({q.user, q.never, i, ModelRow::kNever});
      uses_.push_back({q.user, q.without_last, i, ModelRow::kWithoutLast});
      uses_.push_back(
          {q.user, q.without_last_two, i, ModelRow::kWithoutLastTwo});
      uses_.push_back({q.user, q.old_30s, i, ModelRow::kOld30s});
    }
    std::sort(uses_.begin(), uses_.end(), [](const Use& a, const Use& b) {
      return std::tie(a.user, a.prefix, a.query, a.row) <
             std::tie(b.user, b.prefix, b.query, b.row);
    });
    for (size_t i = 0; i < uses_.size(); ++i) {
      if (i == 0 || uses_[i].user != uses_[i - 1].user ||
          uses_[i].prefix != uses_[i - 1].prefix) {
        states_.push_back({i, i});
      }
      states_.back().end = i + 1;
    }
  }

  // Of a state.
  void Clicks(size_t state, std::vector<ClickedItem>* out) const {
    const Use& use = uses_[states_[state].begin];
    ListClicks(trace_, pool_, set_, {use.user, use.prefix},
               options_.last_events, out);
  }

  void Work() {
    const std::unique_ptr<featurize::Scratch> scratch =
        recommender_.MakeScratch(1);
    constexpr size_t kStates = 64;
    while (true) {
      // Relaxed: only the number matters; join() publishes the ranks.
      const size_t begin =
          next_state_.fetch_add(kStates, std::memory_order_relaxed);
      if (begin >= states_.size()) return;
      const size_t end = std::min(begin + kStates, states_.size());
      for (size_t i = begin; i < end; ++i) RankState(i, scratch.get());
    }
  }

  void RankState(size_t state, featurize::Scratch* scratch) {
    std::vector<ClickedItem> clicks;
    for (size_t i = states_[state].begin; i < states_[state].end; ++i) {
      const Use& use = uses_[i];
      const int64_t truth = set_.queries[use.query].truth;
      if (options_.full_model) {
        ranks(use.row)[use.query] = lists_[state]->RankOf(truth);
      }
      if (use.row != ModelRow::kFresh) continue;
      if (clicks.empty()) Clicks(state, &clicks);
      RankCheap(use.query, truth, clicks, scratch);
    }
  }

  void RankCheap(uint32_t query, int64_t truth, featurize::Clicks clicks,
                 featurize::Scratch* scratch) {
    ranks(ModelRow::kPopularity)[query] = PessimisticRank(popular_, truth);
    RankedList list;
    recommender_.OwnItems(clicks, kListTop, scratch, &list);
    DropFillers(&list);
    ranks(ModelRow::kOwnItems)[query] = PessimisticRank(list, truth);
    recommender_.CoVisitation(clicks, 0, kListTop, scratch, &list);
    DropFillers(&list);
    ranks(ModelRow::kCoVisitation)[query] = PessimisticRank(list, truth);
    recommender_.CoVisitation(clicks, options_.cheap_own_weight, kListTop,
                              scratch, &list);
    ranks(ModelRow::kCheap)[query] = PessimisticRank(list, truth);
  }

  const ScoringTrace& trace_;
  const StringPool& pool_;
  const QuerySet& set_;
  const ScoreOptions options_;
  ListBook* const book_;
  const Recommender& recommender_;
  RankedList popular_;
  std::vector<Use> uses_;                     // by (user, prefix)
  std::vector<State> states_;                 // in that order
  std::vector<const ListBook::List*> lists_;  // of them
  std::atomic<size_t> next_state_{0};
  std::array<Ranks, kModelRows> ranks_;  // threads write different elements
};

}  // namespace

absl::string_view ModelRowName(ModelRow row) {
  switch (row) {
    case ModelRow::kFresh:
      return "fresh";
    case ModelRow::kNever:
      return "never";
    case ModelRow::kWithoutLast:
      return "without last";
    case ModelRow::kWithoutLastTwo:
      return "without last two";
    case ModelRow::kOld30s:
      return "30 s old";
    case ModelRow::kPopularity:
      return "popularity";
    case ModelRow::kOwnItems:
      return "own items";
    case ModelRow::kCoVisitation:
      return "co-visitation";
    case ModelRow::kCheap:
      return "co-visitation + own items";
  }
  return "";
}

std::array<Ranks, kModelRows> RankModels(const ScoringTrace& trace,
                                         const StringPool& pool,
                                         const QuerySet& set, ListBook* book,
                                         const ScoreOptions& options) {
  return ModelRanker(trace, pool, set, book, options).Run();
}

Ranks RankServed(const QuerySet& set, std::span<const ServedList> served,
                 const Ranks& popularity) {
  FRESHLINE_CHECK(served.size() == set.queries.size());
  Ranks ranks(served.size(), 0);
  for (size_t i = 0; i < served.size(); ++i) {
    if (!set.queries[i].scored) continue;
    const std::vector<int64_t>& items = served[i].items;
    if (!served[i].in_time || items.empty()) {
      ranks[i] = popularity[i];
      continue;
    }
    const auto end = items.begin() + static_cast<std::ptrdiff_t>(
                                         std::min(items.size(), kListLength));
    const auto found = std::find(items.begin(), end, set.queries[i].truth);
    if (found != end) {
      ranks[i] = static_cast<uint8_t>(found - items.begin() + 1);
    }
  }
  return ranks;
}

}  // namespace freshline::bench
