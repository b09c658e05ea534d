// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "daemon/config/config.h"
#include "freshline/config/v1/daemon.pb.h"
#include "freshline/v1/registry.pb.h"
#include "registry/textproto.h"
#include "registry/validate.h"
#include "tests/support/status_matchers.h"

namespace freshline::daemon {
namespace {

using test::IsOk;
using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;

std::vector<std::string> ShippedFiles() {
  std::vector<std::string> files;
  for (const auto& entry :
       std::filesystem::directory_iterator(FRESHLINE_CONFIG_DIR)) {
    if (entry.path().extension() == ".textproto") {
      files.push_back(entry.path().string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string Shipped(const std::string& name) {
  return std::string(FRESHLINE_CONFIG_DIR) + "/" + name;
}

bool IsDaemonConfig(const std::string& file) {
  return std::filesystem::path(file).filename().string().rfind("freshlined",
                                                               0) == 0;
}

std::shared_ptr<const registry::Revision> Definitions(const std::string& name) {
  auto revision = registry::LoadDefinitions({Shipped(name)});
  EXPECT_THAT(revision, IsOk());
  return revision.ok() ? *std::move(revision) : nullptr;
}

TEST(ShippedConfigTest, EveryFileLoadsAndEveryDefinitionIsReferredTo) {
  std::vector<std::string> definitions;
  std::vector<std::string> referred;
  for (const std::string& file : ShippedFiles()) {
    SCOPED_TRACE(file);
    if (!IsDaemonConfig(file)) {
      definitions.push_back(file);
      EXPECT_THAT(registry::LoadDefinitions({file}), IsOk());
      continue;
    }
    const auto config = LoadConfig(file, 2);
    ASSERT_THAT(config, IsOk());
    EXPECT_FALSE(config->off_loopback());
    EXPECT_THAT(registry::LoadDefinitions(config->definitions), IsOk());
    for (const std::string& path : config->definitions) {
      referred.push_back(path);
    }
  }
  ASSERT_THAT(definitions, Not(IsEmpty()));
  for (const std::string& file : definitions) {
    const std::string normal =
        std::filesystem::absolute(file).lexically_normal().string();
    EXPECT_THAT(referred, Contains(normal));
  }
}

TEST(ShippedConfigTest, Rees46RetrievesAsTheRecommenderWasMeasured) {
  const auto revision = Definitions("rees46.textproto");
  ASSERT_NE(revision, nullptr);
  const auto* recommend = revision->FindService("recommend");
  ASSERT_NE(recommend, nullptr);
  EXPECT_EQ(recommend->plan->slo, std::chrono::milliseconds(30));
  ASSERT_EQ(recommend->plan->groups.size(), 1u);
  const auto& group = revision->group(recommend->plan->groups[0]);
  const auto& retrieval = std::get<registry::Retrieval>(group.computation);
  EXPECT_EQ(retrieval.last_events, 50u);
  EXPECT_EQ(retrieval.top, 20u);
  EXPECT_TRUE(retrieval.category_column.has_value());
  EXPECT_TRUE(retrieval.brand_column.has_value());
  EXPECT_TRUE(retrieval.price_column.has_value());
  EXPECT_EQ(group.placement, registry::Placement::kScheduled);
  EXPECT_EQ(group.batch_max, 16u);
  EXPECT_EQ(group.staleness.kind, registry::Staleness::Kind::kPendingShare);
  EXPECT_EQ(revision->item_tables()[retrieval.item_table].dim, 64u);
}

TEST(ShippedConfigTest, FraudNeedsNoItemTableAndNoWorker) {
  const auto revision = Definitions("fraud.textproto");
  ASSERT_NE(revision, nullptr);
  EXPECT_THAT(revision->item_tables(), IsEmpty());
  for (const auto& group : revision->groups()) {
    EXPECT_TRUE(std::holds_alternative<std::monostate>(group.computation));
  }
  const auto* score = revision->FindService("score_transaction");
  ASSERT_NE(score, nullptr);
  EXPECT_EQ(score->plan->slo, std::chrono::milliseconds(10));
}

// The comments say that a commented-out field shows its default; on a machine
// of eight cores all of them do.
TEST(ShippedConfigTest, CommentedOutSettingsAreTheDefaults) {
  const auto text = registry::ReadTextFile(Shipped("freshlined.textproto"));
  ASSERT_THAT(text, IsOk());
  std::string all;
  int uncommented = 0;
  const std::vector<std::string> lines = absl::StrSplit(*text, '\n');
  for (absl::string_view line : lines) {
    absl::string_view setting = line;
    if (absl::ConsumePrefix(&setting, "  # ") &&
        absl::EndsWith(setting.substr(0, setting.find(' ')), ":")) {
      line = setting;
      ++uncommented;
    }
    absl::StrAppend(&all, line, "\n");
  }
  EXPECT_GE(uncommented, 5);
  const auto shipped = ParseConfig(all, "/f", 8);
  ASSERT_THAT(shipped, IsOk());
  const auto defaults = ParseConfig("definitions: 'x'", "/f", 8);
  ASSERT_THAT(defaults, IsOk());
  EXPECT_TRUE(shipped->scheduler == defaults->scheduler);
  EXPECT_TRUE(shipped->table == defaults->table);
  EXPECT_TRUE(shipped->ingest == defaults->ingest);
  EXPECT_TRUE(shipped->rpc == defaults->rpc);
  EXPECT_TRUE(shipped->listen == defaults->listen);
}

}  // namespace
}  // namespace freshline::daemon
