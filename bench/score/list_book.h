// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/node_hash_map.h"
#include "base/mutex.h"
#include "featurize/item_table.h"
#include "featurize/recommend.h"

namespace freshline::bench {

inline constexpr size_t kListLength = 20;
// One longer than what is served shows a tie at the cut.
inline constexpr size_t kListTop = kListLength + 1;

// The place of `truth` in `list`, the worst among those of its score; 0 beyond
// kListLength.
uint8_t PessimisticRank(const featurize::RankedList& list, int64_t truth);

// What the full model answers to a sequence of clicks, computed once for all
// who ask: the same clicks give the same list whoever's they are, so that
// slices that are cut from one trace share nearly all of theirs.
//
// Thread-safe. Lists that two threads ask for at once are computed by one of
// them, while the other goes on with the rest.
// Memory: 250 bytes for each distinct sequence that was asked for, kept as long
// as the book. Sequences are told apart by 128 bits of hash.
class ListBook {
 public:
  struct List {
    std::array<int64_t, kListLength> items{};
    std::array<uint8_t, kListLength> ranks{};  // PessimisticRank() of each
    uint8_t size = 0;

    uint8_t RankOf(int64_t truth) const;
  };
  // Puts the clicks of state i, newest first, in place of what `out` holds. Is
  // called by several threads at once.
  using ClicksOf =
      std::function<void(size_t i, std::vector<featurize::ClickedItem>* out)>;

  explicit ListBook(std::shared_ptr<const featurize::ItemTable> table);

  // The lists of states [0, count), which live as long as the book.
  // Cost: about 0.2 ms and thread for each that is new, for 400,000 items.
  std::vector<const List*> Find(size_t count, const ClicksOf& clicks_of,
                                int threads);

  const featurize::Recommender& recommender() const { return recommender_; }
  size_t size() const;

 private:
  using Key = std::pair<uint64_t, uint64_t>;
  struct Entry {
    List list;
    bool done = false;
  };
  class Asker;

  static Key KeyOf(const std::vector<featurize::ClickedItem>& clicks);
  // Whether the caller is the first to ask, and has to compute it.
  bool Claim(const Key& key, Entry** entry);
  void Publish(const std::vector<Entry*>& entries);
  void Await(const std::vector<Entry*>& entries);

  const featurize::Recommender recommender_;
  mutable base::Mutex mu_;
  base::CondVar published_;
  // A list is written by who claimed it and read once it is done; `done` is
  // guarded by mu_.
  absl::node_hash_map<Key, Entry> entries_ ABSL_GUARDED_BY(mu_);
};

}  // namespace freshline::bench
