// SPDX-License-Identifier: Apache-2.0
#include "base/fixed_vector.h"

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace freshline::base {
namespace {

using ::testing::ElementsAre;

template <typename T, size_t N>
std::vector<T> AsVector(const FixedVector<T, N>& fixed) {
  return std::vector<T>(fixed.begin(), fixed.end());
}

TEST(FixedVectorTest, BehavesAsAVectorUpToItsCapacity) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    FixedVector<uint64_t, 5> fixed;
    std::vector<uint64_t> model;
    for (int step = 0; step < 100; ++step) {
      if (fixed.full() || rng.Chance(0.1)) {
        fixed.clear();
        model.clear();
      } else {
        const uint64_t value = rng.Next();
        fixed.push_back(value);
        model.push_back(value);
        ASSERT_EQ(fixed.back(), value);
      }
      ASSERT_EQ(AsVector(fixed), model);
      ASSERT_EQ(fixed.size(), model.size());
      ASSERT_EQ(fixed.empty(), model.empty());
      ASSERT_EQ(fixed.full(), model.size() == fixed.capacity());
    }
  }
}

TEST(FixedVectorTest, IsAValue) {
  const FixedVector<int, 4> original = {1, 2, 3};
  FixedVector<int, 4> copy = original;
  copy[0] = 9;
  EXPECT_THAT(AsVector(original), ElementsAre(1, 2, 3));
  EXPECT_THAT(AsVector(copy), ElementsAre(9, 2, 3));
}

TEST(FixedVectorDeathTest, RefusesOneTooMany) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  FixedVector<int, 2> fixed = {1, 2};
  EXPECT_DEATH(fixed.push_back(3), "size_ < N");
}

}  // namespace
}  // namespace freshline::base
