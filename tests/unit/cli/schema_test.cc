// SPDX-License-Identifier: Apache-2.0
#include "cli/schema.h"

#include <gmock/gmock.h>

#include "tests/support/fake_feature_store.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/cli/shop_schema.h"

namespace freshline::cli {
namespace {

using test::StatusIs;
using ::testing::HasSubstr;

TEST(SchemaTest, KnowsSourcesWithTheirKeysFirst) {
  const Schema schema(ShopSchema());
  const SchemaSource* clicks = *schema.GetSource("clicks");
  ASSERT_EQ(clicks->columns.size(), 6u);
  EXPECT_EQ(clicks->columns[0].name, "user_id");
  EXPECT_TRUE(clicks->columns[0].key);
  EXPECT_EQ(clicks->Find("price")->type, v1::FLOAT64);
  EXPECT_FALSE(clicks->Find("price")->key);
  EXPECT_EQ(clicks->Find("cost"), nullptr);
  EXPECT_EQ(clicks->retention, "30d");
  EXPECT_THAT(schema.GetSource("visits"),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("there are: clicks, payments")));
}

TEST(SchemaTest, KeysDeclaredDifferentlyHaveNoOneType) {
  const Schema schema(ShopSchema());
  EXPECT_EQ(*schema.KeyType("user_id"), v1::INT64);
  EXPECT_EQ(*schema.KeyType("card"), v1::STRING);
  EXPECT_EQ(*schema.KeyType("visit"), std::nullopt);
}

TEST(SchemaTest, ADaemonThatDoesNotTellIsToldToBeOlder) {
  const test::FakeFeatureStore store({});
  ClientOptions options;
  options.target = store.target();
  auto client = Client::Create(options);
  ASSERT_TRUE(client.ok());
  EXPECT_THAT(Schema::Ask(**client).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("older than this command")));
}

}  // namespace
}  // namespace freshline::cli
