// SPDX-License-Identifier: Apache-2.0
#include "bench/train/train.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/time_text.h"
#include "bench/trace/reader.h"
#include "featurize/content.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class BuildItemTableTest : public ::testing::Test {
 protected:
  void Add(int64_t item, uint64_t session) {
    Click click;
    click.time_us = static_cast<int64_t>(clicks_.size());
    click.item = item;
    click.session = session;
    click.category = item % 3;
    click.brand = pool_.Intern("brand");
    click.price = 10 + static_cast<double>(item);
    clicks_.push_back(click);
  }
  featurize::ItemTableContents Build() {
    auto table = BuildItemTable(clicks_, pool_, catalogue_, options_);
    EXPECT_THAT(table, IsOk());
    return table.ok() ? *std::move(table) : featurize::ItemTableContents{};
  }

  StringPool pool_;
  std::vector<Click> clicks_;
  std::vector<CatalogueItem> catalogue_;
  ModelOptions options_;
};

TEST_F(BuildItemTableTest, OrdersItemsByClicksThenId) {
  for (const int64_t item : {30, 20, 20, 10, 40, 40}) {
    Add(item, static_cast<uint64_t>(item));
  }
  const auto table = Build();
  EXPECT_THAT(table.ids, ElementsAre(20, 40, 10, 30));
  const double most = std::log(3);
  EXPECT_FLOAT_EQ(table.popularity[0],
                  static_cast<float>((std::log(2.3) - most) / 30));
  EXPECT_FLOAT_EQ(table.popularity[3],
                  static_cast<float>((std::log(1.3) - most) / 30));
}

TEST_F(BuildItemTableTest, WithoutACatalogueHoldsNothingUnclicked) {
  Add(1, 1);
  Add(2, 1);
  EXPECT_THAT(Build().ids, ElementsAre(1, 2));
}

TEST_F(BuildItemTableTest, WithACatalogueEveryItemIsACandidate) {
  Add(2, 1);
  catalogue_ = {{7, 1, "", "x", 5}, {2, 1, "", "y", 6}};
  const auto table = Build();
  EXPECT_THAT(table.ids, ElementsAre(2, 7));
  EXPECT_FLOAT_EQ(table.popularity[1],
                  static_cast<float>((std::log(0.3) - std::log(2)) / 30));
}

TEST_F(BuildItemTableTest, LooksItemsUpInTheCatalogueBeforeTheClicks) {
  Add(2, 1);
  catalogue_ = {{2, 77, "", "other", 500}};
  const auto table = Build();
  std::vector<float> expected(64);
  featurize::EncodeContent(
      featurize::ViewProjection(table.projection, table.hash_seed),
      {77, "other", 500}, expected.data());
  featurize::Normalise({expected.data(), 63});
  for (size_t d = 0; d < 64; ++d) {
    EXPECT_NEAR(table.vectors[d], expected[d], 1e-6);
  }
}

TEST_F(BuildItemTableTest, KeepsNeighboursStrongestFirstWithTheirTotal) {
  for (const int64_t item : {1, 2, 3}) Add(item, 9);
  const auto table = Build();
  ASSERT_THAT(table.ids, ElementsAre(1, 2, 3));
  EXPECT_THAT(table.offsets, ElementsAre(0, 2, 4, 6));
  EXPECT_THAT(table.neighbours, ElementsAre(1, 2, 2, 0, 1, 0));
  EXPECT_THAT(table.weights, ElementsAre(1, 0.5, 1, 0.5, 0.5, 0.25));
  EXPECT_THAT(table.totals, ElementsAre(1.5, 1.5, 0.75));
}

TEST_F(BuildItemTableTest, CutsNeighboursAtTwoHundredButNotTheTotal) {
  for (int64_t other = 1; other <= 250; ++other) {
    Add(1000, static_cast<uint64_t>(other));
    Add(other, static_cast<uint64_t>(other));
  }
  const auto table = Build();
  ASSERT_EQ(table.ids[0], 1000);
  EXPECT_EQ(table.offsets[1], 200U);
  EXPECT_FLOAT_EQ(table.totals[0], 250);
}

