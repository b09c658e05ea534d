// SPDX-License-Identifier: Apache-2.0
#include "base/job_shape.h"

#include "gtest/gtest.h"

namespace freshline::base {
namespace {

constexpr GroupId kGroup{3};

TEST(BatchShapeTest, OneRowKeepsItsShape) {
  BatchShape batch;
  batch.Add({kGroup, 7, 2});
  EXPECT_EQ(batch.rows(), 1U);
  EXPECT_EQ(batch.shape(), (JobShape{kGroup, 7, 2}));
}

TEST(BatchShapeTest, ScansAreThoseOfAnAverageRow) {
  BatchShape batch;
  batch.Add({kGroup, 7, 4});
  batch.Add({kGroup, 9, 1});
  EXPECT_EQ(batch.shape(), (JobShape{kGroup, 9, 3}));
  batch.Add({kGroup, 1, 1});
  EXPECT_EQ(batch.shape(), (JobShape{kGroup, 9, 2}));
  EXPECT_EQ(batch.rows(), 3U);
}

TEST(BatchShapeTest, RowsWithoutScansHaveNone) {
  BatchShape batch;
  batch.Add({kGroup, 7, 0});
  batch.Add({kGroup, 8, 0});
  EXPECT_EQ(batch.shape(), (JobShape{kGroup, 8, 0}));
}

}  // namespace
}  // namespace freshline::base
