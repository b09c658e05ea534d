// SPDX-License-Identifier: Apache-2.0
//
// The whole poster shape, five click seeds: are the generated clicks shaped
// like the published ones, and about as predictable? Minutes, so not a unit
// test; run in release.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench/score/models.h"
#include "bench/score/quality.h"
#include "bench/score/queries.h"
#include "bench/trace/catalogue.h"
#include "bench/trace/generator.h"
#include "bench/trace/statistics.h"
#include "bench/train/train.h"
#include "featurize/item_table.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

constexpr uint64_t kSeeds = 5;
constexpr int64_t kSecond = 1'000'000;

const Catalogue& Shop() {
  static const Catalogue catalogue(GenerateOptions().items);
  return catalogue;
}

struct PosterTrace {
  StringPool pool;
  std::vector<Click> clicks;  // history, then window
  size_t window_begin = 0;
};

std::unique_ptr<PosterTrace> Generate(uint64_t seed) {
  const GenerateOptions options;
  ClickGenerator generator(Shop(),
                           static_cast<double>(options.queries) /
                               static_cast<double>(options.seconds),
                           kWindowStartUs - options.history * kSecond, seed);
  auto trace = std::make_unique<PosterTrace>();
  while (true) {
    const GeneratedClick generated = generator.Next();
    if (generated.time_us >= kWindowStartUs + options.seconds * kSecond) break;
    if (generated.time_us < kWindowStartUs) ++trace->window_begin;
    const CatalogueItem& item = Shop().item(generated.position);
    Click click;
    click.time_us = generated.time_us;
    click.user = generated.user;
    click.session = generated.session;
    click.item = item.id;
    click.category = item.category;
    click.category_code = trace->pool.Intern(item.category_code);
    click.brand = trace->pool.Intern(item.brand);
    click.price = item.price;
    click.type = static_cast<ClickType>(generated.type);
    trace->clicks.push_back(click);
  }
  return trace;
}

// HR@20 of every model on all queries of the window.
std::array<double, kModelRows> HitRates(
    const PosterTrace& trace, std::span<const CatalogueItem> catalogue) {
  const std::span<const Click> clicks(trace.clicks);
  const auto table = BuildItemTable(clicks.first(trace.window_begin),
                                    trace.pool, catalogue, ModelOptions());
  EXPECT_THAT(table, test::IsOk());
  const std::string path = ::testing::TempDir() + "poster_shape.fltab";
  EXPECT_THAT(featurize::WriteItemTable(path, *table), test::IsOk());
  const auto open = featurize::ItemTable::Open(path, 0);
  EXPECT_THAT(open, test::IsOk());
  std::filesystem::remove(path);
  const ScoringTrace scoring{clicks, trace.window_begin, clicks.size()};
  const auto set = FindTruths(scoring);
  EXPECT_THAT(set, test::IsOk());
  ListBook book(*open);
  const auto ranks =
      RankModels(scoring, trace.pool, *set, &book, ScoreOptions());
  std::array<double, kModelRows> rates{};
  for (size_t i = 0; i < kModelRows; ++i) {
    rates[i] = Summarise(*set, ranks[i]).hr20;
  }
  return rates;
}

void Print(const char* what, const std::array<double, kModelRows>& rates) {
  std::printf("%s:", what);
  for (size_t i = 0; i < kModelRows; ++i) {
    const std::string name(ModelRowName(static_cast<ModelRow>(i)));
    std::printf(" %s %.3f,", name.c_str(), rates[i]);
  }
  std::printf("\n");
}

double Of(const std::array<double, kModelRows>& rates, ModelRow row) {
  return rates[static_cast<size_t>(row)];
}

MATCHER_P2(IsBetween, low, high, "") { return low <= arg && arg <= high; }

