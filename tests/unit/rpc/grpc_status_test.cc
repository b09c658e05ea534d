// SPDX-License-Identifier: Apache-2.0
#include "rpc/grpc_status.h"

#include <gtest/gtest.h>

namespace freshline::rpc {
namespace {

TEST(GrpcStatusTest, CodesAndMessagesArriveAsTheyAre) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "why");
    const grpc::Status wire = ToGrpcStatus(status);
    EXPECT_EQ(static_cast<int>(wire.error_code()), code);
    EXPECT_EQ(wire.error_message(), "why");
  }
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
}

TEST(GrpcStatusTest, LongMessagesAreCut) {
  // They travel as metadata, of which a peer takes 8 KiB.
  const grpc::Status wire =
      ToGrpcStatus(absl::InvalidArgumentError(std::string(100'000, 'x')));
  EXPECT_EQ(wire.error_message().size(), 4096U);
}

}  // namespace
}  // namespace freshline::rpc
