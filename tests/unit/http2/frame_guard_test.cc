// SPDX-License-Identifier: Apache-2.0
#include "http2/frame_guard.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include "tests/support/http2_frames.h"

namespace freshline::http2 {
namespace {

using Fault = FrameGuard::Fault;
using test::Frame;
using test::FrameType;
using test::kHttp2Preface;

class FrameGuardTest : public ::testing::Test {
 protected:
  Fault Read(const std::string& bytes) {
    return guard_->Read(
        {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, now_,
        &calls_);
  }
  Fault Repeat(const std::string& frame, int times) {
    Fault fault = Fault::kNone;
    for (int i = 0; i < times; ++i) fault = Read(frame);
    return fault;
  }
  static std::string Call(uint32_t stream) {
    return Frame(FrameType::kHeaders, test::kEndHeaders, stream,
                 std::string(60, 'h')) +
           Frame(FrameType::kData, test::kEndStream, stream,
                 std::string(40, 'd'));
  }

  base::MonoTime now_{std::chrono::seconds(1000)};
  std::optional<FrameGuard> guard_ = FrameGuard(FrameGuard::Limits{});
  FrameGuard::Calls calls_;
};

TEST_F(FrameGuardTest, CountsTheCallsOfAnOrdinaryClientAndFindsNoFault) {
  ASSERT_EQ(Read(kHttp2Preface), Fault::kNone);
  EXPECT_TRUE(guard_->begun());
  ASSERT_EQ(Read(Frame(FrameType::kSettings, 0, 0, "")), Fault::kNone);
  uint32_t stream = 1;
  for (int i = 0; i < 200'000; ++i, stream += 2) {
    // What clients send besides: windows of the stream and the connection, and
    // now and then a call that times out.
    std::string bytes = Call(stream) +
                        Frame(FrameType::kWindowUpdate, 0, 0, "1234") +
                        Frame(FrameType::kWindowUpdate, 0, stream, "1234");
    if (i % 4 == 0) {
      bytes += Frame(FrameType::kResetStream, 0, stream, "1234");
    }
    ASSERT_EQ(Read(bytes), Fault::kNone) << i;
  }
  EXPECT_EQ(calls_.opened, 200'000U);
  EXPECT_EQ(calls_.reset, 50'000U);
}

TEST_F(FrameGuardTest, ReadsTheSameWhereverTheBytesAreCut) {
  std::string bytes = kHttp2Preface;
  for (uint32_t stream = 1; stream < 40; stream += 2) bytes += Call(stream);
  for (size_t piece = 1; piece < 40; ++piece) {
    FrameGuard guard{FrameGuard::Limits{}};
    FrameGuard::Calls calls;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      const size_t n = std::min(piece, bytes.size() - at);
      ASSERT_EQ(
          guard.Read({reinterpret_cast<const uint8_t*>(bytes.data()) + at, n},
                     now_, &calls),
          Fault::kNone);
    }
    EXPECT_EQ(calls.opened, 20U) << piece;
  }
}

TEST_F(FrameGuardTest, HeadersWithoutEndAreAFault) {
  Read(kHttp2Preface);
  Read(Frame(FrameType::kHeaders, 0, 1, std::string(8000, 'h')));
  EXPECT_EQ(
      Repeat(Frame(FrameType::kContinuation, 0, 1, std::string(8000, 'h')), 7),
      Fault::kNone);
  EXPECT_EQ(Read(Frame(FrameType::kContinuation, 0, 1, std::string(8000, 'h'))),
            Fault::kHeaderBlock);
  EXPECT_EQ(Read(Call(3)), Fault::kHeaderBlock) << "it stays";
}

TEST_F(FrameGuardTest, EmptyContinuationsCountByTheirFrames) {
  Read(kHttp2Preface);
  Read(Frame(FrameType::kHeaders, 0, 1, "h"));
  EXPECT_EQ(Repeat(Frame(FrameType::kContinuation, 0, 1, ""), 8000),
            Fault::kHeaderBlock);
}

TEST_F(FrameGuardTest, LongHeadersCountAsSeveralCalls) {
  Read(kHttp2Preface);
  EXPECT_EQ(Read(Frame(FrameType::kHeaders, test::kEndHeaders, 1,
                       std::string(40 << 10, 'h'))),
            Fault::kNone);
  EXPECT_EQ(calls_.opened, 6U);
}

TEST_F(FrameGuardTest, FramesThatCarryNothingAreAFaultSoonerOrLater) {
  const struct {
    FrameType type;
    uint32_t stream;
    std::string payload;
    int fine;
  } kinds[] = {
      {FrameType::kWindowUpdate, 0, "1234", 10'000},
      {FrameType::kPriority, 3, "12345", 10'000},
      {FrameType::kData, 1, "", 10'000},
      {FrameType::kData, 1, "x", 10'000},
      {FrameType::kResetStream, 1, "1234", 200'000},
      {FrameType::kUnknown, 0, "", 10'000},
      {FrameType::kPing, 0, "12345678", 500},
      {FrameType::kSettings, 0, "", 200},
  };
  for (const auto& kind : kinds) {
    guard_.emplace(FrameGuard::Limits{});
    Read(kHttp2Preface);
    const std::string frame = Frame(kind.type, 0, kind.stream, kind.payload);
    EXPECT_EQ(Repeat(frame, kind.fine), Fault::kNone) << int(kind.type);
    EXPECT_EQ(Read(frame), Fault::kIdleFrames) << int(kind.type);
  }
}

TEST_F(FrameGuardTest, CreditComesBackWithTime) {
  Read(kHttp2Preface);
  const std::string frame = Frame(FrameType::kWindowUpdate, 0, 0, "1234");
  ASSERT_EQ(Repeat(frame, 10'000), Fault::kNone);
  for (int second = 0; second < 60; ++second) {
    now_ += std::chrono::seconds(1);
    ASSERT_EQ(Repeat(frame, 2000), Fault::kNone);
  }
  EXPECT_EQ(Read(frame), Fault::kIdleFrames);
}

TEST_F(FrameGuardTest, AnUploadInFullFramesIsFree) {
  Read(kHttp2Preface);
  Read(Frame(FrameType::kHeaders, test::kEndHeaders, 1, "h"));
  EXPECT_EQ(
      Repeat(Frame(FrameType::kData, 0, 1, std::string(1024, 'd')), 100'000),
      Fault::kNone);
}

TEST_F(FrameGuardTest, AResetOfAStreamThatWasNeverOpenedIsNoCall) {
  Read(kHttp2Preface);
  Read(Call(1) + Frame(FrameType::kResetStream, 0, 1, "1234"));
  EXPECT_EQ(Repeat(Frame(FrameType::kResetStream, 0, 20'001, "1234"), 50'000),
            Fault::kNone);
  EXPECT_EQ(calls_.reset, 1U);
}

// Clients of gRPC 1.51 send them, and a session ends over one.
TEST_F(FrameGuardTest, KeepsBackResetsOfStreamsThatWereNeverOpened) {
  const std::string reset = Frame(FrameType::kResetStream, 0, 9, "1234");
  const std::string kept =
      kHttp2Preface + Frame(FrameType::kSettings, 0, 0, "") + Call(1) + Call(3);
  const std::string bytes = kHttp2Preface +
                            Frame(FrameType::kSettings, 0, 0, "") + reset +
                            Call(1) + reset + reset + Call(3) + reset;
  for (size_t piece = 1; piece <= bytes.size(); ++piece) {
    FrameGuard guard{FrameGuard::Limits{}};
    FrameGuard::Calls calls;
    std::string passed;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      const std::string part = bytes.substr(at, piece);
      guard.Read({reinterpret_cast<const uint8_t*>(part.data()), part.size()},
                 now_, &calls);
      for (const auto& p : guard.passed()) passed.append(p.begin(), p.end());
    }
    EXPECT_EQ(passed, kept) << piece;
    EXPECT_EQ(calls.opened, 2U);
    EXPECT_EQ(calls.reset, 0U);
  }
}

TEST_F(FrameGuardTest, PassesAllElse) {
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n\r\n"),
        kHttp2Preface + Call(1) + Frame(FrameType::kResetStream, 0, 1, "1234") +
            Frame(FrameType::kResetStream, 0, 2, "1234") +
            Frame(FrameType::kResetStream, 0, 9, "12345")}) {
    guard_.emplace(FrameGuard::Limits{});
    Read(bytes);
    std::string passed;
    for (const auto& p : guard_->passed()) passed.append(p.begin(), p.end());
    EXPECT_EQ(passed, bytes);
  }
}

TEST_F(FrameGuardTest, AnotherProtocolIsLeftToWhoeverReadsIt) {
  EXPECT_EQ(Read("GET / HTTP/1.1\r\n\r\n"), Fault::kNone);
  EXPECT_EQ(Repeat(std::string(10'000, '\0'), 100), Fault::kNone);
  EXPECT_FALSE(guard_->begun());
  EXPECT_EQ(calls_.opened, 0U);
}

}  // namespace
}  // namespace freshline::http2
