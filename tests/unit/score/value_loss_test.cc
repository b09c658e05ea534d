// SPDX-License-Identifier: Apache-2.0
#include "bench/score/value_loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/support/aisle_trace.h"

namespace freshline::bench {
namespace {

using ::testing::HasSubstr;

class ValueLossTest : public ::testing::Test {
 protected:
  void SetUp() override {
    clicks_ = test::WalkAisles(1, &pool_);
    const size_t begin = clicks_.size() / 2;
    book_ = std::make_unique<ListBook>(
        test::TrainTable(std::span(clicks_).first(begin), pool_));
    trace_ = {clicks_, begin, clicks_.size()};
    set_ = *FindTruths(trace_);
    models_ = RankModels(trace_, pool_, set_, book_.get(), {});
    ranker_ = std::make_unique<StateRanker>(trace_, pool_, set_, models_,
                                            book_.get(), ScoreOptions{});
    options_.queries_min = 10;
  }
  const Ranks& Fresh() const {
    return models_[static_cast<size_t>(ModelRow::kFresh)];
  }

  StringPool pool_;
  std::vector<Click> clicks_;
  std::unique_ptr<ListBook> book_;
  ScoringTrace trace_;
  QuerySet set_;
  std::array<Ranks, kModelRows> models_;
  std::unique_ptr<StateRanker> ranker_;
  ValueLossOptions options_;
};

TEST_F(ValueLossTest, MeasuresWhatListsLose) {
  options_.shrinkage = 0;
  options_.missing_max = 1;
  const auto curve = MeasureValueLoss(set_, Fresh(), options_, ranker_.get());
  ASSERT_TRUE(curve.ok()) << curve.status();
  EXPECT_EQ(curve->queries, set_.scored);
  // All cells together lose what hit rates differ by.
  std::vector<ServedState> served;
  for (const Query& q : set_.queries) served.push_back({true, q.fresh - 1});
  const Ranks without = ranker_->Rank(served);
  double lost = 0;
  uint64_t scored = 0;
  for (size_t i = 0; i < set_.queries.size(); ++i) {
    if (!set_.queries[i].scored) continue;
    ++scored;
    lost += static_cast<double>(Fresh()[i] > 0) - (without[i] > 0);
  }
  double sum = 0;
  uint64_t queries = 0;
  for (const ValueLossCurve::Bucket& bucket : curve->buckets) {
    sum +=
        bucket.cells[0].measured * static_cast<double>(bucket.cells[0].queries);
    queries += bucket.cells[0].queries;
  }
  EXPECT_EQ(queries, scored);
  EXPECT_NEAR(sum, lost, 1e-9);
  EXPECT_GT(lost, 0);
}

TEST_F(ValueLossTest, NeverFallsWithWhatIsMissing) {
  options_.missing_max = 8;
  const auto curve = MeasureValueLoss(set_, Fresh(), options_, ranker_.get());
  ASSERT_TRUE(curve.ok()) << curve.status();
  for (const ValueLossCurve::Bucket& bucket : curve->buckets) {
    for (size_t j = 0; j < bucket.cells.size(); ++j) {
      EXPECT_GE(bucket.cells[j].loss, 0);
      if (j > 0) {
        EXPECT_GE(bucket.cells[j].loss, bucket.cells[j - 1].loss);
      }
    }
  }
  // Nobody lacks more than all clicks.
  EXPECT_EQ(curve->buckets[0].cells.size(), 1U);
  EXPECT_EQ(curve->buckets[1].cells.size(), 2U);
  EXPECT_THAT(curve->Text("of a test"),
              HasSubstr("freshline-value-curve 1\n# of a test\n"));
}

TEST_F(ValueLossTest, ShrinksSmallCellsTowardsAll) {
  options_.missing_max = 1;
  options_.shrinkage = 1e9;
  const auto curve = MeasureValueLoss(set_, Fresh(), options_, ranker_.get());
  ASSERT_TRUE(curve.ok()) << curve.status();
  for (const ValueLossCurve::Bucket& bucket : curve->buckets) {
    EXPECT_NEAR(bucket.cells[0].loss, curve->buckets[0].cells[0].loss, 1e-3);
  }
}

TEST_F(ValueLossTest, SaysWhatItNeeds) {
  options_.queries_min = 1'000'000;
  EXPECT_THAT(
      std::string(MeasureValueLoss(set_, Fresh(), options_, ranker_.get())
                      .status()
                      .message()),
      HasSubstr("1000000 are needed"));
  options_.queries_min = 10;
  options_.missing_max = 0;
  EXPECT_FALSE(MeasureValueLoss(set_, Fresh(), options_, ranker_.get()).ok());
}

}  // namespace
}  // namespace freshline::bench
