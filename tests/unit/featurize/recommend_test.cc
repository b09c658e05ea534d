// SPDX-License-Identifier: Apache-2.0
#include "featurize/recommend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <vector>

#include "base/random.h"
#include "tests/unit/featurize/shop_fixture.h"

namespace freshline::featurize {
namespace {

using test::MakeShop;
using test::OpenShop;

constexpr uint64_t kSeed = 12;
constexpr size_t kTop = 20;
// Fewer items than a scan returns: rounding to 8 bits decides nothing, and the
// formulas can be checked to the last place.
constexpr uint32_t kFewItems = 150;

struct Interest {
  std::vector<double> sum = std::vector<double>(64);
  double weight = 0;
  double Cosine(const std::vector<double>& v) const {
    double dot = 0;
    double squares = 0;
    for (size_t d = 0; d < 64; ++d) {
      dot += v[d] * sum[d];
      squares += sum[d] * sum[d];
    }
    return dot / std::sqrt(squares);
  }
};

// The model as its header states it, in doubles and without haste.
class NaiveRecommender {
 public:
  NaiveRecommender(const ItemTable& table, Clicks clicks) : table_(table) {
    double weight = 1;
    for (const ClickedItem& click : clicks) {
      if (!clicks_.empty() && clicks_.back().item == click.item) continue;
      clicks_.push_back(click);
      weights_.push_back(weight);
      weight *= 0.4;
    }
    for (size_t k = 0; k < std::min<size_t>(10, clicks_.size()); ++k) {
      newest_weight_ += weights_[k];
    }
  }

  std::vector<Interest> Interests() const {
    std::vector<Interest> interests;
    for (size_t k = 0; k < clicks_.size(); ++k) {
      const std::vector<double> v = Vector(clicks_[k]);
      if (v.empty()) continue;
      size_t best = 0;
      for (size_t i = 1; i < interests.size(); ++i) {
        if (interests[i].Cosine(v) > interests[best].Cosine(v)) best = i;
      }
      if (interests.empty() ||
          (interests[best].Cosine(v) <= 0.7 && interests.size() < 4)) {
        best = interests.size();
        interests.emplace_back();
      }
      interests[best].weight += weights_[k];
      for (size_t d = 0; d < 64; ++d) {
        interests[best].sum[d] += weights_[k] * v[d];
      }
    }
    return interests;
  }

  std::map<int64_t, double> Scores() const {
    std::map<int64_t, double> scores;
    double miss = 0;
    for (size_t k = 0; k < std::min<size_t>(10, clicks_.size()); ++k) {
      const auto row = table_.Find(clicks_[k].item);
      const double n = row ? double{table_.total(*row)} : 0;
      miss += weights_[k] * 5 / (n + 5) / newest_weight_;
      for (size_t i = 0; row && i < table_.neighbours(*row).size(); ++i) {
        scores[table_.item(table_.neighbours(*row)[i])] +=
            weights_[k] * double{table_.weights(*row)[i]} / (n + 5) /
            newest_weight_;
      }
    }
    AddDense(1 + 3 * miss, &scores);
    AddOwn(0.1, &scores);
    return scores;
  }

  std::map<int64_t, double> CoVisitation(double own_weight) const {
    std::map<int64_t, double> scores;
    for (size_t k = 0; k < std::min<size_t>(10, clicks_.size()); ++k) {
      const auto row = table_.Find(clicks_[k].item);
      for (size_t i = 0; row && i < table_.neighbours(*row).size(); ++i) {
        scores[table_.item(table_.neighbours(*row)[i])] +=
            weights_[k] * double{table_.weights(*row)[i]} /
            double{table_.weights(*row)[0]} / newest_weight_;
      }
    }
    AddOwn(own_weight, &scores);
    return scores;
  }

 private:
  std::vector<double> Vector(const ClickedItem& click) const {
    std::vector<float> v(64);
    if (const auto row = table_.Find(click.item); row) {
      std::copy_n(table_.vector(*row), 64, v.begin());
    } else if (click.attributes) {
      EncodeContent(table_.projection(), *click.attributes, v.data());
      Normalise(v);
    } else {
      return {};
    }
    return {v.begin(), v.end()};
  }
  void AddDense(double factor, std::map<int64_t, double>* scores) const {
    double all = 0;
    for (const Interest& interest : Interests()) all += interest.weight;
    for (const Interest& interest : Interests()) {
      std::map<int64_t, double> exponentials;
      double sum = 0;
      for (uint32_t row = 0; row < table_.items(); ++row) {
        if (!table_.is_candidate(row)) continue;
        const float* const v = table_.vector(row);
        const double product = interest.Cosine({v, v + 64});
        sum += exponentials[table_.item(row)] = std::exp(
            double{table_.beta()} * (product + double{table_.popularity(row)}));
      }
      for (const auto& [item, exponential] : exponentials) {
        (*scores)[item] += factor * interest.weight / all * exponential / sum;
      }
    }
  }
  void AddOwn(double weight, std::map<int64_t, double>* scores) const {
    std::set<int64_t> seen;
    for (const ClickedItem& click : clicks_) {
      if (!seen.insert(click.item).second) continue;
      (*scores)[click.item] += weight;
      weight *= 0.7;
    }
  }

