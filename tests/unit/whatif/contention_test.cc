// SPDX-License-Identifier: Apache-2.0
#include "bench/whatif/contention.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace freshline::bench {
namespace {

// Runs whose time grows by `each` for every other, with noise.
std::vector<Contention::Sample> Draw(double alone, double each,
                                     double others_max, size_t count) {
  base::Rng rng(7);
  std::vector<Contention::Sample> samples(count);
  for (Contention::Sample& s : samples) {
    s.others = rng.Uniform() * others_max;
    s.ratio = (alone + each * s.others) * rng.LogNormal(0, 0.2);
  }
  return samples;
}

TEST(ContentionTest, FindsWhatEachOtherRunCosts) {
  const Contention c = Contention::Of(Draw(0.8, 0.3, 2, 4000));
  // The average of others is 1: there the factor is 1.
  EXPECT_NEAR(c.FactorBeside(1), 1, 0.01);
  EXPECT_NEAR(c.FactorBeside(0), 0.8 / 1.1, 0.02);
  EXPECT_NEAR(c.FactorBeside(2), 1.4 / 1.1, 0.02);
  // As far as was seen.
  EXPECT_NEAR(c.FactorBeside(7), c.FactorBeside(2), 0.01);
}

TEST(ContentionTest, NoiseIsNoContention) {
  EXPECT_EQ(Contention::Of(Draw(1, 0, 1, 4000)).FactorBeside(0), 1);
  EXPECT_EQ(Contention::Of(Draw(1, -0.3, 1, 4000)).FactorBeside(0), 1);
}

TEST(ContentionTest, KnowsNothingOfFewOrEqualSamples) {
  EXPECT_EQ(Contention().FactorBeside(3), 1);
  EXPECT_EQ(Contention::Of({}).FactorBeside(0), 1);
  EXPECT_EQ(Contention::Of(Draw(0.5, 0.5, 1, 99)).FactorBeside(0), 1);
  std::vector<Contention::Sample> equal(500, {1, 2});
  EXPECT_EQ(Contention::Of(equal).FactorBeside(0), 1);
  for (Contention::Sample& s : equal) s.ratio = 0;
  EXPECT_EQ(Contention::Of(equal).FactorBeside(0), 1);
}

TEST(ContentionTest, NeverMakesARunVanish) {
  const Contention c = Contention::Of(Draw(0.01, 5, 3, 1000));
  EXPECT_GE(c.FactorBeside(0), 0.25);
}

}  // namespace
}  // namespace freshline::bench
