// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "registry/entity_key.h"
#include "registry/revision.h"
#include "table/table.h"

namespace freshline::table {

// 2024-01-01 00:00:00 UTC.
inline constexpr base::UnixMicros kNow = 1'704'067'200'000'000;
inline constexpr base::UnixMicros kSecond = 1'000'000;

// Two entities. "user" has the sources "clicks" (item INT64, price FLOAT64,
// brand STRING; group 0 and 1) and "carts" (no column; group 2); "shop" has
// "visits" (kind STRING; group 3).
struct Definitions {
  std::chrono::seconds retention{1000};
  std::chrono::seconds allowed_lateness{1000};
  uint32_t events_max = 100;

  std::shared_ptr<const registry::Revision> Build() const {
    using registry::Scalar;
    registry::Revision::Contents c;
    c.entities = {{"user", {{"user_id", Scalar::kInt64}}},
                  {"shop", {{"shop_id", Scalar::kInt64}}}};
    c.sources.resize(3);
    c.sources[0].name = "clicks";
    c.sources[0].columns = {{"item", Scalar::kInt64},
                            {"price", Scalar::kFloat64},
                            {"brand", Scalar::kString}};
    c.sources[1].name = "carts";
    c.sources[2].name = "visits";
    c.sources[2].entity = 1;
    c.sources[2].columns = {{"kind", Scalar::kString}};
    for (registry::Source& source : c.sources) {
      source.retention = retention;
      source.allowed_lateness = allowed_lateness;
      source.events_max = events_max;
    }
    const uint32_t source_of_group[] = {0, 0, 1, 2};
    for (uint32_t g = 0; g < 4; ++g) {
      registry::FeatureGroup group;
      group.name = "group" + std::to_string(g);
      group.id = base::GroupId{g};
      group.source = source_of_group[g];
      group.entity = c.sources[group.source].entity;
      c.groups.push_back(std::move(group));
    }
    return std::make_shared<registry::Revision>(std::move(c));
  }
};

inline std::string KeyOf(int64_t id) {
  registry::EntityKeyBuilder builder;
  builder.AddInt64(id);
  return {builder.bytes().data(), builder.bytes().size()};
}

inline std::vector<std::byte> RowOf(size_t bytes, int fill = 1) {
  return std::vector<std::byte>(bytes, static_cast<std::byte>(fill));
}

inline constexpr base::GroupId kClicks0{0};
inline constexpr base::GroupId kClicks1{1};
inline constexpr base::GroupId kCarts{2};
inline constexpr base::GroupId kVisits{3};

}  // namespace freshline::table
