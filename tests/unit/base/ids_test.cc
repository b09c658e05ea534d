// SPDX-License-Identifier: Apache-2.0
#include "base/ids.h"

#include <type_traits>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "base/job_shape.h"
#include "gtest/gtest.h"

namespace freshline::base {
namespace {

TEST(IdsTest, DoNotConvertIntoEachOther) {
  EXPECT_FALSE((std::is_convertible_v<KeyId, GroupId>));
  EXPECT_FALSE((std::is_convertible_v<TicketId, JobId>));
  EXPECT_FALSE((std::is_convertible_v<uint64_t, KeyId>));
  EXPECT_FALSE((std::is_convertible_v<KeyId, uint64_t>));
}

TEST(IdsTest, KeepTheirNumber) {
  EXPECT_EQ(ToInt(KeyId{0xffffffffffffffff}), 0xffffffffffffffff);
  EXPECT_EQ(ToInt(GroupId{7}), 7U);
  EXPECT_EQ(ToInt(TicketId{8}), 8U);
  EXPECT_EQ(ToInt(FlowId{9}), 9U);
  EXPECT_EQ(ToInt(JobId{10}), 10U);
  EXPECT_EQ(ToInt(WorkerId{11}), 11U);
}

TEST(RowIdTest, IsOrderedByKeyAndThenByGroup) {
  const RowId a{KeyId{1}, GroupId{9}}, b{KeyId{2}, GroupId{0}},
      c{KeyId{2}, GroupId{1}};
  EXPECT_LT(a, b);
  EXPECT_LT(b, c);
  EXPECT_EQ(c, (RowId{KeyId{2}, GroupId{1}}));
}

TEST(RowIdTest, HashAgreesWithEquality) {
  absl::flat_hash_set<RowId> rows;
  for (int round = 0; round < 2; ++round) {
    for (uint64_t i = 0; i < 16; ++i) {
      rows.insert({KeyId{i / 4 << 32}, GroupId{static_cast<uint32_t>(i % 4)}});
    }
  }
  EXPECT_EQ(rows.size(), 16);
  const absl::Hash<RowId> hash;
  const RowId row{KeyId{1}, GroupId{2}};
  EXPECT_EQ(hash(row), hash(RowId{KeyId{1}, GroupId{2}}));
  EXPECT_NE(hash(row), hash(RowId{KeyId{2}, GroupId{1}}));
  EXPECT_NE(hash(row), hash(RowId{KeyId{1}, GroupId{3}}));
}

TEST(JobShapeTest, DiffersByEveryField) {
  const JobShape shape{GroupId{1}, 2, 3};
  EXPECT_EQ(shape, (JobShape{GroupId{1}, 2, 3}));
  EXPECT_NE(shape, (JobShape{GroupId{2}, 2, 3}));
  EXPECT_NE(shape, (JobShape{GroupId{1}, 3, 3}));
  EXPECT_NE(shape, (JobShape{GroupId{1}, 2, 4}));
}

}  // namespace
}  // namespace freshline::base
