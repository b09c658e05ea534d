// SPDX-License-Identifier: Apache-2.0
#include "rpc/call_head.h"

#include <gtest/gtest.h>

#include <string>

namespace freshline::rpc {
namespace {

using std::chrono::hours;
using std::chrono::nanoseconds;

TEST(CallHeadTest, ReadsWhatACallSays) {
  CallHead head;
  head.Reset();
  head.Add(":method", "POST");
  head.Add(":path", "/a.B/C");
  head.Add("content-type", "application/grpc+proto");
  head.Add("te", "trailers");
  head.Add("grpc-timeout", "30m");
  EXPECT_EQ(head.path(), "/a.B/C");
  EXPECT_TRUE(head.is_post());
  EXPECT_TRUE(head.is_grpc());
  EXPECT_EQ(head.timeout(), std::chrono::milliseconds(30));
  EXPECT_EQ(head.metadata_bytes(), 0U);
  head.Add("x", "yy");
  EXPECT_EQ(head.metadata_bytes(), 35U);
  head.Reset();
  EXPECT_EQ(head.path(), "");
  EXPECT_FALSE(head.is_post());
  EXPECT_FALSE(head.is_grpc());
  EXPECT_EQ(head.timeout(), CallHead::kInfinite);
  EXPECT_EQ(head.metadata_bytes(), 0U);
}

TEST(CallHeadTest, KnowsTheContentTypeOfGrpc) {
  const auto is_grpc = [](const char* type) {
    CallHead head;
    head.Add("content-type", type);
    return head.is_grpc();
  };
  EXPECT_TRUE(is_grpc("application/grpc"));
  EXPECT_TRUE(is_grpc("application/grpc;charset=utf-8"));
  EXPECT_TRUE(is_grpc("application/grpc+proto;x"));
  EXPECT_FALSE(is_grpc("application/grpc+json"));
  EXPECT_FALSE(is_grpc("application/grpc-web"));
  EXPECT_FALSE(is_grpc("application/json"));
}

TEST(ParseTimeoutTest, TakesEveryUnitAndNothingElse) {
  EXPECT_EQ(ParseTimeout("7n"), nanoseconds(7));
  EXPECT_EQ(ParseTimeout("7u"), nanoseconds(7'000));
  EXPECT_EQ(ParseTimeout("7m"), nanoseconds(7'000'000));
  EXPECT_EQ(ParseTimeout("7S"), nanoseconds(7'000'000'000));
  EXPECT_EQ(ParseTimeout("7M"), nanoseconds(420'000'000'000));
  EXPECT_EQ(ParseTimeout("7H"), hours(7));
  EXPECT_EQ(ParseTimeout("0n"), nanoseconds(0));
  EXPECT_EQ(ParseTimeout("99999999S"), std::chrono::seconds(99'999'999));
  EXPECT_EQ(ParseTimeout("99999999H"), CallHead::kInfinite);
  for (const char* text : {"", "7", "m", "-7m", "7 m", "7x", "123456789n"}) {
    EXPECT_EQ(ParseTimeout(text), CallHead::kInfinite) << text;
  }
}

TEST(PercentEncodeTest, LeavesWhatAHeaderMayCarry) {
  EXPECT_EQ(PercentEncode("plain ~ text"), "plain ~ text");
  EXPECT_EQ(PercentEncode("100%\n\xe2\x82\xac\x7f"), "100%25%0A%E2%82%AC%7F");
}

}  // namespace
}  // namespace freshline::rpc
