// SPDX-License-Identifier: Apache-2.0
#include "base/status_macros.h"

#include <memory>

#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace freshline::base {
namespace {

using ::freshline::test::IsOk;
using ::freshline::test::StatusIs;
using ::testing::HasSubstr;

absl::Status First(const absl::Status& status, int* after) {
  FRESHLINE_RETURN_IF_ERROR(status);
  ++*after;
  return absl::OkStatus();
}

absl::StatusOr<int> Sum(absl::StatusOr<int> a,
                        absl::StatusOr<std::unique_ptr<int>> b) {
  FRESHLINE_ASSIGN_OR_RETURN(const int x, a);
  FRESHLINE_ASSIGN_OR_RETURN(std::unique_ptr<int> y, std::move(b));
  return x + *y;
}

TEST(StatusMacrosTest, ReturnsTheFirstErrorAndGoesOnWithoutOne) {
  int after = 0;
  EXPECT_THAT(First(absl::NotFoundError("user 7"), &after),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("user 7")));
  EXPECT_EQ(after, 0);
  EXPECT_THAT(First(absl::OkStatus(), &after), IsOk());
  EXPECT_EQ(after, 1);
}

TEST(StatusMacrosTest, AssignsTheValueOrReturnsTheError) {
  const auto sum = Sum(2, std::make_unique<int>(3));
  ASSERT_THAT(sum, IsOk());
  EXPECT_EQ(*sum, 5);
  EXPECT_THAT(Sum(absl::InternalError("a"), std::make_unique<int>(3)),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("a")));
  EXPECT_THAT(Sum(2, absl::InternalError("b")),
              StatusIs(absl::StatusCode::kInternal, HasSubstr("b")));
}

}  // namespace
}  // namespace freshline::base