TEST_F(BuildItemTableTest, VectorsAreUnitLengthAndDrawnTowardsCoVisits) {
  const auto cosine = [](const featurize::ItemTableContents& table, int64_t a,
                         int64_t b) {
    const auto row = [&](int64_t id) {
      return static_cast<size_t>(
          std::find(table.ids.begin(), table.ids.end(), id) -
          table.ids.begin());
    };
    double sum = 0;
    for (size_t d = 0; d < 64; ++d) {
      sum += double{table.vectors[row(a) * 64 + d]} *
             double{table.vectors[row(b) * 64 + d]};
    }
    return sum;
  };
  Add(1, 1);
  Add(2, 2);
  const double apart = cosine(Build(), 1, 2);
  for (uint64_t session = 3; session < 30; ++session) {
    Add(1, session);
    Add(2, session);
  }
  const auto table = Build();
  EXPECT_GT(cosine(table, 1, 2), apart + 0.2);
  EXPECT_NEAR(cosine(table, 1, 1), 1, 1e-5);
  EXPECT_EQ(table.vectors[63], 0);
}

TEST_F(BuildItemTableTest, PadsWithUnitVectorsThatAreNeverRecommended) {
  Add(1, 1);
  options_.pad = 50;
  const auto table = Build();
  EXPECT_EQ(table.ids.size(), 1U);
  ASSERT_EQ(table.popularity.size(), 50U);
  ASSERT_EQ(table.vectors.size(), 50U * 64);
  for (size_t row = 1; row < 50; ++row) {
    EXPECT_EQ(table.popularity[row], featurize::kNeverRecommended);
    double square = 0;
    for (size_t d = 0; d < 64; ++d) {
      square += std::pow(double{table.vectors[row * 64 + d]}, 2);
    }
    EXPECT_NEAR(square, 1, 1e-4);
  }
}

TEST_F(BuildItemTableTest, IsTheSameForTheSameInput) {
  for (int64_t i = 0; i < 200; ++i) {
    Add(i * i % 37, static_cast<uint64_t>(i / 5));
  }
  options_.pad = 100;
  const auto a = Build();
  const auto b = Build();
  EXPECT_EQ(a.ids, b.ids);
  EXPECT_EQ(a.vectors, b.vectors);
  EXPECT_EQ(a.neighbours, b.neighbours);
  EXPECT_EQ(a.weights, b.weights);
  options_.seed = 2;
  EXPECT_NE(Build().vectors, a.vectors);
}

