// SPDX-License-Identifier: Apache-2.0
#include "featurize/top_scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/random.h"
#include "tests/unit/featurize/shop_fixture.h"

namespace freshline::featurize {
namespace {

using test::MakeShop;
using test::OpenShop;

constexpr uint64_t kSeed = 6;

std::vector<float> RandomVectors(size_t count, const ItemTable& table,
                                 base::Rng* rng) {
  std::vector<float> vectors(count * table.dim());
  for (size_t i = 0; i < count; ++i) {
    const std::span<float> vector(&vectors[i * table.dim()],
                                  table.content_columns());
    // Near some item, as an interest is.
    const float* const item =
        table.vector(static_cast<uint32_t>(rng->Below(table.items())));
    for (size_t d = 0; d < vector.size(); ++d) {
      vector[d] = item[d] + static_cast<float>(0.05 * rng->Normal());
    }
    Normalise(vector);
  }
  return vectors;
}

// All scores of the quantised rows, sorted: what a scan must begin with.
std::vector<Hit> NaiveHits(const ItemTable& table, const float* vector) {
  const size_t columns = table.content_columns();
  float largest = 0;
  for (size_t d = 0; d < columns; ++d) {
    largest = std::max(largest, std::fabs(vector[d]));
  }
  std::vector<Hit> hits;
  for (uint32_t row = 0; row < table.items(); ++row) {
    if (!table.is_candidate(row)) continue;
    int32_t dot = 0;
    for (size_t d = 0; d < columns; ++d) {
      const size_t at =
          (d / kGroupColumns * kBlockRows + row % kBlockRows) * kGroupColumns +
          d % kGroupColumns;
      dot += static_cast<int32_t>(std::lround(vector[d] * (127 / largest))) *
             table.block(row / kBlockRows)[at];
    }
    volatile float score = static_cast<float>(dot) * table.scales()[row];
    score = score * (largest / 127);
    score = score + table.biases()[row];
    hits.push_back({score, row});
  }
  std::sort(hits.begin(), hits.end(), [](const Hit& a, const Hit& b) {
    return a.score != b.score ? a.score > b.score : a.row < b.row;
  });
  return hits;
}

void ExpectSame(std::span<const Hit> hits, const std::vector<Hit>& expected,
                size_t top) {
  ASSERT_EQ(hits.size(), std::min(top, expected.size()));
  for (size_t i = 0; i < hits.size(); ++i) {
    ASSERT_EQ(hits[i].row, expected[i].row) << "place " << i;
    ASSERT_EQ(hits[i].score, expected[i].score) << "place " << i;
  }
}

TEST(TopScanTest, FindsExactlyTheBestInAnyBatchAndOnAnyKernels) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  base::Rng rng(kSeed);
  // Few categories: many rows are nearly equal, and compete.
  const auto table = OpenShop(MakeShop({.items = 3001, .padding = 77}));
  TopScan scan(*table, 17);
  for (const size_t count : {1U, 3U, 8U, 17U}) {
    for (const size_t top : {1U, 20U, 200U, 256U}) {
      const std::vector<float> vectors = RandomVectors(count, *table, &rng);
      for (const Kernels& kernels : RunnableKernels()) {
        scan.Run(*table, kernels, vectors, count, top);
        for (size_t i = 0; i < count; ++i) {
          ExpectSame(scan.hits(i), NaiveHits(*table, &vectors[i * 64]), top);
        }
      }
    }
  }
}

TEST(TopScanTest, GivesTiesToTheLowerRow) {
  ItemTableContents shop = MakeShop({.items = 2000, .padding = 0});
  for (size_t row = 1; row < 2000; ++row) {
    std::copy_n(shop.vectors.begin(), 64,
                shop.vectors.begin() + static_cast<std::ptrdiff_t>(row * 64));
  }
  std::fill(shop.popularity.begin(), shop.popularity.end(), -0.1F);
  const auto table = OpenShop(shop);
  TopScan scan(*table, 1);
  scan.Run(*table, SelectKernels(), {table->vector(0), 64}, 1, 200);
  ASSERT_EQ(scan.hits(0).size(), 200U);
  for (uint32_t i = 0; i < 200; ++i) EXPECT_EQ(scan.hits(0)[i].row, i);
}

TEST(TopScanTest, ReturnsFewerWhereFewerMayBeRecommended) {
  const auto table =
      OpenShop(MakeShop({.items = 60, .padding = 900, .never_clicked = 25}));
  TopScan scan(*table, 1);
  scan.Run(*table, SelectKernels(), {table->vector(50), 64}, 1, 200);
  ASSERT_EQ(scan.hits(0).size(), 35U);
  for (const Hit& hit : scan.hits(0)) EXPECT_LT(hit.row, 35U);
}

TEST(TopScanTest, RecallsNearlyAllThatFloatsWouldFind) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  base::Rng rng(kSeed);
  const auto table =
      OpenShop(MakeShop({.items = 20'000, .padding = 0, .categories = 100}));
  constexpr size_t kCount = 16;
  constexpr size_t kTop = 200;
  const std::vector<float> vectors = RandomVectors(kCount, *table, &rng);
  TopScan scan(*table, kCount);
  scan.Run(*table, SelectKernels(), vectors, kCount, kTop);
  size_t found = 0;
  for (size_t i = 0; i < kCount; ++i) {
    std::vector<float> scores(table->items());
    for (uint32_t row = 0; row < table->items(); ++row) {
      scores[row] =
          SelectKernels().dot_float(&vectors[i * 64], table->vector(row), 64) +
          table->popularity(row);
    }
    std::vector<float> sorted = scores;
    std::nth_element(sorted.begin(), sorted.begin() + kTop - 1, sorted.end(),
                     std::greater<>());
    for (const Hit& hit : scan.hits(i)) {
      found += scores[hit.row] >= sorted[kTop - 1] ? 1 : 0;
    }
  }
  EXPECT_GE(static_cast<double>(found), 0.97 * kTop * kCount);
}

}  // namespace
}  // namespace freshline::featurize