// Bands around the prototype's table where it has the figure, around the
// published statistics of REES46 otherwise; in the window alone.
void ExpectShape(const TraceStatistics& s) {
  EXPECT_THAT(s.clicks, IsBetween(106'000U, 112'000U));
  EXPECT_THAT(s.users, IsBetween(27'500U, 30'000U));
  EXPECT_NEAR(s.per_user_mean, 3.81, 0.1);
  EXPECT_EQ(s.per_user_p50, 2U);
  EXPECT_EQ(s.per_user_p75, 5U);
  EXPECT_EQ(s.per_user_p90, 9U);
  EXPECT_EQ(s.per_user_p95, 12U);
  EXPECT_EQ(s.per_user_p99, 16U);
  EXPECT_LT(s.previous_within_1s, 0.0015);
  EXPECT_NEAR(s.previous_within_5s, 0.019, 0.003);
  EXPECT_NEAR(s.previous_within_10s, 0.084, 0.005);
  EXPECT_NEAR(s.previous_within_30s, 0.356, 0.01);
  EXPECT_NEAR(s.previous_within_60s, 0.563, 0.01);
  EXPECT_NEAR(s.previous_within_300s, 0.733, 0.01);
  EXPECT_NEAR(s.gap_p50_s, 31, 1);
  EXPECT_NEAR(s.repeat, 0.333, 0.01);
  EXPECT_NEAR(s.same_category, 0.800, 0.025);
  EXPECT_NEAR(s.top1, 0.008, 0.004);
  EXPECT_NEAR(s.top10, 0.066, 0.012);
  EXPECT_NEAR(s.top100, 0.26, 0.02);
  EXPECT_NEAR(s.views, 0.961, 0.003);
  EXPECT_NEAR(s.carts, 0.022, 0.003);
  EXPECT_NEAR(s.purchases, 0.017, 0.003);
}

// Likewise, with what the history knows of users and sessions.
void ExpectShapeWithHistory(const TraceStatistics& s) {
  EXPECT_NEAR(s.known_users, 0.39, 0.02);
  EXPECT_NEAR(s.revisit, 0.145, 0.01);
  EXPECT_NEAR(s.gap_p50_s, 33, 1);
  EXPECT_NEAR(s.previous_within_10s, 0.085, 0.005);
  EXPECT_NEAR(s.previous_within_30s, 0.366, 0.01);
  EXPECT_NEAR(s.previous_within_60s, 0.588, 0.01);
  EXPECT_NEAR(s.previous_within_300s, 0.797, 0.01);
  EXPECT_EQ(s.session_p50, 2U);
  EXPECT_EQ(s.session_p80, 6U);
  EXPECT_NEAR(s.session_p90, 11, 1);
  EXPECT_NEAR(s.session_p99, 35, 9);  // of some 19,000: half a permille is 2
}

TEST(PosterShapeTest, ClicksAreShapedAndPredictableLikeRealOnes) {
  std::array<double, kModelRows> mean{};
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    const std::unique_ptr<PosterTrace> trace = Generate(seed);
    const TraceStatistics statistics =
        Describe({trace->clicks.begin() +
                      static_cast<std::ptrdiff_t>(trace->window_begin),
                  trace->clicks.end()});
    ExpectShape(statistics);
    const TraceStatistics with_history =
        Describe(trace->clicks, trace->window_begin);
    ExpectShapeWithHistory(with_history);
    // Without the catalogue: the cheap rows do not depend on it.
    const auto rates = HitRates(*trace, {});
    std::printf("seed %d, history %zu clicks\n%swindow alone\n%s",
                static_cast<int>(seed), trace->window_begin,
                ToText(with_history).c_str(), ToText(statistics).c_str());
    Print("  candidates of the history", rates);
    for (size_t i = 0; i < kModelRows; ++i) mean[i] += rates[i] / kSeeds;
  }
  Print("mean, candidates of the history", mean);
  EXPECT_THAT(Of(mean, ModelRow::kPopularity), IsBetween(0.04, 0.11));
  EXPECT_THAT(Of(mean, ModelRow::kOwnItems), IsBetween(0.13, 0.20));
  EXPECT_THAT(Of(mean, ModelRow::kCoVisitation), IsBetween(0.40, 0.47));
  EXPECT_THAT(Of(mean, ModelRow::kFresh), IsBetween(0.46, 0.54));
  EXPECT_THAT(Of(mean, ModelRow::kWithoutLast) / Of(mean, ModelRow::kFresh),
              IsBetween(0.53, 0.78));
}

TEST(PosterShapeTest, TheScanIsWorthItsTime) {
  std::vector<CatalogueItem> catalogue;
  for (uint32_t i = 0; i < Shop().size(); ++i) {
    catalogue.push_back(Shop().item(i));
  }
  const auto rates = HitRates(*Generate(1), catalogue);
  Print("seed 1, the whole catalogue", rates);
  EXPECT_THAT(Of(rates, ModelRow::kFresh), IsBetween(0.45, 0.55));
  EXPECT_GE(Of(rates, ModelRow::kFresh), Of(rates, ModelRow::kCheap) + 0.02);
}

}  // namespace
}  // namespace freshline::bench