  const ItemTable& table_;
  std::vector<ClickedItem> clicks_;
  std::vector<double> weights_;
  double newest_weight_ = 0;
};

void ExpectBestOf(const std::map<int64_t, double>& scores,
                  const RankedList& list) {
  std::vector<double> best;
  for (const auto& [item, score] : scores) best.push_back(score);
  std::sort(best.rbegin(), best.rend());
  best.resize(std::min(best.size(), kTop));
  ASSERT_EQ(list.size(), kTop);
  std::set<int64_t> items;
  for (size_t i = 0; i < best.size(); ++i) {
    EXPECT_NEAR(list[i].score, best[i], 1e-4 * best[i] + 1e-7) << "place " << i;
    ASSERT_TRUE(scores.contains(list[i].item));
    EXPECT_NEAR(list[i].score, scores.at(list[i].item), 1e-4 * best[i] + 1e-7);
    EXPECT_TRUE(items.insert(list[i].item).second);
  }
  for (size_t i = best.size(); i < kTop; ++i) {
    EXPECT_LT(list[i].score, 0);
    EXPECT_TRUE(items.insert(list[i].item).second);
  }
}

std::vector<int64_t> ItemsOf(const RankedList& list) {
  std::vector<int64_t> items;
  for (const RankedItem& ranked : list) items.push_back(ranked.item);
  return items;
}

// Clicks with repeats, unknown items, with and without attributes.
std::vector<ClickedItem> RandomClicks(const ItemTable& table, size_t count,
                                      base::Rng* rng) {
  std::vector<ClickedItem> clicks;
  for (size_t i = 0; i < count; ++i) {
    if (!clicks.empty() && rng->Chance(0.3)) {
      clicks.push_back(clicks[clicks.size() - 1 - rng->Below(clicks.size())]);
    } else if (rng->Chance(0.3)) {
      ClickedItem unknown{-1 - static_cast<int64_t>(rng->Below(50)), {}};
      if (rng->Chance(0.7)) {
        unknown.attributes = {static_cast<int64_t>(rng->Below(6)), "brand1",
                              rng->LogNormal(4, 1)};
      }
      clicks.push_back(unknown);
    } else {
      clicks.push_back(
          {table.item(static_cast<uint32_t>(rng->Below(table.items()))), {}});
    }
  }
  return clicks;
}

RankedList One(const Recommender& recommender, Clicks clicks) {
  RankedList list;
  recommender.Recommend({&clicks, 1}, kTop, recommender.MakeScratch(1).get(),
                        {&list, 1});
  return list;
}

TEST(RecommenderTest, ScoresAsItsHeaderStates) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  base::Rng rng(kSeed);
  const Recommender recommender(
      OpenShop(MakeShop({.items = kFewItems, .never_clicked = 0})));
  const auto scratch = recommender.MakeScratch(1);
  std::set<size_t> interests_met;
  for (int round = 0; round < 300; ++round) {
    const auto clicks = RandomClicks(recommender.table(),
                                     1 + rng.Below(rng.Below(50) + 1), &rng);
    SCOPED_TRACE(testing::Message() << "round " << round);
    const NaiveRecommender naive(recommender.table(), clicks);
    const size_t interests = naive.Interests().size();
    EXPECT_EQ(recommender.CountInterests(clicks, scratch.get()), interests);
    interests_met.insert(interests);
    const auto scores = naive.Scores();
    ExpectBestOf(scores, One(recommender, clicks));
    RankedList cheap;
    recommender.CoVisitation(clicks, 0.5, kTop, scratch.get(), &cheap);
    ExpectBestOf(naive.CoVisitation(0.5), cheap);
  }
  EXPECT_THAT(interests_met, testing::IsSupersetOf({1, 2, 3, 4}));
}

TEST(RecommenderTest, IsTheSameInAnyBatchAndOnAnyKernels) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  base::Rng rng(kSeed);
  const auto table = OpenShop(MakeShop({.items = 3000, .never_clicked = 500}));
  const Recommender recommender(table);
  constexpr size_t kUsers = 16;
  std::vector<std::vector<ClickedItem>> clicks;
  for (size_t u = 0; u < kUsers; ++u) {
    clicks.push_back(RandomClicks(*table, u * 2, &rng));
  }
  const std::vector<Clicks> users(clicks.begin(), clicks.end());
  for (const Kernels& kernels : RunnableKernels()) {
    const Recommender other(table, kernels);
    const auto scratch = other.MakeScratch(kUsers);
    std::vector<RankedList> lists(kUsers);
    for (int repeat = 0; repeat < 2; ++repeat) {
      other.Recommend(users, kTop, scratch.get(), lists);
    }
    for (size_t u = 0; u < kUsers; ++u) {
      const RankedList alone = One(recommender, users[u]);
      EXPECT_EQ(ItemsOf(lists[u]), ItemsOf(alone));
      for (size_t i = 0; i < alone.size(); ++i) {
        EXPECT_EQ(lists[u][i].score, alone[i].score);
      }
    }
  }
}

