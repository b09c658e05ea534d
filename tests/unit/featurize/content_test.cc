// SPDX-License-Identifier: Apache-2.0
#include "featurize/content.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace freshline::featurize {
namespace {

constexpr size_t kColumns = 255;  // many, so that cosines are near their means

class ContentTest : public testing::Test {
 protected:
  std::vector<float> Encode(const ItemAttributes& item, uint64_t seed = 5) {
    std::vector<float> out(kColumns);
    EncodeContent(ViewProjection(arrays_, seed), item, out.data());
    return out;
  }
  std::vector<float> Unit(const ItemAttributes& item) {
    std::vector<float> out = Encode(item);
    EXPECT_TRUE(Normalise(out));
    return out;
  }
  static double Cosine(const std::vector<float>& a,
                       const std::vector<float>& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * double{b[i]};
    return sum;
  }
  const std::vector<float> arrays_ = DrawProjection(kColumns, 3);
};

TEST_F(ContentTest, NearIsWhatSharesCategoryBrandAndPrice) {
  const auto item = Unit({7, "acme", 100.0});
  EXPECT_NEAR(Cosine(item, Unit({7, "acme", 100.0})), 1, 1e-5);
  const double near_price = Cosine(item, Unit({7, "acme", 110.0}));
  const double far_price = Cosine(item, Unit({7, "acme", 900.0}));
  const double other_brand = Cosine(item, Unit({7, "zeta", 100.0}));
  const double other_category = Cosine(item, Unit({8, "acme", 100.0}));
  EXPECT_GT(near_price, far_price);
  EXPECT_GT(far_price, other_brand);
  EXPECT_GT(other_brand, other_category + 0.2);
  EXPECT_NEAR(other_category, 0, 0.25);
}

TEST_F(ContentTest, FollowsTheFormula) {
  const auto vector = Encode({7, "acme", std::exp(1.5)});
  const auto without_price = Encode({7, "acme", std::nullopt});
  const double scale = std::sqrt(static_cast<double>(kColumns));
  for (size_t d = 0; d < kColumns; ++d) {
    // s_c + s_b is -2, 0 or 2; and the cosines are added under those signs.
    const double signs = double{without_price[d]} * scale;
    EXPECT_NEAR(std::fabs(signs) * (std::fabs(signs) - 2), 0, 1e-4);
    if (std::fabs(signs) < 1) continue;
    const double c = std::cos(double{arrays_[d]} * 1.5 / 0.3 +
                              double{arrays_[kColumns + d]});
    const double b = std::cos(double{arrays_[2 * kColumns + d]} * 1.5 / 0.2 +
                              double{arrays_[3 * kColumns + d]});
    const double expected = signs * (1 + (c + b) / 2 / std::sqrt(2.0));
    EXPECT_NEAR(double{vector[d]} * scale, expected, 2e-3) << "column " << d;
  }
}

TEST_F(ContentTest, TreatsImpossiblePricesAsUnknown) {
  const auto unknown = Encode({7, "acme", std::nullopt});
  for (const double price :
       {0.0, -3.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(Encode({7, "acme", price}), unknown) << price;
  }
}

TEST_F(ContentTest, DependsOnTheHashSeed) {
  EXPECT_NE(Encode({7, "acme", 10.0}, 5), Encode({7, "acme", 10.0}, 6));
}

TEST(NormaliseTest, LeavesWhatHasNoDirection) {
  std::vector<float> zero(8, 0.0F);
  EXPECT_FALSE(Normalise(zero));
  EXPECT_EQ(zero, std::vector<float>(8, 0.0F));
  std::vector<float> huge(8, std::numeric_limits<float>::max());
  EXPECT_FALSE(Normalise(huge));
  std::vector<float> some = {3, 0, 4};
  EXPECT_TRUE(Normalise(some));
  EXPECT_FLOAT_EQ(some[0], 0.6F);
  EXPECT_FLOAT_EQ(some[2], 0.8F);
}

}  // namespace
}  // namespace freshline::featurize
