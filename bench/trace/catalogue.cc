// SPDX-License-Identifier: Apache-2.0
#include "bench/trace/catalogue.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <numeric>
#include <span>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/output_file.h"
#include "base/random.h"
#include "base/status_macros.h"
#include "csv/input.h"
#include "csv/reader.h"

namespace freshline::bench {
namespace {

constexpr uint32_t kPopularRanks = 20'000;
constexpr double kFirstCategoryShare = 0.33;
constexpr uint32_t kBrandNames = 800;
constexpr double kNoBrand = 0.14;
constexpr int64_t kFirstCategoryId = 2053013552326770000;
constexpr int64_t kFirstItemId = 1'000'000;

// Draws indexes with probability proportional to given weights.
class Weighted {
 public:
  explicit Weighted(const std::vector<double>& weights) {
    double sum = 0;
    for (const double w : weights) sums_.push_back(sum += w);
  }
  uint32_t Draw(base::Rng* rng) const {
    const double x = rng->Uniform() * sums_.back();
    return static_cast<uint32_t>(
        std::upper_bound(sums_.begin(), sums_.end(), x) - sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

struct Category {
  double price_level = 0;
  std::string code;
  std::array<double, Catalogue::kBrandsPerCategory> brand_level{};
  std::array<std::string, Catalogue::kBrandsPerCategory> brand;
};

std::vector<Category> MakeCategories(base::Rng* rng) {
  std::vector<Category> categories(Catalogue::kCategories);
  for (uint32_t c = 0; c < categories.size(); ++c) {
    Category& category = categories[c];
    category.price_level = 4 + rng->Normal();
    if (!rng->Chance(1.0 / 3)) {
      category.code = absl::StrCat("department", c % 13, ".category", c);
    }
    for (uint32_t b = 0; b < Catalogue::kBrandsPerCategory; ++b) {
      category.brand_level[b] = 0.4 * rng->Normal();
      const auto name = static_cast<uint32_t>(rng->Below(kBrandNames));
      if (!rng->Chance(kNoBrand)) {
        category.brand[b] = absl::StrCat("brand", name);
      }
    }
  }
  return categories;
}

Weighted CategoryShares() {
  std::vector<double> shares(Catalogue::kCategories);
  double rest = 0;
  for (uint32_t c = 1; c < shares.size(); ++c) {
    rest += shares[c] = std::pow(c + 10.0, -1.5);
  }
  for (double& share : shares) share *= (1 - kFirstCategoryShare) / rest;
  shares[0] = kFirstCategoryShare;
  return Weighted(shares);
}

Weighted BrandShares() {
  std::vector<double> shares;
  for (uint32_t b = 1; b <= Catalogue::kBrandsPerCategory; ++b) {
    shares.push_back(1.0 / b);
  }
  return Weighted(shares);
}

}  // namespace

Catalogue::Catalogue(uint32_t items, uint64_t seed) {
  base::Rng rng(seed);
  const std::vector<Category> categories = MakeCategories(&rng);
  const Weighted category_share = CategoryShares();
  const Weighted brand_share = BrandShares();

  struct Drawn {
    uint32_t shelf;
    double log_price;
    double weight;
    uint32_t rank;
  };
  std::vector<Drawn> drawn(items);
  for (uint32_t rank = 0; rank < items; ++rank) {
    const uint32_t c = rank < kPopularRanks
                           ? category_share.Draw(&rng)
                           : static_cast<uint32_t>(rng.Below(kCategories));
    const uint32_t b = brand_share.Draw(&rng);
    const double log_price = categories[c].price_level +
                             categories[c].brand_level[b] + 0.6 * rng.Normal();
    const double price =
        std::max(0.01, std::round(std::exp(log_price) * 100) / 100);
    drawn[rank] = {c * kBrandsPerCategory + b, std::log(price),
                   std::pow(rank + 21.0, -1.30), rank};
  }
  std::sort(drawn.begin(), drawn.end(), [](const Drawn& a, const Drawn& b) {
    if (a.shelf != b.shelf) return a.shelf < b.shelf;
    if (a.log_price != b.log_price) return a.log_price < b.log_price;
    return a.rank < b.rank;
  });

  // Numbers that tell nothing of popularity or place, so that no tie that is
  // broken by number does.
  std::vector<int64_t> ids(items);
  std::iota(ids.begin(), ids.end(), kFirstItemId);
  for (size_t i = items; i > 1; --i) std::swap(ids[i - 1], ids[rng.Below(i)]);

  weight_before_.push_back(0);
  shelf_begin_.assign(kCategories * kBrandsPerCategory + 1, 0);
  for (uint32_t i = 0; i < items; ++i) {
    const Drawn& d = drawn[i];
    const uint32_t c = d.shelf / kBrandsPerCategory;
    const Category& category = categories[c];
    items_.push_back({ids[i], kFirstCategoryId + c, category.code,
                      category.brand[d.shelf % kBrandsPerCategory],
                      std::round(std::exp(d.log_price) * 100) / 100});
    log_price_.push_back(d.log_price);
    shelf_.push_back(d.shelf);
    weight_before_.push_back(weight_before_.back() + d.weight);
    ++shelf_begin_[d.shelf + 1];
  }
  std::partial_sum(shelf_begin_.begin(), shelf_begin_.end(),
                   shelf_begin_.begin());
}

uint32_t Catalogue::Pick(uint32_t begin, uint32_t end, double u) const {
  const double low = weight_before_[begin];
  const double x = low + u * (weight_before_[end] - low);
  const auto first = weight_before_.begin() + begin + 1;
  const auto last = weight_before_.begin() + end;
  return begin +
         static_cast<uint32_t>(std::upper_bound(first, last, x) - first);
}

void Catalogue::PriceRange(uint32_t shelf, double x, double reach,
                           uint32_t* begin, uint32_t* end) const {
  const auto first = log_price_.begin() + ShelfBegin(shelf);
  const auto last = log_price_.begin() + ShelfEnd(shelf);
  *begin = static_cast<uint32_t>(std::lower_bound(first, last, x - reach) -
                                 log_price_.begin());
  *end = static_cast<uint32_t>(std::upper_bound(first, last, x + reach) -
                               log_price_.begin());
}

absl::Status Catalogue::Write(const std::string& path) const {
  FRESHLINE_RETURN_IF_ERROR(base::CheckReplaceable(path, kCatalogueKind));
  std::ofstream out(path);
  out << kCatalogueHeader << "\n";
  char price[32];
  for (const CatalogueItem& item : items_) {
    std::snprintf(price, sizeof(price), "%.2f", item.price);
    out << item.id << ',' << item.category << ',' << item.category_code << ','
        << item.brand << ',' << price << '\n';
  }
  out.close();
  if (!out) {
    return absl::UnavailableError(absl::StrCat("cannot write \"", path, "\""));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<CatalogueItem>> ReadCatalogue(
    const std::string& path) {
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<csv::Input> input,
                             csv::Input::OpenFile(path));
  auto reader = csv::Reader::Open(*input);
  const auto wrong = [&](uint64_t line, absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ":", line, ": ", what));
  };
  if (!reader.ok()) return wrong(1, reader.status().message());
  if (absl::StrJoin(reader->header(), ",") != kCatalogueHeader) {
    return wrong(1,
                 absl::StrCat("the header must be \"", kCatalogueHeader, "\""));
  }
  std::vector<CatalogueItem> items;
  while (true) {
    const csv::Reader::Got got = reader->Next();
    if (got == csv::Reader::Got::kEnd) return items;
    if (got != csv::Reader::Got::kRecord) {
      return wrong(reader->line(), reader->error());
    }
    const std::span<const absl::string_view> fields = reader->fields();
    CatalogueItem item;
    if (fields.size() != 5 || !absl::SimpleAtoi(fields[0], &item.id) ||
        !absl::SimpleAtoi(fields[1], &item.category) ||
        !absl::SimpleAtod(fields[4], &item.price) ||
        !std::isfinite(item.price)) {
      return wrong(reader->line(),
                   absl::StrCat("not \"", kCatalogueHeader, "\": ",
                                absl::StrJoin(fields, ",").substr(0, 100)));
    }
    item.category_code = std::string(fields[2]);
    item.brand = std::string(fields[3]);
    items.push_back(std::move(item));
  }
}

}  // namespace freshline::bench
