// SPDX-License-Identifier: Apache-2.0
// Featurization by a scan of 400,000 items: time by interests, by users in a
// batch and by instruction set; recall of the 8-bit scan against floats.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "featurize/content.h"
#include "featurize/item_table.h"
#include "featurize/kernels.h"
#include "featurize/recommend.h"
#include "featurize/top_scan.h"

namespace freshline::featurize {
namespace {

constexpr uint32_t kItems = 400'000;
constexpr uint32_t kDim = 64;
constexpr uint32_t kNeighbours = 50;
constexpr size_t kTop = Recommender::kScanTop;

// A shop: categories of brands of prices, Zipf popularity.
ItemTableContents Shop() {
  base::Rng rng(1);
  ItemTableContents shop;
  shop.hash_seed = 7;
  shop.projection = DrawProjection(kDim - 1, 7);
  shop.vectors.resize(size_t{kItems} * kDim);
  shop.offsets.push_back(0);
  const ContentProjection projection =
      ViewProjection(shop.projection, shop.hash_seed);
  for (uint32_t row = 0; row < kItems; ++row) {
    const auto category = static_cast<int64_t>(rng.Below(600));
    const std::string brand = std::to_string(rng.Below(10));
    const double price = rng.LogNormal(4 + 0.002 * double(category), 0.7);
    float* const vector = shop.vectors.data() + size_t{row} * kDim;
    EncodeContent(projection, {category, brand, price}, vector);
    Normalise({vector, kDim - 1});
    shop.ids.push_back(int64_t{row} * 3 + 1);
    const double clicks = std::floor(4e6 * std::pow(row + 20.0, -1.3));
    shop.popularity.push_back(
        static_cast<float>((std::log(clicks + 0.3) - std::log(1e5)) / 30));
    for (uint32_t i = 0; i < kNeighbours; ++i) {
      shop.neighbours.push_back(static_cast<uint32_t>(rng.Below(kItems)));
      shop.weights.push_back(1.0F / static_cast<float>(i + 1));
    }
    shop.totals.push_back(5);
    shop.offsets.push_back(static_cast<uint32_t>(shop.neighbours.size()));
  }
  return shop;
}

std::shared_ptr<const ItemTable> Table() {
  static const auto* const table = [] {
    const std::string path =
        std::string(std::tmpnam(nullptr)) + "-scan-bench.fltab";
    FRESHLINE_CHECK(WriteItemTable(path, Shop()).ok());
    auto opened = ItemTable::Open(path, kDim);
    FRESHLINE_CHECK(opened.ok());
    std::remove(path.c_str());
    return new std::shared_ptr<const ItemTable>(*std::move(opened));
  }();
  return *table;
}

// Clicks of a user with exactly so many interests.
std::vector<ClickedItem> UserOf(const Recommender& recommender,
                                Scratch* scratch, size_t interests,
                                base::Rng* rng) {
  std::vector<ClickedItem> clicks;
  while (recommender.CountInterests(clicks, scratch) < interests) {
    clicks.push_back(
        {recommender.table().item(static_cast<uint32_t>(rng->Below(kItems))),
         std::nullopt});
  }
  return clicks;
}

// Args: interests of each user, users of the batch.
void BM_Featurize(benchmark::State& state, const Kernels& kernels) {
  const Recommender recommender(Table(), kernels);
  const auto users = static_cast<size_t>(state.range(1));
  const auto scratch = recommender.MakeScratch(users);
  base::Rng rng(2);
  std::vector<std::vector<ClickedItem>> clicks;
  for (size_t u = 0; u < 16 * users; ++u) {
    clicks.push_back(UserOf(recommender, scratch.get(),
                            static_cast<size_t>(state.range(0)), &rng));
  }
  std::vector<Clicks> batch(users);
  std::vector<RankedList> lists(users);
  size_t next = 0;
  for (auto _ : state) {
    for (Clicks& user : batch) user = clicks[next++ % clicks.size()];
    recommender.Recommend(batch, 20, scratch.get(), lists);
    benchmark::DoNotOptimize(lists.data());
  }
  state.counters["per_user"] =
      benchmark::Counter(static_cast<double>(users),
                         benchmark::Counter::kIsIterationInvariantRate |
                             benchmark::Counter::kInvert);
}

// What an embedding's and a retrieval's prediction costs, interests included.
void BM_Shape(benchmark::State& state) {
  const Recommender recommender(Table());
  const auto scratch = recommender.MakeScratch(1);
  base::Rng rng(3);
  std::vector<std::vector<ClickedItem>> users(1000);
  for (auto& user : users) {
    for (int64_t i = 0; i < state.range(0); ++i) {
      user.push_back(
          {recommender.table().item(static_cast<uint32_t>(rng.Below(kItems))),
           std::nullopt});
    }
  }
  size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(recommender.CountInterests(
        users[next++ % users.size()], scratch.get()));
  }
}

// Not a time: recall@200 of the scan against float scores.
void BM_Recall(benchmark::State& state) {
  const auto table = Table();
  base::Rng rng(4);
  TopScan scan(*table, 1);
  double found = 0;
  double wanted = 0;
  std::vector<float> scores(kItems);
  for (auto _ : state) {
    const float* const vector =
        table->vector(static_cast<uint32_t>(rng.Below(kItems)));
    scan.Run(*table, SelectKernels(), {vector, kDim}, 1, kTop);
    for (uint32_t row = 0; row < kItems; ++row) {
      scores[row] =
          SelectKernels().dot_float(vector, table->vector(row), kDim) +
          table->popularity(row);
    }
    std::vector<float> sorted = scores;
    std::nth_element(sorted.begin(), sorted.begin() + kTop - 1, sorted.end(),
                     std::greater<>());
    for (const Hit& hit : scan.hits(0)) {
      found += scores[hit.row] >= sorted[kTop - 1] ? 1 : 0;
    }
    wanted += kTop;
  }
  state.counters["recall"] = found / wanted;
}

void RegisterAll() {
  for (const Kernels& kernels : RunnableKernels()) {
    auto* const bench = benchmark::RegisterBenchmark(
        ("BM_Featurize/" + std::string(kernels.name)).c_str(),
        [&kernels](benchmark::State& state) { BM_Featurize(state, kernels); });
    bench->ArgNames({"interests", "users"})->Unit(benchmark::kMillisecond);
    for (const int64_t interests : {1, 2, 3, 4}) bench->Args({interests, 1});
    for (const int64_t users : {2, 4, 8, 16}) bench->Args({2, users});
  }
  benchmark::RegisterBenchmark("BM_Shape", BM_Shape)
      ->ArgName("clicks")
      ->Arg(1)
      ->Arg(5)
      ->Arg(50)
      ->Unit(benchmark::kMicrosecond);
  benchmark::RegisterBenchmark("BM_Recall", BM_Recall)
      ->Iterations(50)
      ->Unit(benchmark::kMillisecond);
}

}  // namespace
}  // namespace freshline::featurize

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  freshline::featurize::RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
