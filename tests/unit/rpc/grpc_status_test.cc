// SPDX-License-Identifier: Apache-2.0
#include "rpc/grpc_status.h"

#include <gtest/gtest.h>

#include <string>

namespace freshline::rpc {
namespace {

TEST(GrpcStatusTest, CodesAndMessagesArriveAsTheyAre) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "why");
    const absl::Status wire = ToGrpcStatus(status);
    EXPECT_EQ(static_cast<int>(wire.code()), code);
    EXPECT_EQ(wire.message(), "why");
  }
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
}

std::string Message(const std::string& text) {
  return std::string(ToGrpcStatus(absl::NotFoundError(text)).message());
}

TEST(GrpcStatusTest, LongMessagesAreCut) {
  // They travel as metadata, of which a peer takes 8 KiB.
  EXPECT_EQ(Message(std::string(4096, 'x')), std::string(4096, 'x'));
  EXPECT_EQ(Message(std::string(4097, 'x')), std::string(4093, 'x') + "...");
  EXPECT_EQ(Message(std::string(100'000, 'x')), std::string(4093, 'x') + "...");
}

TEST(GrpcStatusTest, AMessageIsCutByWhatItTakesOnTheWire) {
  // Each of the three bytes of a character is written as %XX.
  std::string euros;
  for (int i = 0; i < 1500; ++i) euros += "\xe2\x82\xac";
  const std::string cut = Message(euros);
  EXPECT_EQ(cut.size(), 3 * (4093 / 9) + 3U);
  EXPECT_EQ(cut, euros.substr(0, cut.size() - 3) + "...");
  EXPECT_EQ(Message(std::string(4000, '%')), std::string(1364, '%') + "...");
  EXPECT_EQ(Message(euros.substr(0, 300)), euros.substr(0, 300));
}

TEST(GrpcStatusTest, ForeignBytesArriveAsOneLineOfText) {
  EXPECT_EQ(Message("no \"a\nb\x1b[2J\xff\""), "no \"a\\x0ab\\x1b[2J\\xff\"");
  EXPECT_EQ(Message(std::string(5000, '\xff')).size(), 4093 / 4 * 4 + 3 + 1U);
}

}  // namespace
}  // namespace freshline::rpc
