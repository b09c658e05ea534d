// SPDX-License-Identifier: Apache-2.0
#include "rpc/message_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/http2_frames.h"

namespace freshline::rpc {
namespace {

using Event = MessageReader::Event;
using test::GrpcMessage;

std::span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

TEST(MessageReaderTest, FindsMessagesWhereverTheBytesAreCut) {
  const std::vector<std::string> messages = {"one", "", std::string(300, 'x')};
  std::string bytes;
  for (const std::string& message : messages) bytes += GrpcMessage(message);
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    MessageReader reader(1000);
    std::vector<std::string> found;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      const std::string part = bytes.substr(at, piece);
      auto left = Bytes(part);
      while (!left.empty()) {
        if (reader.Read(&left) == Event::kMessage) {
          found.push_back(std::move(reader.message()));
        }
      }
    }
    EXPECT_EQ(found, messages) << piece;
    EXPECT_TRUE(reader.at_end());
  }
}

TEST(MessageReaderTest, RefusesByThePrefix) {
  MessageReader reader(1000);
  const std::string large = GrpcMessage(std::string(1001, 'x')).substr(0, 5);
  auto bytes = Bytes(large);
  EXPECT_EQ(reader.Read(&bytes), Event::kTooLarge);
  EXPECT_EQ(reader.announced(), 1001U);
  MessageReader other(1000);
  std::string compressed = GrpcMessage("x");
  compressed[0] = 1;
  bytes = Bytes(compressed);
  EXPECT_EQ(other.Read(&bytes), Event::kCompressed);
}

TEST(MessageReaderTest, AnnouncedBytesTakeNoMemory) {
  MessageReader reader(1 << 30);
  const std::string prefix = std::string("\0\x3f\xff\xff\xff", 5) + "x";
  auto bytes = Bytes(prefix);
  EXPECT_EQ(reader.Read(&bytes), Event::kNeedMore);
  EXPECT_LE(reader.kept_bytes(), 64U);
  EXPECT_FALSE(reader.at_end());
}

TEST(MessagePrefixTest, IsWhatTheReaderReads) {
  const auto prefix = MessagePrefix(0x01020304);
  EXPECT_EQ(std::string(prefix.begin(), prefix.end()),
            std::string("\0\1\2\3\4", 5));
}

}  // namespace
}  // namespace freshline::rpc
