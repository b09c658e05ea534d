// SPDX-License-Identifier: Apache-2.0
#include "bench/trace/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "base/random.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

TEST(CatalogueTest, EveryItemStandsOnItsShelfInOrderOfPrice) {
  const Catalogue catalogue(20'000);
  for (uint32_t i = 0; i < catalogue.size(); ++i) {
    const uint32_t shelf = catalogue.shelf(i);
    ASSERT_LE(catalogue.ShelfBegin(shelf), i);
    ASSERT_GT(catalogue.ShelfEnd(shelf), i);
    ASSERT_LE(catalogue.CategoryBegin(shelf), catalogue.ShelfBegin(shelf));
    ASSERT_GE(catalogue.CategoryEnd(shelf), catalogue.ShelfEnd(shelf));
    if (i > catalogue.ShelfBegin(shelf)) {
      ASSERT_LE(catalogue.log_price(i - 1), catalogue.log_price(i));
    }
  }
}

TEST(CatalogueTest, PriceRangesAreExact) {
  const Catalogue catalogue(20'000);
  base::Rng rng(3);
  for (int round = 0; round < 200; ++round) {
    const auto at = static_cast<uint32_t>(rng.Below(catalogue.size()));
    const uint32_t shelf = catalogue.shelf(at);
    const double x = catalogue.log_price(at) + 0.5 * rng.Normal();
    uint32_t begin = 0;
    uint32_t end = 0;
    catalogue.PriceRange(shelf, x, 0.3, &begin, &end);
    for (uint32_t i = catalogue.ShelfBegin(shelf);
         i < catalogue.ShelfEnd(shelf); ++i) {
      const double log_price = catalogue.log_price(i);
      ASSERT_EQ(i >= begin && i < end,
                log_price >= x - 0.3 && log_price <= x + 0.3);
    }
  }
}

TEST(CatalogueTest, PicksByPopularityInsideTheRange) {
  const Catalogue catalogue(5'000);
  base::Rng rng(5);
  for (int round = 0; round < 1000; ++round) {
    const auto begin = static_cast<uint32_t>(rng.Below(4'999));
    const uint32_t end =
        begin + 1 + static_cast<uint32_t>(rng.Below(5'000 - begin));
    const uint32_t pick = catalogue.Pick(begin, end, rng.Uniform());
    ASSERT_GE(pick, begin);
    ASSERT_LT(pick, end);
  }
  EXPECT_EQ(catalogue.Pick(7, 8, 0.999999), 7U);
}

TEST(CatalogueTest, WritesWhatItReads) {
  const Catalogue catalogue(2'000);
  const std::string path = ::testing::TempDir() + "catalogue.csv";
  ASSERT_THAT(catalogue.Write(path), test::IsOk());
  const auto items = ReadCatalogue(path);
  ASSERT_THAT(items, test::IsOk());
  ASSERT_EQ(items->size(), catalogue.size());
  for (uint32_t i = 0; i < catalogue.size(); ++i) {
    EXPECT_EQ((*items)[i].id, catalogue.item(i).id);
    EXPECT_EQ((*items)[i].category, catalogue.item(i).category);
    EXPECT_EQ((*items)[i].brand, catalogue.item(i).brand);
    EXPECT_NEAR(std::log((*items)[i].price), catalogue.log_price(i), 1e-9);
  }
}

TEST(CatalogueTest, NamesTheLineThatIsMalformed) {
  const std::string path = ::testing::TempDir() + "bad_catalogue.csv";
  std::ofstream(path) << "product_id,category_id,category_code,brand,price\n"
                         "1,2,,acme,3.5\n1,2,,acme\n";
  EXPECT_THAT(ReadCatalogue(path).status(),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             ::testing::HasSubstr("bad_catalogue.csv:3")));
}

}  // namespace
}  // namespace freshline::bench
