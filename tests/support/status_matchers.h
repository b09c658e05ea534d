// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gmock/gmock.h>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace freshline::test {

inline const absl::Status& GetStatus(const absl::Status& status) {
  return status;
}
template <typename T>
const absl::Status& GetStatus(const absl::StatusOr<T>& status) {
  return status.status();
}

// EXPECT_THAT(status_or_statusor, IsOk()).
MATCHER(IsOk, negation ? "is not OK" : "is OK") {
  *result_listener << GetStatus(arg).ToString();
  return GetStatus(arg).ok();
}

// EXPECT_THAT(x, StatusIs(absl::StatusCode::kNotFound, HasSubstr("user"))).
MATCHER_P2(StatusIs, code, message_matcher, "has the given code and message") {
  const absl::Status& status = GetStatus(arg);
  *result_listener << status.ToString();
  return status.code() == code &&
         ::testing::ExplainMatchResult(
             message_matcher,
             std::string(status.message().data(), status.message().size()),
             result_listener);
}

}  // namespace freshline::test
