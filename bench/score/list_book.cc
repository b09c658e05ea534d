// SPDX-License-Identifier: Apache-2.0
#include "bench/score/list_book.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <span>
#include <thread>
#include <utility>

#include "absl/hash/hash.h"
#include "base/random.h"

namespace freshline::bench {

using featurize::ClickedItem;
using featurize::RankedItem;
using featurize::RankedList;

namespace {

constexpr size_t kUsersMax = 16;  // that share a pass over the table

ListBook::List Shorten(const RankedList& ranked) {
  ListBook::List list;
  for (const RankedItem& r : ranked) {
    if (list.size == kListLength) break;
    list.items[list.size] = r.item;
    list.ranks[list.size] = PessimisticRank(ranked, r.item);
    ++list.size;
  }
  return list;
}

}  // namespace

uint8_t PessimisticRank(const RankedList& list, int64_t truth) {
  const auto found =
      std::find_if(list.begin(), list.end(),
                   [&](const RankedItem& r) { return r.item == truth; });
  if (found == list.end()) return 0;
  const auto tied_end = std::find_if(
      found, list.end(),
      [&](const RankedItem& r) { return r.score != found->score; });
  const auto rank = static_cast<size_t>(tied_end - list.begin());
  return rank <= kListLength ? static_cast<uint8_t>(rank) : uint8_t{0};
}

uint8_t ListBook::List::RankOf(int64_t truth) const {
  const auto end = items.begin() + size;
  const auto found = std::find(items.begin(), end, truth);
  return found == end ? uint8_t{0}
                      : ranks[static_cast<size_t>(found - items.begin())];
}

// One thread of a Find().
class ListBook::Asker {
 public:
  explicit Asker(ListBook* book)
      : book_(book),
        scratch_(book->recommender_.MakeScratch(kUsersMax)),
        clicks_(kUsersMax),
        ranked_(kUsersMax) {}

  void Ask(size_t i, const ClicksOf& clicks_of, const List** list) {
    std::vector<ClickedItem>& clicks = clicks_[claimed_.size()];
    clicks_of(i, &clicks);
    Entry* entry = nullptr;
    const bool first = book_->Claim(KeyOf(clicks), &entry);
    *list = &entry->list;
    if (!first) {
      others_.push_back(entry);
      return;
    }
    claimed_.push_back(entry);
    if (claimed_.size() == kUsersMax) Compute();
  }

  // Whoever waits has nothing of its own left that others could wait for.
  void Finish() {
    Compute();
    book_->Await(others_);
  }

 private:
  void Compute() {
    if (claimed_.empty()) return;
    const size_t n = claimed_.size();
    const std::vector<featurize::Clicks> users(
        clicks_.begin(), clicks_.begin() + static_cast<ptrdiff_t>(n));
    book_->recommender_.Recommend(users, kListTop, scratch_.get(),
                                  std::span(ranked_).first(n));
    for (size_t i = 0; i < n; ++i) claimed_[i]->list = Shorten(ranked_[i]);
    book_->Publish(claimed_);
    claimed_.clear();
  }

  ListBook* const book_;
  const std::unique_ptr<featurize::Scratch> scratch_;
  std::vector<std::vector<ClickedItem>> clicks_;  // of the claimed ones
  std::vector<RankedList> ranked_;
  std::vector<Entry*> claimed_;
  std::vector<Entry*> others_;
};

ListBook::ListBook(std::shared_ptr<const featurize::ItemTable> table)
    : recommender_(featurize::Recommender::OfItems(std::move(table))) {}

ListBook::Key ListBook::KeyOf(const std::vector<ClickedItem>& clicks) {
  Key key{clicks.size(), ~uint64_t{clicks.size()}};
  const auto add = [&key](uint64_t word) {
    key.first = base::MixBits(key.first ^ word);
    key.second = base::MixBits(key.second + word * 0x9e3779b97f4a7c15);
  };
  for (const ClickedItem& click : clicks) {
    add(static_cast<uint64_t>(click.item));
    add(click.attributes.has_value() ? 1 : 0);
    if (!click.attributes.has_value()) continue;
    add(static_cast<uint64_t>(click.attributes->category));
    add(std::bit_cast<uint64_t>(click.attributes->price.value_or(-1)));
    add(absl::HashOf(click.attributes->brand));
  }
  return key;
}

bool ListBook::Claim(const Key& key, Entry** entry) {
  base::MutexLock lock(&mu_);
  const auto [it, made] = entries_.try_emplace(key);
  *entry = &it->second;
  return made;
}

void ListBook::Publish(const std::vector<Entry*>& entries) {
  base::MutexLock lock(&mu_);
  for (Entry* entry : entries) entry->done = true;
  published_.NotifyAll();
}

void ListBook::Await(const std::vector<Entry*>& entries) {
  base::MutexLock lock(&mu_);
  for (const Entry* entry : entries) {
    while (!entry->done) published_.Wait(&mu_);
  }
}

std::vector<const ListBook::List*> ListBook::Find(size_t count,
                                                  const ClicksOf& clicks_of,
                                                  int threads) {
  std::vector<const List*> lists(count);
  if (count == 0) return lists;  // most runs find what others asked for
  std::atomic<size_t> next{0};
  const auto work = [&] {
    Asker asker(this);
    while (true) {
      // Relaxed: only the number matters; join() publishes the lists.
      const size_t begin = next.fetch_add(kUsersMax, std::memory_order_relaxed);
      if (begin >= count) break;
      const size_t end = std::min(begin + kUsersMax, count);
      for (size_t i = begin; i < end; ++i) asker.Ask(i, clicks_of, &lists[i]);
    }
    asker.Finish();
  };
  std::vector<std::thread> others;
  for (int i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
  return lists;
}

size_t ListBook::size() const {
  base::MutexLock lock(&mu_);
  return entries_.size();
}

}  // namespace freshline::bench
