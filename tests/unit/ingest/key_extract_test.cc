// SPDX-License-Identifier: Apache-2.0
#include "ingest/key_extract.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/status_matchers.h"

namespace freshline::ingest {
namespace {

using ::freshline::test::StatusIs;
using registry::Scalar;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

const registry::Entity& UserAndShop() {
  static const auto* const entity = new registry::Entity{
      "visit", {{"user_id", Scalar::kInt64}, {"shop", Scalar::kString}}};
  return *entity;
}

ColumnInput Ints(absl::string_view name, std::span<const int64_t> values) {
  return {name, Scalar::kInt64, values, {}};
}
ColumnInput Texts(absl::string_view name,
                  std::span<const absl::string_view> values) {
  return {name, Scalar::kString, values, {}};
}

std::string KeyOf(int64_t user, absl::string_view shop) {
  registry::EntityKeyBuilder builder;
  builder.AddInt64(user);
  builder.AddString(shop);
  return {builder.bytes().data(), builder.bytes().size()};
}

class KeyExtractTest : public testing::Test {
 protected:
  absl::Status Error(std::vector<ColumnInput> columns, size_t rows,
                     KeyShape shape = KeyShape::kOnePerRow) {
    return KeyExtractor::Create(UserAndShop(), columns, rows, shape,
                                "events[3]")
        .status();
  }

  const std::vector<int64_t> users_ = {7, 8, 9};
  const std::vector<absl::string_view> shops_ = {"a", "b", ""};
  const std::vector<int64_t> one_user_ = {7};
  const std::vector<absl::string_view> one_shop_ = {"a"};
  registry::EntityKeyBuilder builder_;
};

TEST_F(KeyExtractTest, BuildsCanonicalKeysInDeclaredOrder) {
  const ColumnInput columns[] = {Texts("shop", shops_), Ints("other", users_),
                                 Ints("user_id", users_)};
  const auto keys = KeyExtractor::Create(UserAndShop(), columns, 3,
                                         KeyShape::kOnePerRow, "events[0]");
  ASSERT_THAT(keys, test::IsOk());
  EXPECT_FALSE(keys->shared());
  for (size_t row = 0; row < 3; ++row) {
    EXPECT_EQ(keys->Key(row, &builder_), KeyOf(users_[row], shops_[row]));
  }
}

TEST_F(KeyExtractTest, OneValueHoldsForEveryRowOfAQuery) {
  const ColumnInput columns[] = {Ints("user_id", one_user_),
                                 Texts("shop", shops_)};
  const auto keys = KeyExtractor::Create(UserAndShop(), columns, 3,
                                         KeyShape::kOneOrOnePerRow, "entities");
  ASSERT_THAT(keys, test::IsOk());
  EXPECT_FALSE(keys->shared());
  EXPECT_EQ(keys->Key(1, &builder_), KeyOf(7, "b"));
}

TEST_F(KeyExtractTest, IsSharedWhereEveryColumnHasOneValue) {
  const ColumnInput columns[] = {Ints("user_id", one_user_),
                                 Texts("shop", one_shop_)};
  const auto keys = KeyExtractor::Create(UserAndShop(), columns, 100,
                                         KeyShape::kOneOrOnePerRow, "entities");
  ASSERT_THAT(keys, test::IsOk());
  EXPECT_TRUE(keys->shared());
  EXPECT_EQ(keys->Key(99, &builder_), KeyOf(7, "a"));
}

TEST_F(KeyExtractTest, EventsNeedAKeyPerRow) {
  EXPECT_THAT(
      Error({Ints("user_id", one_user_), Texts("shop", shops_)}, 3),
      StatusIs(kInvalid, AllOf(HasSubstr("events[3]: column \"user_id\""),
                               HasSubstr("1 values for 3 rows"))));
}

TEST_F(KeyExtractTest, NamesAMissingKeyAndWhatWasGiven) {
  EXPECT_THAT(Error({Ints("user_id", users_), Texts("shop_name", shops_)}, 3),
              StatusIs(kInvalid,
                       AllOf(HasSubstr("column \"shop\" is missing"),
                             HasSubstr("entity \"visit\""), HasSubstr("STRING"),
                             HasSubstr("columns given: \"user_id\", "
                                       "\"shop_name\""))));
  EXPECT_THAT(Error({}, 3),
              StatusIs(kInvalid, HasSubstr("no column is given")));
}

TEST_F(KeyExtractTest, RefusesARepeatedKey) {
  EXPECT_THAT(Error({Ints("user_id", users_), Texts("shop", shops_),
                     Ints("user_id", users_)},
                    3),
              StatusIs(kInvalid, HasSubstr("\"user_id\" is given twice")));
}

TEST_F(KeyExtractTest, RefusesAnotherType) {
  EXPECT_THAT(
      Error({Texts("user_id", shops_), Texts("shop", shops_)}, 3),
      StatusIs(kInvalid, AllOf(HasSubstr("\"user_id\" has STRING values"),
                               HasSubstr("declared INT64"))));
  ColumnInput time = Ints("user_id", users_);
  time.type = Scalar::kTimestamp;
  EXPECT_THAT(Error({time, Texts("shop", shops_)}, 3),
              StatusIs(kInvalid, HasSubstr("has TIMESTAMP values")));
}

TEST_F(KeyExtractTest, RefusesNullKeys) {
  const uint32_t null_rows[] = {2};
  ColumnInput users = Ints("user_id", users_);
  users.null_rows = null_rows;
  EXPECT_THAT(Error({users, Texts("shop", shops_)}, 3),
              StatusIs(kInvalid, HasSubstr("\"user_id\", row 2: NULL")));
}

TEST_F(KeyExtractTest, RefusesOverlongKeys) {
  const std::string longest(kKeyStringBytesMax, 'x');
  const std::string too_long = longest + "x";
  const std::vector<absl::string_view> fits = {"a", longest, "c"};
  EXPECT_THAT(Error({Ints("user_id", users_), Texts("shop", fits)}, 3),
              test::IsOk());
  const std::vector<absl::string_view> beyond = {"a", too_long, "c"};
  EXPECT_THAT(Error({Ints("user_id", users_), Texts("shop", beyond)}, 3),
              StatusIs(kInvalid, AllOf(HasSubstr("\"shop\", row 1"),
                                       HasSubstr("513 bytes; at most 512"))));
}

TEST_F(KeyExtractTest, CheckColumnWantsNullRowsAscendingAndInRange) {
  ColumnInput column = Ints("item", users_);
  const uint32_t good[] = {0, 2};
  column.null_rows = good;
  EXPECT_THAT(CheckColumn(column, Scalar::kInt64, 3, "x"), test::IsOk());
  const uint32_t descending[] = {2, 0};
  column.null_rows = descending;
  EXPECT_THAT(CheckColumn(column, Scalar::kInt64, 3, "x"),
              StatusIs(kInvalid, HasSubstr("null_rows[1] is 0")));
  const uint32_t twice[] = {1, 1};
  column.null_rows = twice;
  EXPECT_THAT(CheckColumn(column, Scalar::kInt64, 3, "x"),
              StatusIs(kInvalid, HasSubstr("null_rows[1] is 1")));
  const uint32_t beyond[] = {3};
  column.null_rows = beyond;
  EXPECT_THAT(CheckColumn(column, Scalar::kInt64, 3, "x"),
              StatusIs(kInvalid, HasSubstr("below 3")));
}

}  // namespace
}  // namespace freshline::ingest
