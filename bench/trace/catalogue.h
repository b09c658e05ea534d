// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "base/output_file.h"

namespace freshline::bench {

// The first line of a catalogue, by which it is told from other files.
inline constexpr char kCatalogueHeader[] =
    "product_id,category_id,category_code,brand,price";
inline constexpr base::FileKind kCatalogueKind = {
    "catalogue of items", [](absl::string_view head) {
      return absl::StartsWith(head, kCatalogueHeader);
    }};

// One item of a shop, as a catalogue file has it.
struct CatalogueItem {
  int64_t id = 0;
  int64_t category = 0;
  std::string category_code;  // may be empty
  std::string brand;          // may be empty
  double price = 0;
};

// Reads product_id,category_id,category_code,brand,price, plain or gzipped.
// Returns: NOT_FOUND, or INVALID_ARGUMENT naming file:line for the first row
// that is malformed: a catalogue is made by machines.
absl::StatusOr<std::vector<CatalogueItem>> ReadCatalogue(
    const std::string& path);

// A made-up shop of shelves: categories, brands and prices, popularity by
// rank. Items stand in store order, by (category, brand, log price); a shelf is
// one (category, brand) run. The seed is fixed, so that click seeds share one
// shop.
class Catalogue {
 public:
  static constexpr uint32_t kCategories = 600;
  static constexpr uint32_t kBrandsPerCategory = 10;

  explicit Catalogue(uint32_t items, uint64_t seed = 20191001);

  uint32_t size() const { return static_cast<uint32_t>(items_.size()); }
  const CatalogueItem& item(uint32_t position) const {
    return items_[position];
  }
  double log_price(uint32_t position) const { return log_price_[position]; }
  uint32_t shelf(uint32_t position) const { return shelf_[position]; }

  // [begin, end) of a shelf, and of the category that a shelf belongs to.
  uint32_t ShelfBegin(uint32_t shelf) const { return shelf_begin_[shelf]; }
  uint32_t ShelfEnd(uint32_t shelf) const { return shelf_begin_[shelf + 1]; }
  uint32_t CategoryBegin(uint32_t shelf) const {
    return shelf_begin_[shelf / kBrandsPerCategory * kBrandsPerCategory];
  }
  uint32_t CategoryEnd(uint32_t shelf) const {
    return shelf_begin_[(shelf / kBrandsPerCategory + 1) * kBrandsPerCategory];
  }

  // An item of [begin, end) with probability proportional to its popularity;
  // `u` is uniform in [0, 1). REQUIRES: begin < end. O(log items).
  uint32_t Pick(uint32_t begin, uint32_t end, double u) const;

  // The part of a shelf with |log price - x| <= reach; may be empty.
  void PriceRange(uint32_t shelf, double x, double reach, uint32_t* begin,
                  uint32_t* end) const;

  absl::Status Write(const std::string& path) const;

 private:
  std::vector<CatalogueItem> items_;
  std::vector<double> log_price_;
  std::vector<uint32_t> shelf_;
  std::vector<double> weight_before_;  // prefix sums, size() + 1
  std::vector<uint32_t> shelf_begin_;
};

}  // namespace freshline::bench
