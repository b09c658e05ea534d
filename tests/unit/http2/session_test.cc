// SPDX-License-Identifier: Apache-2.0
#include "http2/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http2/frame_guard.h"
#include "tests/support/http2_frames.h"

namespace freshline::http2 {
namespace {

using test::CallHeaders;
using test::Frame;
using test::FrameType;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint8_t kGoAway = 7;
constexpr Field kHeaders[] = {{":status", "200"}};
constexpr Field kTrailers[] = {{"grpc-status", "0"}};

struct SeenFrame {
  uint8_t type;
  uint8_t flags;
  uint32_t stream;
  std::string payload;
};

struct TestStream final : public Stream {
  void OnData(std::span<const uint8_t> bytes) override {
    data.append(bytes.begin(), bytes.end());
  }
  void OnEnd() override { ended = true; }
  void OnSent() override { ++sent; }
  void OnClose(uint64_t left) override {
    closed = true;
    unsent = left;
  }

  std::string data;
  bool ended = false;
  int sent = 0;
  bool closed = false;
  uint64_t unsent = 0;
};

// A session behind a guard, as a link has it, and a client that sends bytes.
class SessionTest : public ::testing::Test, private Session::Handler {
 protected:
  Session::Handler* handler() { return this; }
  void Open() {
    session_.emplace(limits_, handler());
    ASSERT_TRUE(Read(test::kHttp2Preface + test::ClientSettings(window_)));
    // Acknowledges the server's settings.
    ASSERT_TRUE(Read(Frame(FrameType::kSettings, /*flags=*/1, 0, "")));
    Take();
  }
  bool Receive(const std::string& bytes) {
    return session_->Receive(
        {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  }
  bool Read(const std::string& bytes) {
    FrameGuard::Calls calls;
    guard_.Read({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()},
                base::MonoTime{}, &calls);
    for (const auto& part : guard_.passed()) {
      if (!session_->Receive(part)) return false;
    }
    return true;
  }
  static std::string Headers(uint32_t stream, bool end = false) {
    const auto flags =
        static_cast<uint8_t>(test::kEndHeaders | (end ? test::kEndStream : 0));
    return Frame(FrameType::kHeaders, flags, stream, CallHeaders("/a.B/C"));
  }
  static std::string Data(uint32_t stream, const std::string& bytes,
                          bool end = true) {
    return Frame(FrameType::kData, end ? test::kEndStream : 0, stream, bytes);
  }
  static std::string Reset(uint32_t stream) {
    return Frame(FrameType::kResetStream, 0, stream, test::BigEndian(8, 4));
  }
  // The frames that the session has to send.
  std::vector<SeenFrame> Take() {
    std::string bytes;
    EXPECT_TRUE(session_->Produce(&bytes, 1 << 20));
    std::vector<SeenFrame> frames;
    for (size_t at = 0; at + 9 <= bytes.size();) {
      const auto byte = [&](size_t i) {
        return static_cast<uint32_t>(static_cast<uint8_t>(bytes[at + i]));
      };
      const uint32_t length = byte(0) << 16 | byte(1) << 8 | byte(2);
      frames.push_back({static_cast<uint8_t>(byte(3)),
                        static_cast<uint8_t>(byte(4)),
                        byte(5) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8),
                        bytes.substr(at + 9, length)});
      at += 9 + length;
    }
    return frames;
  }
  std::vector<int> TakeTypes() {
    std::vector<int> types;
    for (const SeenFrame& frame : Take()) types.push_back(frame.type);
    return types;
  }
  TestStream& At(StreamId id) { return *streams_.at(id); }

  void OnBegin() override { headers_.clear(); }
  void OnHeader(absl::string_view name, absl::string_view value) override {
    headers_[std::string(name)] = std::string(value);
  }
  Stream* OnRequest(StreamId id) override {
    if (answer_at_headers_) {
      session_->RespondOnly(id, kHeaders);
      return nullptr;
    }
    streams_[id] = std::make_unique<TestStream>();
    return streams_[id].get();
  }

  Session::Limits limits_;
  uint32_t window_ = 65'535;
  bool answer_at_headers_ = false;
  FrameGuard guard_{FrameGuard::Limits{}};
  std::map<std::string, std::string> headers_;
  std::map<StreamId, std::unique_ptr<TestStream>> streams_;
  std::optional<Session> session_;
};

TEST_F(SessionTest, TellsOfARequestAndSendsTheAnswer) {
  Open();
  ASSERT_TRUE(Read(Headers(1)));
  EXPECT_EQ(headers_[":path"], "/a.B/C");
  EXPECT_EQ(headers_["content-type"], "application/grpc");
  EXPECT_FALSE(At(1).ended);
  ASSERT_TRUE(Read(Data(1, "hel", false) + Data(1, "lo")));
  EXPECT_EQ(At(1).data, "hello");
  EXPECT_TRUE(At(1).ended);
  session_->Respond(&At(1), kHeaders);
  session_->Send(&At(1), "answer");
  session_->Finish(&At(1), kTrailers);
  const auto frames = Take();
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[0].type, int(FrameType::kHeaders));
  EXPECT_EQ(frames[1].payload, "answer");
  EXPECT_EQ(frames[2].type, int(FrameType::kHeaders));
  EXPECT_EQ(frames[2].flags & test::kEndStream, test::kEndStream);
  EXPECT_EQ(session_->TakeBodyBytes(), 6U);
  EXPECT_TRUE(At(1).closed);
  EXPECT_EQ(At(1).unsent, 0U);
  EXPECT_EQ(session_->streams(), 0U);
}

// Clients of gRPC 1.51 send them when deadlines pass before calls are sent.
TEST_F(SessionTest, ResetsOfStreamsThatWereNeverOpenedDoNotReachTheLibrary) {
  Open();
  ASSERT_TRUE(Read(Headers(1) + Reset(3) + Reset(5) + Data(1, "x")));
  EXPECT_TRUE(At(1).ended);
  EXPECT_THAT(TakeTypes(), IsEmpty());
  ASSERT_TRUE(Receive(Reset(7)));  // past the guard
  EXPECT_THAT(TakeTypes(), ElementsAre(kGoAway));
  EXPECT_TRUE(session_->over());
}

TEST_F(SessionTest, HoweverManyCallsAreCancelledTheOthersGoOn) {
  Open();
  ASSERT_TRUE(Read(Headers(1)));
  for (uint32_t stream = 3; stream < 40'000; stream += 2) {
    ASSERT_TRUE(Read(Headers(stream) + Reset(stream)));
    ASSERT_TRUE(At(static_cast<StreamId>(stream)).closed);
    streams_.erase(static_cast<StreamId>(stream));
  }
  ASSERT_TRUE(Read(Data(1, "x")));
  EXPECT_TRUE(At(1).ended);
  EXPECT_THAT(TakeTypes(), IsEmpty());
}

TEST_F(SessionTest, AnAnswerBeforeTheRequestEndsLeavesBeforeTheReset) {
  answer_at_headers_ = true;
  Open();
  ASSERT_TRUE(Read(Headers(1)));
  const auto frames = Take();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].type, int(FrameType::kHeaders));
  EXPECT_EQ(frames[0].flags & test::kEndStream, test::kEndStream);
  EXPECT_EQ(frames[1].type, int(FrameType::kResetStream));
  EXPECT_EQ(frames[1].payload, test::BigEndian(0, 4)) << "NO_ERROR";
  // What the client had sent by then does no harm.
  ASSERT_TRUE(Read(Data(1, std::string(10'000, 'x'))));
  ASSERT_TRUE(Read(Headers(3, true)));
  EXPECT_THAT(TakeTypes(), ElementsAre(int(FrameType::kHeaders)));
}

TEST_F(SessionTest, TrailersLeaveBeforeTheResetToo) {
  Open();
  ASSERT_TRUE(Read(Headers(1)));
  session_->Respond(&At(1), kHeaders);
  session_->Send(&At(1), "x");
  session_->Finish(&At(1), kTrailers);
  EXPECT_THAT(
      TakeTypes(),
      ElementsAre(int(FrameType::kHeaders), int(FrameType::kData),
                  int(FrameType::kHeaders), int(FrameType::kResetStream)));
  EXPECT_TRUE(At(1).closed);
}

TEST_F(SessionTest, OpensTheWindowsAgainAsItReads) {
  limits_.stream_window_bytes = 65'535;
  limits_.connection_window_bytes = 65'535;
  Open();
  ASSERT_TRUE(Read(Headers(1)));
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(Read(Data(1, std::string(10'000, 'x'), false)));
  }
  EXPECT_THAT(TakeTypes(), ElementsAre(int(FrameType::kWindowUpdate),
                                       int(FrameType::kWindowUpdate)));
}

TEST_F(SessionTest, WhoOpensMoreStreamsThanItMayLosesItsConnection) {
  limits_.streams_max = 2;
  Open();
  ASSERT_TRUE(Read(Headers(1) + Headers(3)));
  Read(Headers(5));
  EXPECT_THAT(TakeTypes(), ElementsAre(kGoAway));
  EXPECT_EQ(streams_.size(), 2U);
}

TEST_F(SessionTest, AHeaderListTooLongEndsItsStreamAndManyTheConnection) {
  limits_.header_bombs_max = 2;
  Open();
  // An entry of 4 KB for the table, at one byte each time it is meant.
  constexpr char kIndexed = '\x40';
  const std::string entry = std::string(1, kIndexed) + "\x01" + "a" +
                            "\x7f\xa1\x1e" + std::string(4000, 'z');
  const std::string meant(100, '\xbe');
  const std::string headers = CallHeaders("/a.B/C");
  const auto bomb = [&](uint32_t stream) {
    return Frame(FrameType::kHeaders, test::kEndHeaders, stream,
                 headers + (stream == 1 ? entry : "") + meant);
  };
  ASSERT_TRUE(Read(bomb(1)));
  EXPECT_THAT(TakeTypes(), ElementsAre(int(FrameType::kResetStream)));
  ASSERT_TRUE(Read(Headers(3)));
  ASSERT_TRUE(Read(bomb(5)));
  EXPECT_THAT(streams_, ::testing::SizeIs(1));
  EXPECT_FALSE(Read(bomb(7)));
  EXPECT_EQ(session_->fault(), Session::Fault::kHeaderBombs);
}

TEST_F(SessionTest, ABodyWaitsForTheClientsWindow) {
  window_ = 0;
  Open();
  ASSERT_TRUE(Read(Headers(1, true)));
  session_->Respond(&At(1), kHeaders);
  session_->Send(&At(1), "answer");
  session_->Finish(&At(1), kTrailers);
  EXPECT_THAT(TakeTypes(), ElementsAre(int(FrameType::kHeaders)));
  EXPECT_EQ(session_->TakeBodyBytes(), 0U);
  ASSERT_TRUE(
      Read(Frame(FrameType::kWindowUpdate, 0, 1, test::BigEndian(2, 4))));
  EXPECT_THAT(TakeTypes(), ElementsAre(int(FrameType::kData)));
  EXPECT_EQ(session_->TakeBodyBytes(), 2U);
  ASSERT_TRUE(Read(Reset(1)));
  EXPECT_TRUE(At(1).closed);
  EXPECT_EQ(At(1).unsent, 4U);
}

TEST_F(SessionTest, AStreamMayBeAnsweredBitByBit) {
  Open();
  ASSERT_TRUE(Read(Headers(1, true)));
  session_->Respond(&At(1), kHeaders);
  EXPECT_THAT(TakeTypes(), ElementsAre(int(FrameType::kHeaders)));
  for (int i = 1; i <= 3; ++i) {
    session_->Send(&At(1), "bit");
    EXPECT_THAT(TakeTypes(), ElementsAre(int(FrameType::kData)));
    EXPECT_EQ(At(1).sent, i);
  }
  session_->Finish(&At(1), kTrailers);
  Take();
  EXPECT_TRUE(At(1).closed);
}

TEST_F(SessionTest, DrainsWithoutLosingWhatIsUnderWay) {
  Open();
  ASSERT_TRUE(Read(Headers(1, true)));
  session_->BeginDrain();
  auto frames = Take();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].type, kGoAway);
  EXPECT_EQ(frames[0].payload.substr(0, 4), test::BigEndian(0x7fffffff, 4));
  ASSERT_TRUE(Read(Headers(3, true)));  // sent before it was read
  EXPECT_TRUE(At(3).ended);
  session_->EndDrain();
  frames = Take();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].payload.substr(0, 4), test::BigEndian(3, 4));
  ASSERT_TRUE(Read(Headers(5, true)));
  EXPECT_FALSE(streams_.contains(5));
  for (const StreamId id : {1, 3}) {
    EXPECT_FALSE(session_->over());
    session_->Respond(&At(id), kHeaders);
    session_->Finish(&At(id), kTrailers);
    Take();
  }
  EXPECT_TRUE(session_->over());
}

TEST_F(SessionTest, TellsItsStreamsOfTheEnd) {
  window_ = 0;
  Open();
  ASSERT_TRUE(Read(Headers(1, true) + Headers(3)));
  session_->Respond(&At(1), kHeaders);
  session_->Send(&At(1), "answer");
  session_.reset();
  EXPECT_TRUE(At(1).closed);
  EXPECT_EQ(At(1).unsent, 6U);
  EXPECT_TRUE(At(3).closed);
  EXPECT_EQ(At(3).id(), 0);
}

TEST_F(SessionTest, CountsAndAnswersPings) {
  Open();
  ASSERT_TRUE(Read(Frame(FrameType::kPing, 0, 0, "12345678")));
  EXPECT_EQ(session_->pings(), 1U);
  EXPECT_EQ(Take().at(0).payload, "12345678");
  session_->Ping();
  EXPECT_THAT(TakeTypes(), ElementsAre(int(FrameType::kPing)));
  ASSERT_TRUE(Read(Frame(FrameType::kPing, 1, 0, std::string(8, '\0'))));
  EXPECT_EQ(session_->ping_acks(), 1U);
  EXPECT_EQ(session_->pings(), 1U);
}

TEST_F(SessionTest, WhatIsNoHttp2EndsAtOnce) {
  session_.emplace(limits_, handler());
  EXPECT_FALSE(Read("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(session_->fault(), Session::Fault::kProtocol);
}

}  // namespace
}  // namespace freshline::http2
