// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/random.h"
#include "bench/score/models.h"
#include "bench/score/quality.h"
#include "bench/trace/generator.h"
#include "bench/trace/reader.h"
#include "bench/train/train.h"
#include "tests/support/status_matchers.h"

// What is clicked in generated traces is as predictable as published figures
// of real shops say, at poster scale: 110,000 queries on 400,000 items.

namespace freshline::bench {
namespace {

class GeneratedTrace {
 public:
  explicit GeneratedTrace(uint64_t seed)
      : directory_(std::filesystem::path(::testing::TempDir()) /
                   ("freshline_quality_" + std::to_string(seed))) {
    GenerateOptions options;
    options.seed = seed;
    options.out = directory_.string();
    const auto generated = RunGenerate(options);
    EXPECT_THAT(generated, test::IsOk());
    ReadReport report;
    auto clicks = ReadTrace(generated->trace_path, {}, &pool_, &report);
    EXPECT_THAT(clicks, test::IsOk());
    clicks_ = *std::move(clicks);
    auto catalogue = ReadCatalogue(generated->catalogue_path);
    EXPECT_THAT(catalogue, test::IsOk());
    catalogue_ = *std::move(catalogue);
    const auto begin = std::partition_point(
        clicks_.begin(), clicks_.end(),
        [](const Click& c) { return c.time_us < kWindowStartUs; });
    trace_ = {clicks_, static_cast<size_t>(begin - clicks_.begin()),
              clicks_.size()};
  }
  ~GeneratedTrace() { std::filesystem::remove_all(directory_); }

  QuerySet Truths() const { return *FindTruths(trace_); }

  std::array<Ranks, kModelRows> Rank(const QuerySet& set, bool with_catalogue,
                                     bool full_model) const {
    const std::string path = (directory_ / "items.fltab").string();
    const auto contents = BuildItemTable(
        std::span(clicks_).first(trace_.queries_begin), pool_,
        with_catalogue ? catalogue_ : std::vector<CatalogueItem>{}, {});
    EXPECT_THAT(contents, test::IsOk());
    EXPECT_THAT(featurize::WriteItemTable(path, *contents), test::IsOk());
    const auto table = featurize::ItemTable::Open(path, 64);
    EXPECT_THAT(table, test::IsOk());
    ScoreOptions options;
    options.full_model = full_model;
    ListBook book(*table);
    return RankModels(trace_, pool_, set, &book, options);
  }

 private:
  const std::filesystem::path directory_;
  StringPool pool_;
  std::vector<Click> clicks_;
  std::vector<CatalogueItem> catalogue_;
  ScoringTrace trace_;
};

double HitRate(const QuerySet& set, const std::array<Ranks, kModelRows>& ranks,
               ModelRow row) {
  return Summarise(set, ranks[static_cast<size_t>(row)]).hr20;
}

TEST(GeneratedQualityTest, CheapRowsLieInTheirBandsOverFiveSeeds) {
  constexpr int kSeeds = 5;
  double popularity = 0;
  double own = 0;
  double covisitation = 0;
  double cheap = 0;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const GeneratedTrace trace(seed);
    const QuerySet set = trace.Truths();
    const auto ranks =
        trace.Rank(set, /*with_catalogue=*/false, /*full_model=*/false);
    popularity += HitRate(set, ranks, ModelRow::kPopularity) / kSeeds;
    own += HitRate(set, ranks, ModelRow::kOwnItems) / kSeeds;
    covisitation += HitRate(set, ranks, ModelRow::kCoVisitation) / kSeeds;
    cheap += HitRate(set, ranks, ModelRow::kCheap) / kSeeds;
  }
  RecordProperty("popularity", std::to_string(popularity));
  RecordProperty("own_items", std::to_string(own));
  RecordProperty("covisitation", std::to_string(covisitation));
  RecordProperty("cheap", std::to_string(cheap));
  std::printf(
      "mean of %d seeds: popularity %.4f own items %.4f "
      "co-visitation %.4f cheap %.4f\n",
      kSeeds, popularity, own, covisitation, cheap);
  // The published bands, and .01 on either side.
  EXPECT_GE(popularity, 0.04);
  EXPECT_LE(popularity, 0.11);
  EXPECT_GE(own, 0.13);
  EXPECT_LE(own, 0.20);
  EXPECT_GE(covisitation, 0.40);
  EXPECT_LE(covisitation, 0.47);
  EXPECT_GT(cheap, covisitation + 0.03);
}

TEST(GeneratedQualityTest, FreshBeatsTheCheapModelAndNeedsTheLastClick) {
  const GeneratedTrace trace(1);
  QuerySet set = trace.Truths();
  // A quarter of the users: the scan of the whole catalogue is honest work.
  for (Query& query : set.queries) {
    query.scored = query.scored && base::MixBits(query.user) % 4 == 0;
  }
  const auto ranks =
      trace.Rank(set, /*with_catalogue=*/true, /*full_model=*/true);
  const double fresh = HitRate(set, ranks, ModelRow::kFresh);
  const double without_last = HitRate(set, ranks, ModelRow::kWithoutLast);
  const double cheap = HitRate(set, ranks, ModelRow::kCheap);
  std::printf("seed 1: fresh %.4f without last %.4f cheap %.4f\n", fresh,
              without_last, cheap);
  EXPECT_GE(fresh, 0.46);
  EXPECT_LE(fresh, 0.54);
  EXPECT_GE(fresh, cheap + 0.02);
  EXPECT_GE(without_last, 0.53 * fresh);
  EXPECT_LE(without_last, 0.78 * fresh);
}

}  // namespace
}  // namespace freshline::bench