TEST(RecommenderTest, NeverRecommendsWhatIsNoCandidate) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  base::Rng rng(kSeed);
  ItemTableContents shop = MakeShop({.items = 100, .never_clicked = 60});
  const auto table = OpenShop(shop);
  const Recommender recommender(table);
  const auto scratch = recommender.MakeScratch(1);
  for (int round = 0; round < 200; ++round) {
    const auto clicks = RandomClicks(*table, 1 + rng.Below(6), &rng);
    std::set<int64_t> own;
    for (const ClickedItem& click : clicks) own.insert(click.item);
    RankedList cheap;
    recommender.CoVisitation(clicks, 0.5, kTop, scratch.get(), &cheap);
    for (const RankedList& list : {One(recommender, clicks), cheap}) {
      for (const RankedItem& ranked : list) {
        const auto row = table->Find(ranked.item);
        // A user's own items come back whatever the table thinks of them.
        EXPECT_TRUE((row && table->is_candidate(*row)) ||
                    own.contains(ranked.item));
      }
    }
  }
}

TEST(RecommenderTest, IsTheSameWithoutThePadding) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  base::Rng rng(kSeed);
  for (const uint32_t items : {150U, 3001U}) {
    const auto table = OpenShop(MakeShop({.items = items, .padding = 4000}));
    const Recommender whole(table);
    const Recommender of_items = Recommender::OfItems(table);
    for (size_t round = 0; round < 50; ++round) {
      const auto clicks = RandomClicks(*table, round, &rng);
      EXPECT_EQ(ItemsOf(One(of_items, clicks)), ItemsOf(One(whole, clicks)));
    }
  }
}

TEST(RecommenderTest, GivesPopularItemsToStrangers) {
  const Recommender recommender(OpenShop(MakeShop({})));
  const RankedList list = One(recommender, {});
  ASSERT_EQ(list.size(), kTop);
  for (uint32_t i = 0; i < kTop; ++i) {
    EXPECT_EQ(list[i].item, recommender.table().item(i));
  }
  RankedList popular;
  recommender.Popular(kTop, &popular);
  EXPECT_EQ(ItemsOf(popular), ItemsOf(list));
}

TEST(RecommenderTest, CountsARunOfOneItemOnce) {
  const Recommender recommender(OpenShop(MakeShop({})));
  const ItemTable& table = recommender.table();
  const std::vector<ClickedItem> once = {{table.item(3), {}},
                                         {table.item(70), {}}};
  const std::vector<ClickedItem> run = {{table.item(3), {}},
                                        {table.item(3), {}},
                                        {table.item(3), {}},
                                        {table.item(70), {}},
                                        {table.item(70), {}}};
  EXPECT_EQ(ItemsOf(One(recommender, run)), ItemsOf(One(recommender, once)));
}

TEST(RecommenderTest, ListsOwnItemsByRecency) {
  const Recommender recommender(OpenShop(MakeShop({})));
  const auto scratch = recommender.MakeScratch(1);
  const std::vector<ClickedItem> clicks = {
      {-5, {}}, {recommender.table().item(9), {}}, {-5, {}}, {-7, {}}};
  RankedList own;
  recommender.OwnItems(clicks, 4, scratch.get(), &own);
  EXPECT_EQ(ItemsOf(own),
            (std::vector<int64_t>{-5, recommender.table().item(9), -7,
                                  recommender.table().item(0)}));
  EXPECT_DOUBLE_EQ(own[2].score, 0.49);
  EXPECT_LT(own[3].score, 0);
}

TEST(RecommenderTest, PlacesAnUnknownItemByItsAttributes) {
  ItemTableContents shop = MakeShop({.items = 100});
  const auto projection = ViewProjection(shop.projection, shop.hash_seed);
  float* const target = &shop.vectors[99 * 64];
  EncodeContent(projection, {77, "unique", 50.0}, target);
  Normalise({target, 63});
  shop.popularity[99] = -0.01F;
  const Recommender recommender(OpenShop(shop));
  const int64_t twin = recommender.table().item(99);
  const std::vector<ClickedItem> placed = {
      {-1, ItemAttributes{77, "unique", 51.0}}};
  const RankedList list = One(recommender, placed);
  EXPECT_EQ(list[0].item, twin);
  EXPECT_EQ(
      recommender.CountInterests(placed, recommender.MakeScratch(1).get()), 1U);
  const std::vector<ClickedItem> lost = {{-1, std::nullopt}};
  EXPECT_EQ(recommender.CountInterests(lost, recommender.MakeScratch(1).get()),
            0U);
  EXPECT_EQ(One(recommender, lost)[0].item, -1);
}

TEST(RecommenderTest, LooksAtFiftyClicks) {
  const Recommender recommender(OpenShop(MakeShop({})));
  std::vector<ClickedItem> clicks;
  for (uint32_t i = 0; i < 80; ++i) {
    clicks.push_back({recommender.table().item(i), {}});
  }
  EXPECT_EQ(ItemsOf(One(recommender, clicks)),
            ItemsOf(One(recommender, Clicks(clicks).first(50))));
}

}  // namespace
}  // namespace freshline::featurize
