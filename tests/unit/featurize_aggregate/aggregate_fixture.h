// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "featurize/aggregate/aggregate.h"
#include "registry/revision.h"
#include "registry/row_layout.h"

namespace freshline::featurize {

using registry::Aggregate;
using registry::Filter;
using registry::Scalar;
using registry::ValueStatus;
using registry::ValueType;

inline constexpr base::UnixMicros kT = 1'704'067'200'000'000;

// Columns of the source under test.
enum Column : uint32_t { kItem, kPrice, kBrand, kSold, kAt };

struct Row {
  base::UnixMicros time_us = 0;
  std::optional<int64_t> item{};
  std::optional<double> price{};
  std::optional<std::string> brand{};
  std::optional<bool> sold{};
  std::optional<int64_t> at{};
};

inline registry::Source TestSource() {
  registry::Source source;
  source.name = "clicks";
  source.columns = {{"item", Scalar::kInt64},
                    {"price", Scalar::kFloat64},
                    {"brand", Scalar::kString},
                    {"sold", Scalar::kBool},
                    {"at", Scalar::kTimestamp}};
  source.retention = std::chrono::hours(24);
  source.events_max = 1000;
  return source;
}

// Events in memory of their own, in the order given.
class Events {
 public:
  explicit Events(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
      times_.push_back(row.time_us);
      sequences_.push_back(sequences_.size() + 1);
      items_.push_back(row.item.value_or(0));
      prices_.push_back(row.price.value_or(0));
      brands_.push_back(row.brand.value_or(""));
      sold_.push_back(row.sold.value_or(false) ? 1 : 0);
      at_.push_back(row.at.value_or(0));
      const bool is_null[] = {!row.item, !row.price, !row.brand, !row.sold,
                              !row.at};
      for (size_t c = 0; c < 5; ++c) {
        nulls_[c].push_back(is_null[c] ? 1 : 0);
        any_null_[c] = any_null_[c] || is_null[c];
      }
    }
    columns_ = {{Scalar::kInt64, items_.data(), nullptr, nullptr, Nulls(0)},
                {Scalar::kFloat64, nullptr, prices_.data(), nullptr, Nulls(1)},
                {Scalar::kString, nullptr, nullptr, brands_.data(), Nulls(2)},
                {Scalar::kBool, sold_.data(), nullptr, nullptr, Nulls(3)},
                {Scalar::kTimestamp, at_.data(), nullptr, nullptr, Nulls(4)}};
  }
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  table::EventView View() const {
    return {times_.size(), times_.data(), sequences_.data(), columns_};
  }

 private:
  const uint8_t* Nulls(size_t c) const {
    return any_null_[c] ? nulls_[c].data() : nullptr;
  }
  std::vector<base::UnixMicros> times_;
  std::vector<base::Seq> sequences_;
  std::vector<int64_t> items_;
  std::vector<double> prices_;
  std::vector<std::string> brands_;
  std::vector<int64_t> sold_;
  std::vector<int64_t> at_;
  std::vector<uint8_t> nulls_[5];
  bool any_null_[5] = {};
  std::vector<table::ColumnView> columns_;
};

inline ValueType ResultType(const Aggregate& a) {
  const Scalar column =
      a.column ? TestSource().columns[*a.column].type : Scalar::kInt64;
  switch (a.fn) {
    case Aggregate::Fn::kCount:
      return ValueType::Of(Scalar::kInt64);
    case Aggregate::Fn::kMean:
      return ValueType::Of(Scalar::kFloat64);
    case Aggregate::Fn::kLastN:
      return ValueType::ListOf(column);
    default:
      return ValueType::Of(column);
  }
}

// A group with one feature per aggregate.
inline registry::FeatureGroup GroupOf(
    const std::vector<Aggregate>& aggregates) {
  registry::FeatureGroup group;
  group.name = "group";
  group.id = base::GroupId{3};
  std::vector<ValueType> types;
  for (const Aggregate& a : aggregates) {
    registry::Feature feature;
    feature.name = "f" + std::to_string(group.features.size());
    feature.type = ResultType(a);
    feature.aggregate = a;
    types.push_back(feature.type);
    group.features.push_back(std::move(feature));
  }
  group.layout = registry::RowLayout(std::move(types));
  return group;
}

// One computed row.
class Computed {
 public:
  Computed(registry::FeatureGroup group, const Input& input)
      : layout_(group.layout) {
    const AggregateFunction function(std::move(group), TestSource());
    const auto scratch = function.MakeScratch();
    registry::RowBytes* const outputs[] = {&bytes_};
    ok_ = function.Compute({&input, 1}, outputs, scratch.get()).ok();
    holds_until_us_ = function.HoldsUntil(input);
  }
  Computed(const std::vector<Aggregate>& aggregates, const Input& input)
      : Computed(GroupOf(aggregates), input) {}

  bool ok() const { return ok_; }
  registry::RowView row() const { return {layout_, bytes_}; }
  const registry::RowBytes& bytes() const { return bytes_; }
  base::UnixMicros holds_until_us() const { return holds_until_us_; }

 private:
  registry::RowLayout layout_;
  registry::RowBytes bytes_;
  bool ok_ = false;
  base::UnixMicros holds_until_us_ = 0;
};

}  // namespace freshline::featurize
