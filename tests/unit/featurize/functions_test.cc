// SPDX-License-Identifier: Apache-2.0
#include "featurize/functions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <utility>

#include "featurize/kernels.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/featurize/shop_fixture.h"

namespace freshline::featurize {
namespace {

using registry::Revision;
using registry::RowLayout;
using registry::Scalar;
using registry::ValueType;
using test::IsOk;
using test::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr base::GroupId kCounts{0};
constexpr base::GroupId kEmbedding{1};
constexpr base::GroupId kRetrieval{2};

// Three groups, one of each kind, over the table `path` of `dim` columns.
Revision Definitions(const std::string& path, uint32_t dim,
                     uint32_t vector_dim = 64) {
  Revision::Contents contents;
  contents.entities = {{"user", {{"user_id", Scalar::kInt64}}}};
  contents.sources = {test::ShopSource()};
  contents.item_tables = {{"shop", path, dim}};
  contents.groups.resize(3);
  for (uint32_t i = 0; i < 3; ++i) {
    registry::FeatureGroup& group = contents.groups[i];
    group.id = base::GroupId{i};
    group.name = std::string("group") + std::to_string(i);
    group.features.resize(1);
  }
  contents.groups[0].features[0].aggregate.emplace();
  contents.groups[0].layout = RowLayout({ValueType::Of(Scalar::kInt64)});
  contents.groups[1].computation = registry::Embedding{};
  contents.groups[1].layout = RowLayout({ValueType::Vector(vector_dim)});
  contents.groups[2].computation = registry::Retrieval{};
  contents.groups[2].layout = RowLayout({ValueType::ListOf(Scalar::kInt64)});
  return Revision(std::move(contents));
}

class FunctionsTest : public testing::Test {
 protected:
  FunctionsTest() {
    EXPECT_THAT(WriteItemTable(path_, test::MakeShop({})), IsOk());
  }
  ~FunctionsTest() override { std::remove(path_.c_str()); }
  std::string directory() const { return path_.substr(0, path_.rfind('/')); }
  std::string file() const { return path_.substr(path_.rfind('/') + 1); }

  const std::string path_ = test::TempTablePath("functions");
};

TEST_F(FunctionsTest, MakesEachKindOfGroup) {
  const Revision revision = Definitions(path_, 64);
  const auto tables = ItemTables::Open(revision, "/elsewhere");
  ASSERT_THAT(tables, IsOk());
  const auto counts = MakeFunction(revision, kCounts, *tables);
  const auto embedding = MakeFunction(revision, kEmbedding, *tables);
  const auto retrieval = MakeFunction(revision, kRetrieval, *tables);
  ASSERT_THAT(counts, IsOk());
  ASSERT_THAT(embedding, IsOk());
  ASSERT_THAT(retrieval, IsOk());
  EXPECT_TRUE((*counts)->always_inline());
  EXPECT_FALSE((*embedding)->always_inline());
  test::Visit visit;
  visit.Click(tables->table(0)->item(4));
  const Input input{visit.View(), 0};
  const auto scans = [&](const FeatureFunction& function) {
    return function.Shape(input, function.MakeScratch().get()).scans;
  };
  EXPECT_EQ(scans(**embedding), 0U);
  EXPECT_EQ(scans(**retrieval), 1U);
}

TEST_F(FunctionsTest, FindsRelativePathsInTheDirectory) {
  EXPECT_THAT(ItemTables::Open(Definitions(file(), 64), directory()), IsOk());
  EXPECT_THAT(ItemTables::Open(Definitions(file(), 64), "/elsewhere"),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("item_table \"shop\""),
                             HasSubstr("/elsewhere/" + file()))));
}

TEST_F(FunctionsTest, RefusesTablesOfAnotherDimension) {
  EXPECT_THAT(
      ItemTables::Open(Definitions(path_, 32), ""),
      StatusIs(absl::StatusCode::kInvalidArgument,
               AllOf(HasSubstr("item_table \"shop\""), HasSubstr("dim: 32"))));
  const Revision revision = Definitions(path_, 64, 63);
  const auto tables = ItemTables::Open(revision, "");
  ASSERT_THAT(tables, IsOk());
  EXPECT_THAT(MakeFunction(revision, kEmbedding, *tables),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("\"group1\""), HasSubstr("of 63"),
                             HasSubstr("vector_dim: 64"))));
  EXPECT_THAT(
      MakeFunction(revision, kRetrieval, ItemTables()),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not open")));
}

TEST_F(FunctionsTest, SamplesItemsThatTheTableKnows) {
  const Revision revision = Definitions(path_, 64);
  const auto tables = ItemTables::Open(revision, "");
  ASSERT_THAT(tables, IsOk());
  EXPECT_FALSE(tables->SamplerOf(revision.group(kCounts)));
  base::Rng rng(1);
  for (const base::GroupId group : {kEmbedding, kRetrieval}) {
    const auto sampler = tables->SamplerOf(revision.group(group));
    std::set<int64_t> drawn;
    for (int i = 0; i < 3000; ++i) drawn.insert(sampler(&rng));
    EXPECT_EQ(drawn.size(), tables->table(0)->items());
    for (const int64_t item : drawn) {
      EXPECT_TRUE(tables->table(0)->Find(item).has_value());
    }
  }
}

TEST(KernelNameTest, IsThatOfTheSelectedSet) {
  EXPECT_EQ(KernelName(), SelectKernels().name);
}

}  // namespace
}  // namespace freshline::featurize
