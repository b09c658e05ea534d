// SPDX-License-Identifier: Apache-2.0
#include "bench/score/list_book.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <thread>
#include <vector>

#include "base/random.h"
#include "tests/support/aisle_trace.h"

namespace freshline::bench {
namespace {

using featurize::ClickedItem;

class ListBookTest : public ::testing::Test {
 protected:
  ListBookTest() : clicks_(test::WalkAisles(1, &pool_)) {
    table_ =
        test::TrainTable(std::span(clicks_).first(clicks_.size() / 2), pool_);
  }
  // Sequences of the trace's items, many of them alike.
  std::vector<std::vector<ClickedItem>> Draw(uint64_t seed, size_t count) {
    base::Rng rng(seed);
    std::vector<std::vector<ClickedItem>> states(count);
    for (auto& state : states) {
      const size_t length = 1 + rng.Below(3);
      for (size_t i = 0; i < length; ++i) {
        state.push_back({clicks_[rng.Below(20)].item, std::nullopt});
      }
    }
    return states;
  }
  static ListBook::ClicksOf Of(
      const std::vector<std::vector<ClickedItem>>& states) {
    return [&states](size_t i, std::vector<ClickedItem>* out) {
      *out = states[i];
    };
  }

  StringPool pool_;
  std::vector<Click> clicks_;
  std::shared_ptr<const featurize::ItemTable> table_;
};

TEST_F(ListBookTest, AnswersAsTheModelDoes) {
  ListBook book(table_);
  const auto states = Draw(1, 300);
  const auto lists = book.Find(states.size(), Of(states), 2);
  const auto scratch = book.recommender().MakeScratch(1);
  for (size_t i = 0; i < states.size(); ++i) {
    featurize::RankedList expected;
    const featurize::Clicks clicks(states[i]);
    book.recommender().Recommend({&clicks, 1}, kListTop, scratch.get(),
                                 {&expected, 1});
    for (const featurize::RankedItem& item : expected) {
      EXPECT_EQ(lists[i]->RankOf(item.item),
                PessimisticRank(expected, item.item));
    }
    EXPECT_EQ(lists[i]->RankOf(-1), 0);
  }
}

TEST_F(ListBookTest, ComputesEqualClicksOnceForAllWhoAsk) {
  ListBook book(table_);
  const auto states = Draw(2, 500);
  std::vector<std::vector<const ListBook::List*>> found(4);
  std::vector<std::thread> askers;
  for (auto& lists : found) {
    askers.emplace_back(
        [&] { lists = book.Find(states.size(), Of(states), 2); });
  }
  for (std::thread& asker : askers) asker.join();
  for (const auto& lists : found) EXPECT_EQ(lists, found[0]);
  const std::set<const ListBook::List*> distinct(found[0].begin(),
                                                 found[0].end());
  EXPECT_EQ(book.size(), distinct.size());
  EXPECT_LT(distinct.size(), states.size());
  for (const ListBook::List* list : distinct) EXPECT_EQ(list->size, 20);
}

// An item that the table does not know stands where its attributes say.
TEST_F(ListBookTest, TellsAttributesApart) {
  ListBook book(table_);
  std::vector<std::vector<ClickedItem>> states;
  for (const char* brand : {"one", "two"}) {
    for (const int64_t category : {1, 2}) {
      for (const std::optional<double> price :
           {std::optional<double>(), std::optional<double>(3)}) {
        states.push_back(
            {{1'000'000, featurize::ItemAttributes{category, brand, price}}});
      }
    }
  }
  states.push_back({{1'000'000, std::nullopt}});
  states.push_back({});
  book.Find(states.size(), Of(states), 1);
  EXPECT_EQ(book.size(), states.size());
}

}  // namespace
}  // namespace freshline::bench
