// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "bench/trace/click.h"
#include "bench/train/train.h"
#include "featurize/item_table.h"
#include "tests/support/status_matchers.h"

// A tiny trace for the tests of the bench, and a table trained on clicks.

namespace freshline::test {

// Shoppers who each walk along one of 40 aisles of 25 items, so that the next
// click is predictable from the last, and from the aisle: 40 steps of all 60
// users, a step every 20 s, in order of time. Aisles change every 8 steps.
inline std::vector<bench::Click> WalkAisles(uint64_t seed,
                                            bench::StringPool* pool) {
  constexpr int64_t kItemsPerAisle = 25;
  std::vector<bench::Click> clicks;
  base::Rng rng(seed);
  for (int64_t step = 0; step < 40; ++step) {
    for (int64_t user = 0; user < 60; ++user) {
      const int64_t visit = step / 8;
      const auto aisle = static_cast<int64_t>(
          base::MixBits(static_cast<uint64_t>(user * 100 + visit)) % 40);
      bench::Click click;
      click.time_us = step * 20'000'000 + user * 1000;
      click.user = user;
      click.session = static_cast<uint64_t>(user * 100 + visit);
      click.item =
          aisle * kItemsPerAisle +
          (step % 8 * 2 + static_cast<int64_t>(rng.Below(2))) % kItemsPerAisle;
      click.category = aisle;
      click.brand = pool->Intern("brand");
      click.price = 10 + static_cast<double>(click.item % kItemsPerAisle);
      clicks.push_back(click);
    }
  }
  return clicks;
}

// Trains on all of `clicks`, writes the table as `path` and opens it.
inline std::shared_ptr<const featurize::ItemTable> TrainInto(
    const std::string& path, std::span<const bench::Click> clicks,
    const bench::StringPool& pool) {
  const auto contents = bench::BuildItemTable(clicks, pool, {}, {});
  EXPECT_THAT(contents, IsOk());
  EXPECT_THAT(featurize::WriteItemTable(path, *contents), IsOk());
  auto table = featurize::ItemTable::Open(path, 64);
  EXPECT_THAT(table, IsOk());
  return *table;
}

// The same without leaving a file.
inline std::shared_ptr<const featurize::ItemTable> TrainTable(
    std::span<const bench::Click> clicks, const bench::StringPool& pool) {
  const std::string path =
      (std::filesystem::path(::testing::TempDir()) /
       ("freshline_aisles_" + std::to_string(getpid()) + ".fltab"))
          .string();
  auto table = TrainInto(path, clicks, pool);
  std::filesystem::remove(path);
  return table;
}

}  // namespace freshline::test
