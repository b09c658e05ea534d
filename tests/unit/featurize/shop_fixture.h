// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "featurize/item_table.h"
#include "registry/revision.h"
#include "table/event_view.h"

// Small made-up shops, their tables, and the events of one visitor.

namespace freshline::test {

struct ShopOptions {
  uint64_t seed = 1;
  uint32_t dim = 64;
  uint32_t items = 150;
  uint32_t padding = 10;
  uint32_t categories = 6;
  uint32_t never_clicked = 0;  // items, the last, that are not candidates
};

// Item ids are far from their rows; every item has some neighbours.
featurize::ItemTableContents MakeShop(const ShopOptions& options);

// A file name of this test process alone.
std::string TempTablePath(const std::string& name);

// Writes, opens and removes it.
std::shared_ptr<const featurize::ItemTable> OpenShop(
    const featurize::ItemTableContents& contents);

// Columns item INT64, category INT64, brand STRING, price FLOAT64.
registry::Source ShopSource();

// Events of one key under ShopSource(), oldest first.
class Visit {
 public:
  Visit& Click(int64_t item);
  Visit& Click(int64_t item, int64_t category, const std::string& brand,
               double price);
  Visit& ClickNothing();  // every column NULL
  table::EventView View();

 private:
  void Add(bool has_item, bool has_attributes, int64_t item, int64_t category,
           const std::string& brand, double price);

  std::vector<base::UnixMicros> times_;
  std::vector<base::Seq> sequences_;
  std::vector<int64_t> items_, categories_;
  std::vector<std::string> brands_;
  std::vector<double> prices_;
  std::vector<uint8_t> item_nulls_, attribute_nulls_;
  std::vector<table::ColumnView> columns_;
};

}  // namespace freshline::test
