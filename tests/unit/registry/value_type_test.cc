// SPDX-License-Identifier: Apache-2.0
#include "registry/value_type.h"

#include <gtest/gtest.h>

namespace freshline::registry {
namespace {

TEST(ValueTypeTest, PrintsAsDefinitionsWriteIt) {
  EXPECT_EQ(ToString(ValueType::Of(Scalar::kBool)), "BOOL");
  EXPECT_EQ(ToString(ValueType::Of(Scalar::kTimestamp)), "TIMESTAMP");
  EXPECT_EQ(ToString(ValueType::ListOf(Scalar::kString)), "list of STRING");
  EXPECT_EQ(ToString(ValueType::Vector(64)), "vector of 64");
}

TEST(ValueTypeTest, TypesDifferByShapeElementAndDimension) {
  EXPECT_EQ(ValueType::Vector(8), ValueType::Vector(8));
  EXPECT_NE(ValueType::Vector(8), ValueType::Vector(9));
  EXPECT_NE(ValueType::Of(Scalar::kInt64), ValueType::ListOf(Scalar::kInt64));
  EXPECT_NE(ValueType::Of(Scalar::kInt64), ValueType::Of(Scalar::kTimestamp));
}

}  // namespace
}  // namespace freshline::registry
