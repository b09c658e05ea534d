// SPDX-License-Identifier: Apache-2.0
#include "daemon/config/listen_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace freshline::daemon {
namespace {

using test::IsOk;
using test::StatusIs;
using ::testing::HasSubstr;

TEST(ListenAddressTest, ReadsHostAndPort) {
  const auto name = ParseListenAddress("localhost:80");
  ASSERT_THAT(name, IsOk());
  EXPECT_EQ(name->host, "localhost");
  EXPECT_EQ(name->port, 80);
  const auto v6 = ParseListenAddress("[::1]:0");
  ASSERT_THAT(v6, IsOk());
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->port, 0);
  const auto socket = ParseListenAddress("unix:/run/x.sock");
  ASSERT_THAT(socket, IsOk());
  EXPECT_TRUE(socket->is_unix());
  EXPECT_EQ(socket->unix_path, "/run/x.sock");
}

TEST(ListenAddressTest, FormatsWhatItReads) {
  for (const char* text : {"127.0.0.1:7460", "[::1]:0", "[fe80::1]:65535",
                           "feature-store.local:1", "unix:/tmp/a b.sock"}) {
    const auto address = ParseListenAddress(text);
    ASSERT_THAT(address, IsOk());
    EXPECT_EQ(FormatListenAddress(*address), text);
  }
}

TEST(ListenAddressTest, RefusesWithTheReason) {
  const struct {
    std::string text;
    const char* why;
  } cases[] = {
      {"", "the port is missing"},
      {"127.0.0.1", "the port is missing"},
      {"127.0.0.1:", "the port is not a number from 0 to 65535"},
      {"127.0.0.1:65536", "the port is not a number"},
      {"127.0.0.1:-1", "the port is not a number"},
      {"127.0.0.1:+1", "the port is not a number"},
      {"127.0.0.1:http", "the port is not a number"},
      {"127.0.0.1:000080", "the port is not a number"},
      {":80", "the host is missing"},
      {"::1:80", "an IPv6 address stands in brackets"},
      {"[::1:80", "an IPv6 address stands in brackets"},
      {"[127.0.0.1]:80", "the brackets hold no IPv6 address"},
      {"[]:80", "the brackets hold no IPv6 address"},
      {"a b:80", "the host is neither a name nor an address"},
      {std::string(254, 'a') + ":80", "the host is neither"},
      {"unix:run/x.sock", "must be absolute"},
      {"unix:", "must be absolute"},
      {"unix:/" + std::string(107, 'x'), "has 108 bytes, at most 107"},
      {std::string("unix:/a\0b", 9), "contains a zero byte"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(ParseListenAddress(c.text),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(c.why)))
        << c.text;
  }
}

TEST(ListenAddressTest, KnowsWhatOnlyThisMachineReaches) {
  for (const char* text : {"127.0.0.1:1", "127.8.9.10:1", "localhost:1",
                           "[::1]:1", "[::ffff:127.0.0.1]:1", "unix:/x"}) {
    EXPECT_TRUE(IsLoopback(*ParseListenAddress(text))) << text;
  }
  for (const char* text :
       {"0.0.0.0:1", "128.0.0.1:1", "10.0.0.1:1", "[::]:1", "[fe80::1]:1",
        "[::ffff:10.0.0.1]:1", "localhost.example.org:1", "example.org:1"}) {
    EXPECT_FALSE(IsLoopback(*ParseListenAddress(text))) << text;
  }
}

}  // namespace
}  // namespace freshline::daemon
