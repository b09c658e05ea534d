// SPDX-License-Identifier: Apache-2.0
#include "featurize/retrieval.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/unit/featurize/count_allocations.h"
#include "tests/unit/featurize/shop_fixture.h"

namespace freshline::featurize {
namespace {

using registry::RowBytes;
using registry::RowView;
using registry::Scalar;
using registry::ValueStatus;
using registry::ValueType;
using test::IsOk;
using test::Visit;

constexpr uint32_t kItems = 0;
constexpr uint32_t kScores = 1;

registry::FeatureGroup NextItems(uint32_t last_events, uint32_t batch_max) {
  registry::FeatureGroup group;
  group.id = base::GroupId{2};
  group.batch_max = batch_max;
  group.features.resize(2);
  group.features[0].output = registry::RetrievalOutput::kItems;
  group.features[1].output = registry::RetrievalOutput::kScores;
  group.layout = registry::RowLayout(
      {ValueType::ListOf(Scalar::kInt64), ValueType::ListOf(Scalar::kFloat64)});
  registry::Retrieval retrieval;
  retrieval.item_column = 0;
  retrieval.category_column = 1;
  retrieval.brand_column = 2;
  retrieval.price_column = 3;
  retrieval.last_events = last_events;
  retrieval.top = 15;
  group.computation = retrieval;
  return group;
}

class RetrievalTest : public testing::Test {
 protected:
  RowView Compute(Visit* visit) {
    const Input input{visit->View(), 0};
    RowBytes* const output = &row_;
    EXPECT_THAT(function_.Compute({&input, 1}, {&output, 1}, scratch_.get()),
                IsOk());
    return {group_.layout, row_};
  }
  void ExpectList(RowView row, const std::vector<ClickedItem>& clicks) {
    const Recommender recommender(table_);
    const Clicks user = clicks;
    RankedList expected;
    recommender.Recommend({&user, 1}, 15, recommender.MakeScratch(1).get(),
                          {&expected, 1});
    ASSERT_EQ(row.status(kItems), ValueStatus::kPresent);
    ASSERT_EQ(row.Int64List(kItems).size(), 15U);
    ASSERT_EQ(row.Float64List(kScores).size(), 15U);
    for (size_t i = 0; i < 15; ++i) {
      EXPECT_EQ(row.Int64List(kItems)[i], expected[i].item);
      EXPECT_EQ(row.Float64List(kScores)[i], expected[i].score);
    }
  }
  int64_t item(uint32_t row) const { return table_->item(row); }

