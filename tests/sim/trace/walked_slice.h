// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bench/score/models.h"
#include "bench/score/queries.h"
#include "bench/sim/trace/slice_function.h"
#include "bench/sim/trace/slice_simulation.h"
#include "tests/support/aisle_trace.h"

namespace freshline::bench {

// A source and a retrieval as the shipped definitions have them, and what must
// not fit.
inline constexpr char kShop[] = R"(
  entity { name: "user" key { name: "user_id" type: INT64 } }
  source {
    name: "clicks" entity: "user" retention: "30d" durability: MEMORY
    column { name: "product_id" type: INT64 }
    column { name: "category_id" type: INT64 }
    column { name: "brand" type: STRING }
    column { name: "price" type: FLOAT64 }
    column { name: "event_type" type: STRING }
    column { name: "campaign" type: STRING }
  }
  item_table { name: "items" path: "items.fltab" dim: 64 }
  feature_group {
    name: "next_items" source: "clicks" placement: SCHEDULED batch_max: 4
    retrieval {
      item_table: "items" item_column: "product_id"
      category_column: "category_id" brand_column: "brand"
      price_column: "price" last_events: 50 top: 20
    }
    feature { name: "items" type { list: INT64 } output: ITEMS }
  }
  feature_group {
    name: "activity" source: "clicks"
    feature {
      name: "clicks" type { scalar: INT64 } aggregate { fn: COUNT over: "1h" }
    }
  })";

// A directory with definitions, a table, and the slice that is the second half
// of a walk along aisles: 60 clicks, 1 ms apart, every 20 s.
class WalkedSlice : public ::testing::Test {
 protected:
  WalkedSlice()
      : directory_(::testing::TempDir() + "freshline_walk_" +
                   std::to_string(getpid())) {
    std::filesystem::create_directories(directory_);
    WriteDefinitions(kShop);
    clicks_ = test::WalkAisles(1, &pool_);
    const size_t begin = clicks_.size() / 2;
    test::TrainInto(directory_ + "/items.fltab",
                    std::span(clicks_).first(begin), pool_);
    trace_ = {clicks_, begin, clicks_.size()};
    set_ = *FindTruths(trace_);
  }
  ~WalkedSlice() override { std::filesystem::remove_all(directory_); }

  void WriteDefinitions(const std::string& text) const {
    std::ofstream(definitions()) << text;
  }
  std::string definitions() const { return directory_ + "/shop.textproto"; }
  auto Load(const std::string& group) const {
    return SliceFunction::Load(definitions(), directory_, group);
  }
  SliceView View() const { return {trace_, &pool_, &set_}; }

  const std::string directory_;
  StringPool pool_;
  std::vector<Click> clicks_;
  ScoringTrace trace_;
  QuerySet set_;
};

}  // namespace freshline::bench
