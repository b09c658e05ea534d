// SPDX-License-Identifier: Apache-2.0
#include "featurize/embedding.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "tests/support/status_matchers.h"
#include "tests/unit/featurize/shop_fixture.h"

namespace freshline::featurize {
namespace {

using registry::RowBytes;
using registry::RowView;
using registry::ValueStatus;
using test::IsOk;
using test::Visit;

constexpr double kDecay = 0.5;

class EmbeddingTest : public testing::Test {
 protected:
  EmbeddingTest() {
    group_.id = base::GroupId{3};
    group_.layout = registry::RowLayout({registry::ValueType::Vector(64)});
    registry::Embedding embedding;
    embedding.last_events = 4;
    embedding.decay = kDecay;
    group_.computation = embedding;
    function_ = std::make_unique<EmbeddingFunction>(group_, table_);
    scratch_ = function_->MakeScratch();
  }
  RowView Compute(Visit* visit) {
    const Input input{visit->View(), 0};
    RowBytes* const output = &row_;
    EXPECT_THAT(function_->Compute({&input, 1}, {&output, 1}, scratch_.get()),
                IsOk());
    return {group_.layout, row_};
  }
  // Unit length, of rows newest first with weights.
  std::vector<float> Mean(const std::vector<std::pair<uint32_t, double>>& of) {
    std::vector<float> mean(64);
    for (const auto& [row, weight] : of) {
      for (size_t d = 0; d < 64; ++d) {
        mean[d] += static_cast<float>(weight) * table_->vector(row)[d];
      }
    }
    Normalise(mean);
    return mean;
  }
  void ExpectVector(RowView row, const std::vector<float>& expected) {
    ASSERT_EQ(row.status(0), ValueStatus::kPresent);
    EXPECT_THAT(row.Vector(0),
                testing::Pointwise(testing::FloatNear(1e-6F), expected));
  }

  const std::shared_ptr<const ItemTable> table_ =
      test::OpenShop(test::MakeShop({}));
  registry::FeatureGroup group_;
  std::unique_ptr<EmbeddingFunction> function_;
  std::unique_ptr<Scratch> scratch_;
  RowBytes row_;
};

TEST_F(EmbeddingTest, WeighsNewerItemsMore) {
  Visit visit;
  visit.Click(table_->item(5)).Click(table_->item(9)).Click(table_->item(2));
  ExpectVector(Compute(&visit), Mean({{2, 1}, {9, .5}, {5, .25}}));
}

TEST_F(EmbeddingTest, LooksAtTheLastEventsOnly) {
  Visit visit;
  for (uint32_t row = 0; row < 6; ++row) visit.Click(table_->item(row));
  ExpectVector(Compute(&visit), Mean({{5, 1}, {4, .5}, {3, .25}, {2, .125}}));
  const Input input{visit.View(), 0};
  const base::JobShape shape = function_->Shape(input, scratch_.get());
  EXPECT_EQ(shape.group, base::GroupId{3});
  EXPECT_EQ(shape.events, 4U);
  EXPECT_EQ(shape.scans, 0U);
}

TEST_F(EmbeddingTest, HoldsUntilTheRetentionEndsAnEventItLooksAt) {
  Visit visit;
  for (uint32_t row = 0; row < 6; ++row) visit.Click(table_->item(row));
  table::EventView events = visit.View();
  EXPECT_EQ(function_->HoldsUntil({events, 0}), table::kHoldsForEver);
  events.retention_us = 100;
  EXPECT_EQ(function_->HoldsUntil({events, 0}), events.event_time_us[2] + 100);
  events.size = 3;
  EXPECT_EQ(function_->HoldsUntil({events, 0}), events.event_time_us[0] + 100);
  events.size = 0;
  EXPECT_EQ(function_->HoldsUntil({events, 0}), table::kHoldsForEver);
}

TEST_F(EmbeddingTest, SkipsWhatHasNoVector) {
  Visit visit;
  visit.Click(table_->item(5)).Click(-1).ClickNothing();
  ExpectVector(Compute(&visit), Mean({{5, 1}}));
}

TEST_F(EmbeddingTest, IsNullWithoutAnyKnownItem) {
  Visit empty;
  EXPECT_EQ(Compute(&empty).status(0), ValueStatus::kNull);
  Visit unknown;
  unknown.Click(-1).ClickNothing();
  EXPECT_EQ(Compute(&unknown).status(0), ValueStatus::kNull);
}

}  // namespace
}  // namespace freshline::featurize
