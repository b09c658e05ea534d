// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/featurize/shop_fixture.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "featurize/content.h"
#include "tests/support/status_matchers.h"

namespace freshline::test {

using featurize::ItemTable;
using featurize::ItemTableContents;
using registry::Scalar;

ItemTableContents MakeShop(const ShopOptions& options) {
  base::Rng rng(options.seed);
  ItemTableContents shop;
  shop.dim = options.dim;
  shop.hash_seed = options.seed + 100;
  shop.projection = featurize::DrawProjection(options.dim - 1, options.seed);
  const auto projection =
      featurize::ViewProjection(shop.projection, shop.hash_seed);
  const uint32_t rows = options.items + options.padding;
  shop.vectors.resize(size_t{rows} * options.dim);
  shop.offsets.push_back(0);
  for (uint32_t row = 0; row < rows; ++row) {
    float* const vector = &shop.vectors[size_t{row} * options.dim];
    const std::string brand = absl::StrCat("brand", rng.Below(3));
    featurize::EncodeContent(
        projection,
        {static_cast<int64_t>(rng.Below(options.categories)), brand,
         rng.LogNormal(4, 1)},
        vector);
    featurize::Normalise({vector, options.dim - 1});
    if (row >= options.items) {
      shop.popularity.push_back(featurize::kNeverRecommended);
      continue;
    }
    shop.ids.push_back(int64_t{1'000'000} + int64_t{row} * 7919);
    shop.popularity.push_back(row >= options.items - options.never_clicked
                                  ? featurize::kNeverRecommended
                                  : -std::log(static_cast<float>(row) + 1) /
                                        shop.beta);
    float total = 0;
    const uint64_t neighbours = rng.Below(8);
    for (uint64_t i = 0; i < neighbours; ++i) {
      // Distinct, and strongest first, as the trainer writes them.
      shop.neighbours.push_back(
          static_cast<uint32_t>((row + 1 + i * 3) % options.items));
      const float weight = 6.0F / static_cast<float>(i + 1);
      shop.weights.push_back(weight);
      total += weight;
    }
    shop.totals.push_back(total + 1);
    shop.offsets.push_back(static_cast<uint32_t>(shop.neighbours.size()));
  }
  return shop;
}

std::string TempTablePath(const std::string& name) {
  static int files = 0;
  return absl::StrCat(::testing::TempDir(), "/", getpid(), "-", ++files, "-",
                      name, ".fltab");
}

std::shared_ptr<const ItemTable> OpenShop(const ItemTableContents& contents) {
  const std::string path = TempTablePath("shop");
  EXPECT_THAT(featurize::WriteItemTable(path, contents), IsOk());
  auto table = ItemTable::Open(path, contents.dim);
  EXPECT_THAT(table, IsOk());
  std::remove(path.c_str());
  return table.ok() ? *std::move(table) : nullptr;
}

registry::Source ShopSource() {
  registry::Source source;
  source.name = "clicks";
  source.columns = {{"item", Scalar::kInt64},
                    {"category", Scalar::kInt64},
                    {"brand", Scalar::kString},
                    {"price", Scalar::kFloat64}};
  source.retention = std::chrono::hours(1);
  source.events_max = 1000;
  return source;
}

Visit& Visit::Click(int64_t item) {
  Add(true, false, item, 0, "", 0);
  return *this;
}

Visit& Visit::Click(int64_t item, int64_t category, const std::string& brand,
                    double price) {
  Add(true, true, item, category, brand, price);
  return *this;
}

Visit& Visit::ClickNothing() {
  Add(false, false, 0, 0, "", 0);
  return *this;
}

void Visit::Add(bool has_item, bool has_attributes, int64_t item,
                int64_t category, const std::string& brand, double price) {
  times_.push_back(1'700'000'000'000'000 +
                   static_cast<int64_t>(times_.size()) * 1'000'000);
  sequences_.push_back(sequences_.size() + 1);
  items_.push_back(item);
  item_nulls_.push_back(has_item ? 0 : 1);
  categories_.push_back(category);
  brands_.push_back(brand);
  prices_.push_back(price);
  attribute_nulls_.push_back(has_attributes ? 0 : 1);
}

table::EventView Visit::View() {
  const uint8_t* const unknown = attribute_nulls_.data();
  columns_ = {
      {Scalar::kInt64, items_.data(), nullptr, nullptr, item_nulls_.data()},
      {Scalar::kInt64, categories_.data(), nullptr, nullptr, unknown},
      {Scalar::kString, nullptr, nullptr, brands_.data(), unknown},
      {Scalar::kFloat64, nullptr, prices_.data(), nullptr, unknown}};
  return {times_.size(), times_.data(), sequences_.data(), columns_, false, 0};
}

}  // namespace freshline::test