TEST_F(BuildItemTableTest, RefusesBadOptionsByName) {
  EXPECT_THAT(
      BuildItemTable({}, pool_, {}, {}),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no click")));
  Add(1, 1);
  const auto refusal = [&](auto change) {
    ModelOptions options;
    change(&options);
    const auto status = BuildItemTable(clicks_, pool_, {}, options).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(refusal([](ModelOptions* o) { o->dim = 1; }),
              HasSubstr("dim is 1"));
  EXPECT_THAT(refusal([](ModelOptions* o) { o->beta = 0; }),
              HasSubstr("beta is 0"));
  EXPECT_THAT(refusal([](ModelOptions* o) { o->content_weight = -1; }),
              HasSubstr("content_weight -1"));
  EXPECT_THAT(refusal([](ModelOptions* o) { o->pad = 1U << 31; }),
              HasSubstr("pad is 2147483648"));
}

class RunTrainTest : public ::testing::Test {
 protected:
  RunTrainTest()
      : directory_(
            std::filesystem::path(::testing::TempDir()) /
            ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::create_directories(directory_);
    options_.trace = Path("trace.csv");
    options_.out = Path("out");
  }
  ~RunTrainTest() override { std::filesystem::remove_all(directory_); }

  std::string Path(const char* name) const {
    return (directory_ / name).string();
  }
  void Write(const char* name, const std::string& text) const {
    std::ofstream(Path(name)) << text;
  }
  static std::string Row(const char* time, int item) {
    return std::string("2019-10-01 ") + time + " UTC,view," +
           std::to_string(item) +
           ",5,,acme,9.50,1,72d76fde-8bb3-4e00-8c23-a032dfed738c\n";
  }

  static constexpr char kHeader[] =
      "event_time,event_type,product_id,category_id,category_code,brand,"
      "price,user_id,user_session\n";
  const std::filesystem::path directory_;
  TrainOptions options_;
};

TEST_F(RunTrainTest, LearnsFromRowsBeforeTheWindowOnly) {
  Write("trace.csv", kHeader + Row("00:00:00", 1) + Row("00:00:01", 2) +
                         Row("00:00:02", 3) + Row("00:00:03", 4));
  options_.since_us = *base::ParseTime("2019-10-01 00:00:01");
  options_.until_us = *base::ParseTime("2019-10-01 00:00:03");
  options_.model.pad = 40;
  const auto report = RunTrain(options_);
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->clicks, 2U);
  EXPECT_EQ(report->clicked_items, 2U);
  EXPECT_EQ(report->padded_items, 38U);
  const auto table = featurize::ItemTable::Open(report->table_path, 64);
  ASSERT_THAT(table, IsOk());
  EXPECT_EQ((*table)->items(), 2U);
  EXPECT_EQ((*table)->rows(), 40U);
  EXPECT_TRUE((*table)->Find(2).has_value());
  EXPECT_TRUE((*table)->Find(3).has_value());
  EXPECT_FALSE((*table)->Find(1).has_value());
  EXPECT_FALSE((*table)->Find(4).has_value());
  EXPECT_EQ(TrainedUntil(options_.out), options_.until_us);
}

TEST_F(RunTrainTest, ATableOfEveryRowHasNoWindowAfterIt) {
  Write("trace.csv", kHeader + Row("00:00:00", 1) + Row("00:00:01", 2));
  options_.until_us = *base::ParseTime("2019-10-01 00:00:01");
  ASSERT_THAT(RunTrain(options_), IsOk());
  EXPECT_TRUE(TrainedUntil(options_.out).has_value());
  options_.until_us = std::numeric_limits<int64_t>::max();
  ASSERT_THAT(RunTrain(options_), IsOk());
  EXPECT_EQ(TrainedUntil(options_.out), std::nullopt);
}

TEST_F(RunTrainTest, SkipsAndCountsMalformedRows) {
  Write("trace.csv", kHeader + Row("00:00:00", 1) + "2019-10-01 00:00\n" +
                         Row("00:00:02", 3));
  EXPECT_FALSE(RunTrain(options_).ok());
  options_.skipped_share_max = 0.5;
  const auto report = RunTrain(options_);
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->clicks, 2U);
  EXPECT_EQ(report->malformed, 1U);
}

TEST_F(RunTrainTest, ReadsTheCatalogue) {
  Write("trace.csv", kHeader + Row("00:00:00", 1));
  Write("catalogue.csv",
        "product_id,category_id,category_code,brand,price\n"
        "8,5,,acme,3.00\n1,5,,acme,9.50\n");
  options_.catalogue = Path("catalogue.csv");
  const auto report = RunTrain(options_);
  ASSERT_THAT(report, IsOk());
  EXPECT_EQ(report->items, 2U);
  EXPECT_EQ(report->clicked_items, 1U);
}

TEST_F(RunTrainTest, SaysWhatIsWrongWithItsInput) {
  EXPECT_THAT(RunTrain(options_),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("trace.csv")));
  Write("trace.csv", kHeader + Row("00:00:00", 1));
  options_.until_us = 0;
  EXPECT_THAT(RunTrain(options_),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("no row in the time range")));
  options_.until_us = *base::ParseTime("2019-10-02 00:00:00");
  options_.out = Path("trace.csv") + "/below-a-file";
  EXPECT_FALSE(RunTrain(options_).ok());
}

}  // namespace
}  // namespace freshline::bench
