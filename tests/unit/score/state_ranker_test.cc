// SPDX-License-Identifier: Apache-2.0
#include "bench/score/state_ranker.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "base/random.h"
#include "tests/support/aisle_trace.h"

namespace freshline::bench {
namespace {

class StateRankerTest : public ::testing::Test {
 protected:
  void Walk(uint64_t seed) {
    clicks_ = test::WalkAisles(seed, &pool_);
    const size_t begin = clicks_.size() / 2;
    book_ = std::make_unique<ListBook>(
        test::TrainTable(std::span(clicks_).first(begin), pool_));
    trace_ = {clicks_, begin, clicks_.size()};
    set_ = *FindTruths(trace_);
    models_ = RankModels(trace_, pool_, set_, book_.get(), {});
  }
  StateRanker MakeRanker() const {
    return {trace_, pool_, set_, models_, book_.get(), {}};
  }
  std::vector<ServedState> Served(Prefix Query::*prefix) const {
    std::vector<ServedState> served;
    for (const Query& q : set_.queries) served.push_back({true, q.*prefix});
    return served;
  }
  const Ranks& Row(ModelRow row) const {
    return models_[static_cast<size_t>(row)];
  }

  StringPool pool_;
  std::vector<Click> clicks_;
  std::unique_ptr<ListBook> book_;
  ScoringTrace trace_;
  QuerySet set_;
  std::array<Ranks, kModelRows> models_;
};

TEST_F(StateRankerTest, AgreesWithTheRowsOfTheModelsWithoutComputing) {
  Walk(1);
  StateRanker ranker = MakeRanker();
  EXPECT_EQ(ranker.Rank(Served(&Query::fresh)), Row(ModelRow::kFresh));
  EXPECT_EQ(ranker.Rank(Served(&Query::never)), Row(ModelRow::kNever));
  EXPECT_EQ(ranker.Rank(Served(&Query::without_last)),
            Row(ModelRow::kWithoutLast));
  EXPECT_EQ(ranker.states_found(), 0U);
}

// A state of any prefix is answered as the full model would where that prefix
// were the query's fresh one.
TEST_F(StateRankerTest, AgreesWithTheFullModelOnAnyPrefix) {
  for (uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Walk(seed);
    base::Rng rng(seed);
    QuerySet other = set_;
    std::vector<ServedState> served;
    for (Query& q : other.queries) {
      q.fresh =
          1 + static_cast<Prefix>(rng.Below(other.timelines[q.user].size()));
      served.push_back({true, q.fresh});
    }
    const auto models = RankModels(trace_, pool_, other, book_.get(), {});
    StateRanker ranker = MakeRanker();
    EXPECT_EQ(ranker.Rank(served),
              models[static_cast<size_t>(ModelRow::kFresh)]);
    const size_t computed = ranker.states_found();
    EXPECT_GT(computed, 100U);
    ranker.Rank(served);
    EXPECT_EQ(ranker.states_found(), computed);
  }
}

TEST_F(StateRankerTest, LetsPopularityAnswerViolationsAndMissingRows) {
  Walk(2);
  StateRanker ranker = MakeRanker();
  std::vector<ServedState> served = Served(&Query::fresh);
  for (size_t i = 0; i < served.size(); ++i) {
    if (i % 2 == 0) {
      served[i].in_time = false;
    } else {
      served[i].seen = 0;
    }
  }
  EXPECT_EQ(ranker.Rank(served), Row(ModelRow::kPopularity));
}

}  // namespace
}  // namespace freshline::bench