  const std::shared_ptr<const ItemTable> table_ =
      test::OpenShop(test::MakeShop({.items = 1000}));
  const registry::FeatureGroup group_ = NextItems(5, 4);
  const RetrievalFunction function_{group_, table_};
  const std::unique_ptr<Scratch> scratch_ = function_.MakeScratch();
  RowBytes row_;
};

TEST_F(RetrievalTest, RecommendsFromTheNewestEventsBackwards) {
  Visit visit;
  visit.Click(item(1)).Click(item(20)).Click(item(300));
  ExpectList(Compute(&visit), {{item(300), {}}, {item(20), {}}, {item(1), {}}});
}

TEST_F(RetrievalTest, LooksAtTheLastEventsOnly) {
  Visit visit;
  for (uint32_t i = 0; i < 9; ++i) visit.Click(item(i));
  ExpectList(Compute(&visit), {{item(8), {}},
                               {item(7), {}},
                               {item(6), {}},
                               {item(5), {}},
                               {item(4), {}}});
  EXPECT_EQ(function_.events_needed(), 5U);
}

TEST_F(RetrievalTest, TheApproximationIsTheCheapModelWithoutAScan) {
  const RetrievalFunction cheap(group_, table_,
                                RetrievalFunction::Model::kCoVisitation);
  const auto scratch = cheap.MakeScratch();
  Visit visit;
  for (uint32_t i = 0; i < 9; ++i) visit.Click(item(i));
  const Input input{visit.View(), 0};
  EXPECT_EQ(cheap.Shape(input, scratch.get()),
            (base::JobShape{group_.id, 5, 0}));
  RowBytes* const output = &row_;
  ASSERT_THAT(cheap.Compute({&input, 1}, {&output, 1}, scratch.get()), IsOk());

  std::vector<ClickedItem> clicks;
  for (uint32_t i = 9; i-- > 4;) clicks.push_back({item(i), {}});
  const Recommender recommender(table_);
  RankedList expected;
  recommender.CoVisitation(clicks, Recommender::kCheapOwnWeight, 15,
                           recommender.MakeScratch(1).get(), &expected);
  const RowView row(group_.layout, row_);
  ASSERT_EQ(row.Int64List(kItems).size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(row.Int64List(kItems)[i], expected[i].item);
    EXPECT_EQ(row.Float64List(kScores)[i], expected[i].score);
  }
}

TEST_F(RetrievalTest, PlacesUnknownItemsByTheirOwnColumns) {
  Visit visit;
  visit.Click(item(1)).Click(-9, 4, "brand1", 30.0);
  ExpectList(Compute(&visit),
             {{-9, ItemAttributes{4, "brand1", 30.0}}, {item(1), {}}});
}

TEST_F(RetrievalTest, TakesImpossiblePricesForUnknownOnes) {
  Visit visit;
  visit.Click(-9, 4, "brand1", std::nan(""));
  ExpectList(Compute(&visit), {{-9, ItemAttributes{4, "brand1", {}}}});
}

TEST_F(RetrievalTest, IsNullWithoutAnyItem) {
  Visit empty;
  Visit nothing;
  nothing.ClickNothing();
  for (Visit* const visit : {&empty, &nothing}) {
    const RowView row = Compute(visit);
    EXPECT_EQ(row.status(kItems), ValueStatus::kNull);
    EXPECT_EQ(row.status(kScores), ValueStatus::kNull);
  }
}

TEST_F(RetrievalTest, WritesOnlyWhatTheGroupAsksFor) {
  registry::FeatureGroup group = NextItems(5, 1);
  group.features.erase(group.features.begin());
  group.layout = registry::RowLayout({ValueType::ListOf(Scalar::kFloat64)});
  const RetrievalFunction scores_only(group, table_);
  Visit visit;
  visit.Click(item(1));
  const Input input{visit.View(), 0};
  RowBytes* const output = &row_;
  ASSERT_THAT(scores_only.Compute({&input, 1}, {&output, 1},
                                  scores_only.MakeScratch().get()),
              IsOk());
  const RowView row(group.layout, row_);
  EXPECT_EQ(row.Float64List(0).size(), 15U);
}

TEST_F(RetrievalTest, PredictsItsScans) {
  Visit visit;
  const auto shape = [&] {
    return function_.Shape({visit.View(), 0}, scratch_.get());
  };
  EXPECT_EQ(shape(), (base::JobShape{base::GroupId{2}, 0, 0}));
  visit.Click(-1, 100, "a", 10.0).ClickNothing();
  EXPECT_EQ(shape(), (base::JobShape{base::GroupId{2}, 1, 1}));
  visit.Click(-2, 200, "b", 10.0).Click(-3, 300, "c", 10.0);
  EXPECT_EQ(shape(), (base::JobShape{base::GroupId{2}, 3, 3}));
  visit.Click(-4, 400, "d", 10.0).Click(-5, 500, "e", 10.0);
  visit.Click(-6, 600, "f", 10.0);
  EXPECT_EQ(shape(), (base::JobShape{base::GroupId{2}, 5, 4}));
}

TEST_F(RetrievalTest, ComputesABatchWithoutAllocating) {
  Visit visits[4];
  visits[0].Click(item(1)).Click(item(20));
  visits[1].Click(-9, 4, "a brand whose name is not short", 30.0);
  visits[3].Click(item(5)).Click(item(6)).Click(item(7)).Click(item(8));
  std::vector<Input> inputs;
  std::vector<RowBytes> rows(4);
  std::vector<RowBytes*> outputs;
  for (size_t i = 0; i < 4; ++i) {
    inputs.push_back({visits[i].View(), 0});
    outputs.push_back(&rows[i]);
  }
  ASSERT_THAT(function_.Compute(inputs, outputs, scratch_.get()), IsOk());
  const std::vector<RowBytes> first = rows;
  const uint64_t before = test::AllocationCount();
  for (const Input& input : inputs) {
    function_.Shape(input, scratch_.get());
  }
  const absl::Status status =
      function_.Compute(inputs, outputs, scratch_.get());
  const uint64_t after = test::AllocationCount();
  EXPECT_EQ(after - before, 0U);
  EXPECT_THAT(status, IsOk());
  EXPECT_EQ(rows, first);
  for (size_t i = 0; i < 4; ++i) {
    Compute(&visits[i]);
    EXPECT_EQ(row_, first[i]) << "alone or in a batch: " << i;
  }
}

}  // namespace
}  // namespace freshline::featurize
