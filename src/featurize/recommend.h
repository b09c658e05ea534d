// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/fixed_vector.h"
#include "featurize/content.h"
#include "featurize/feature_function.h"
#include "featurize/item_table.h"
#include "featurize/kernels.h"

namespace freshline::featurize {

// One click of a user. Attributes place an item that the table does not know.
struct ClickedItem {
  int64_t item = 0;
  std::optional<ItemAttributes> attributes;
};

// Newest first. What lies beyond Recommender::kClicksMax is not looked at;
// runs of one item count once.
using Clicks = std::span<const ClickedItem>;

struct RankedItem {
  int64_t item = 0;
  double score = 0;
};

// Best first; no two items are equal.
inline constexpr size_t kRankedMax = 100;
using RankedList = base::FixedVector<RankedItem, kRankedMax>;

// Predicts what a user clicks next, from the user's last clicks and an item
// table: up to four interests, each an exact scan of the table, together with
// co-visitation and the user's own items; and the cheaper models that this has
// to beat.
//
// With weights .4^k over the clicks, k = 0 the newest, n the co-visitation:
//   interests: a click joins the interest of highest cosine if that is above .7
//     or there are four, else opens one; their share is their weight;
//   cov(j)   = sum_k .4^k n_kj / (n_k + 5) / sum_k .4^k, newest 10 clicks
//   miss     = sum_k .4^k 5 / (n_k + 5) / sum_k .4^k
//   dense(j) = sum_interests share * softmax(beta * <interest, j>), top 200
//   own(j)   = .7^r, r the recency of j among the user's distinct items
//   score    = cov + (1 + 3 miss) dense + .1 own
// Ties go to the lower item id. A list that ends early is filled with popular
// items, at negative scores. Equal clicks give equal lists, in any batch and on
// any instruction set.
//
// Thread-safety: const methods from any thread, each with its own Scratch that
// MakeScratch() made; they allocate nothing.
class Recommender {
 public:
  static constexpr size_t kClicksMax = 50;
  static constexpr size_t kInterestsMax = 4;
  static constexpr size_t kScanTop = 200;
  static constexpr size_t kNeighbourClicks = 10;

  explicit Recommender(std::shared_ptr<const ItemTable> table,
                       const Kernels& kernels = SelectKernels());
  // The same lists without a scan of the padding behind the table's items,
  // which is never recommended: for those who want lists, not a row's cost.
  static Recommender OfItems(std::shared_ptr<const ItemTable> table);

  const ItemTable& table() const { return *table_; }

  // For batches of at most `users_max`.
  std::unique_ptr<Scratch> MakeScratch(size_t users_max) const;

  // Interests that Recommend() would scan for. A few microseconds.
  size_t CountInterests(Clicks clicks, Scratch* scratch) const;

  // The full model, for all users in one pass over the table. A user without
  // clicks gets the popular items.
  // REQUIRES: out.size() == users.size(), at most users_max; top in
  // [1, kRankedMax].
  void Recommend(std::span<const Clicks> users, size_t top, Scratch* scratch,
                 std::span<RankedList> out) const;

  // Co-visitation rows, each divided by its largest weight, and
  // own_weight * own(j). Microseconds: no scan.
  void CoVisitation(Clicks clicks, double own_weight, size_t top,
                    Scratch* scratch, RankedList* out) const;
  // The always-fresh cheap model: CoVisitation() with the best own_weight.
  static constexpr double kCheapOwnWeight = 0.5;

  // Only the user's own items.
  void OwnItems(Clicks clicks, size_t top, Scratch* scratch,
                RankedList* out) const;
  // Only popularity.
  void Popular(size_t top, RankedList* out) const;

 private:
  class WorkingMemory;
  struct User;

  void Resolve(Clicks clicks, WorkingMemory* memory, User* user) const;
  void AddInterests(WorkingMemory* memory, User* user) const;
  void AddCoVisitation(const User& user, bool by_largest,
                       WorkingMemory* memory) const;
  void AddOwn(const User& user, double weight, WorkingMemory* memory) const;
  void AddDense(const User& user, double factor, WorkingMemory* memory) const;
  void TakeBest(const User& user, size_t top, WorkingMemory* memory,
                RankedList* out) const;
  void FillWithPopular(size_t top, RankedList* out) const;

  const std::shared_ptr<const ItemTable> table_;
  const Kernels& kernels_;
  uint32_t scanned_ = UINT32_MAX;  // rows
};

}  // namespace freshline::featurize
