// SPDX-License-Identifier: Apache-2.0
#include "featurize/candidate_scores.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace freshline::featurize {
namespace {

TEST(CandidateScoresTest, SumsAsAMapDoesRoundAfterRound) {
  constexpr uint64_t kSeed = 11;
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  base::Rng rng(kSeed);
  CandidateScores scores(500);
  for (int round = 0; round < 50; ++round) {
    scores.Clear();
    EXPECT_TRUE(scores.entries().empty());
    std::map<uint32_t, double> model;
    // Multiples of 128 share the bits that a careless hash would look at.
    const uint64_t stride = round % 2 == 0 ? 1 : 128;
    for (int i = 0; i < 2000; ++i) {
      const auto candidate = static_cast<uint32_t>(rng.Below(500) * stride);
      const double score = rng.Uniform();
      scores.Add(candidate, score);
      model[candidate] += score;
    }
    ASSERT_EQ(scores.entries().size(), model.size());
    for (const auto& entry : scores.entries()) {
      EXPECT_DOUBLE_EQ(entry.score, model.at(entry.candidate));
    }
  }
}

TEST(CandidateScoresTest, HoldsAsManyAsPromised) {
  CandidateScores scores(1000);
  for (uint32_t i = 0; i < 1000; ++i) scores.Add(i * 65'536, 1);
  EXPECT_EQ(scores.entries().size(), 1000U);
  EXPECT_DEATH(scores.Add(7, 1), "candidates_max_");
}

}  // namespace
}  // namespace freshline::featurize
