// SPDX-License-Identifier: Apache-2.0
#include "http2/screen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <string>
#include <utility>
#include <vector>

#include "http2/frame_guard.h"
#include "tests/support/http2_frames.h"

namespace freshline::http2 {
namespace {

using test::Frame;
using test::FrameType;
using test::Header;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

constexpr uint8_t kAck = 1;
constexpr Field kRefusal[] = {{":status", "200"}, {"grpc-status", "8"}};
constexpr Field kAnswer[] = {{":status", "200"}};

// A guard, a screen and a session, as a link has them. Every request is of the
// kind that its path says, and refused from when the test says so.
class ScreenTest : public ::testing::Test,
                   private Session::Handler,
                   private Screen::Judge {
 protected:
  ScreenTest() {
    guard_.ShowTo(&screen_);
    EXPECT_TRUE(Read(test::kHttp2Preface + test::ClientSettings(65'535) +
                     Frame(FrameType::kSettings, kAck, 0, "")));
    Ask(1);
  }
  static std::string Head(uint32_t stream, const std::string& path = "/a.B/C",
                          const std::string& timeout = "20m",
                          const std::string& more = "") {
    return Frame(
        FrameType::kHeaders, test::kEndHeaders, stream,
        test::CallHeaders(path) + Header("grpc-timeout", timeout) + more);
  }
  static std::string Body(uint32_t stream, const std::string& bytes = "xyz") {
    return Frame(FrameType::kData, test::kEndStream, stream, bytes);
  }
  void Ask(uint32_t stream) { EXPECT_TRUE(Read(Head(stream) + Body(stream))); }
  // Returns: false when the session cannot go on.
  bool Read(const std::string& bytes) {
    FrameGuard::Calls calls;
    screen_.BeginRead(session_.settled());
    const std::span<const uint8_t> all{
        reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
    EXPECT_EQ(guard_.Read(all, base::MonoTime{}, &calls),
              FrameGuard::Fault::kNone);
    screen_.Take(&refusals_);
    for (const auto& part : guard_.passed()) {
      if (!session_.Receive(part)) return false;
    }
    std::string out;
    const bool good = session_.Produce(&out, 1 << 20);
    // It is a GOAWAY that it would send.
    return good && !session_.over();
  }
  // What went out beside the session: type and stream of each frame.
  std::vector<std::pair<int, uint32_t>> Take() {
    std::vector<std::pair<int, uint32_t>> frames;
    const auto* const b = reinterpret_cast<const uint8_t*>(refusals_.data());
    for (size_t at = 0; at + 9 <= refusals_.size();) {
      frames.emplace_back(b[at + 3], uint32_t{b[at + 7]} << 8 | b[at + 8]);
      at += 9 + (size_t{b[at + 1]} << 8 | b[at + 2]);
    }
    refusals_.clear();
    return frames;
  }

  bool refuses_ = true;  // at all
  size_t room_ = 0;      // for so many in one read
  std::vector<StreamId> seen_;
  std::vector<std::string> refused_;  // paths

 private:
  void OnBegin() override { fields_ = 0; }
  void OnHeader(absl::string_view name, absl::string_view value) override {
    if (name == ":path") path_ = std::string(value);
    if (name == "grpc-timeout") timeout_ = fields_;
    ++fields_;
  }
  Stream* OnRequest(StreamId id) override {
    seen_.push_back(id);
    screen_.Learn(id, path_ == "/a.B/C" ? &kinds_[0] : &kinds_[1], fields_,
                  timeout_);
    session_.RespondOnly(id, kAnswer);
    return nullptr;
  }
  bool Refuses() override { return refuses_; }
  const std::string* Refuse(const void* kind, size_t ahead) override {
    if (ahead < room_) return nullptr;
    refused_.push_back(kind == &kinds_[0] ? "/a.B/C" : "other");
    return &block_;
  }

  const int kinds_[2] = {0, 1};
  const std::string block_ = ConstantBlock(kRefusal);
  std::string path_;
  int fields_ = 0;
  int timeout_ = -1;
  std::string refusals_;
  Screen screen_{this};
  FrameGuard guard_{FrameGuard::Limits()};
  Session session_{Session::Limits(), this};
};

TEST_F(ScreenTest, AConstantBlockIsWhatItsFieldsSay) {
  nghttp2_hd_inflater* inflater = nullptr;
  ASSERT_EQ(nghttp2_hd_inflate_new(&inflater), 0);
  const std::string longer(300, 'v');
  const Field fields[] = {
      {":status", "200"}, {"grpc-message", longer}, {"x", ""}};
  std::string block = ConstantBlock(fields);
  std::vector<std::pair<std::string, std::string>> got;
  auto* at = reinterpret_cast<uint8_t*>(block.data());
  for (size_t left = block.size(); left > 0;) {
    nghttp2_nv nv;
    int flags = 0;
    const ssize_t n =
        nghttp2_hd_inflate_hd2(inflater, &nv, &flags, at, left, /*in_final=*/1);
    ASSERT_GT(n, 0);
    at += n;
    left -= static_cast<size_t>(n);
    if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0) continue;
    got.emplace_back(
        std::string(reinterpret_cast<char*>(nv.name), nv.namelen),
        std::string(reinterpret_cast<char*>(nv.value), nv.valuelen));
  }
  nghttp2_hd_inflate_del(inflater);
  EXPECT_THAT(got, ElementsAre(Pair(":status", "200"),
                               Pair("grpc-message", longer), Pair("x", "")));
}

TEST_F(ScreenTest, RefusesWhatItKnowsAndKeepsItFromTheSession) {
  Ask(3);  // learnt: the settings were settled only by the answer to 1
  EXPECT_THAT(seen_, ElementsAre(1, 3));
  Ask(5);
  Ask(7);
  EXPECT_THAT(seen_, ElementsAre(1, 3));
  EXPECT_THAT(refused_, ElementsAre("/a.B/C", "/a.B/C"));
  EXPECT_THAT(Take(), ElementsAre(Pair(1, 5U), Pair(1, 7U)));
  refuses_ = false;
  Ask(9);
  EXPECT_THAT(seen_, ElementsAre(1, 3, 9));
}

TEST_F(ScreenTest, TheTimeoutMayVaryAndNothingElse) {
  Ask(3);
  EXPECT_TRUE(Read(Head(5, "/a.B/C", "19999u") + Body(5)));
  EXPECT_EQ(refused_.size(), 1U);
  EXPECT_TRUE(Read(Head(7, "/a.B/D") + Body(7)));
  EXPECT_TRUE(Read(Head(9, "/a.B/C", "20m", Header("x", "y")) + Body(9)));
  EXPECT_EQ(refused_.size(), 1U);
  EXPECT_THAT(seen_, ElementsAre(1, 3, 7, 9));
  // By now they are known as well.
  EXPECT_TRUE(Read(Head(11, "/a.B/D") + Body(11)));
  EXPECT_THAT(refused_, ElementsAre("/a.B/C", "other"));
}

TEST_F(ScreenTest, ForgetsOnceAClientAddsToWhatIsRemembered) {
  Ask(3);
  std::string added = Header("x", "y");
  added[0] = 0x40;
  EXPECT_TRUE(Read(Head(5, "/a.B/C", "20m", added) + Body(5)));
  EXPECT_THAT(refused_, IsEmpty());
  Ask(7);
  EXPECT_THAT(refused_, IsEmpty());
  Ask(9);
  EXPECT_EQ(refused_.size(), 1U);
  // One that is not looked at may have added anything.
  refuses_ = false;
  Ask(11);
  refuses_ = true;
  Ask(13);
  EXPECT_EQ(refused_.size(), 1U);
}

TEST_F(ScreenTest, WaitsForTheSessionAfterNewSettings) {
  Ask(3);
  EXPECT_TRUE(Read(test::ClientSettings(65'535) + Head(5) + Body(5)));
  EXPECT_THAT(refused_, IsEmpty());
}

TEST_F(ScreenTest, CountsThoseThatTheSessionHasNotSeenYet) {
  Ask(3);
  room_ = 2;
  EXPECT_TRUE(Read(Head(5) + Body(5) + Head(7) + Body(7) + Head(9) + Body(9)));
  EXPECT_THAT(seen_, ElementsAre(1, 3, 5, 7));
  EXPECT_THAT(Take(), ElementsAre(Pair(1, 9U)));
}

TEST_F(ScreenTest, WhoeverHasNotSentAllNeedNotSendIt) {
  Ask(3);
  EXPECT_TRUE(Read(Head(5)));
  EXPECT_THAT(Take(), ElementsAre(Pair(1, 5U), Pair(3, 5U)));
  // It comes all the same, and so may a reset, before and after others.
  EXPECT_TRUE(Read(Body(5)));
  EXPECT_TRUE(
      Read(Frame(FrameType::kResetStream, 0, 5, test::BigEndian(8, 4))));
  EXPECT_TRUE(
      Read(Frame(FrameType::kWindowUpdate, 0, 5, test::BigEndian(8, 4))));
  refuses_ = false;
  Ask(7);
  EXPECT_TRUE(Read(Body(5)));
  EXPECT_TRUE(
      Read(Frame(FrameType::kResetStream, 0, 5, test::BigEndian(8, 4))));
  Ask(9);
  EXPECT_THAT(seen_, ElementsAre(1, 3, 7, 9));
}

TEST_F(ScreenTest, GivesBackTheWindowOfBodiesThatNobodyReads) {
  Ask(3);
  for (uint32_t stream = 5; stream < 45; stream += 2) {
    EXPECT_TRUE(Read(Head(stream) + Body(stream, std::string(1000, 'x'))));
  }
  constexpr int kWindowUpdate = 8;
  EXPECT_THAT(Take(), ::testing::Contains(Pair(kWindowUpdate, 0U)));
}

TEST_F(ScreenTest, AHeadInPiecesIsLeftToTheSession) {
  Ask(3);
  const std::string bytes = Head(5) + Body(5);
  EXPECT_TRUE(Read(bytes.substr(0, 20)));
  EXPECT_TRUE(Read(bytes.substr(20)));
  const std::string head = test::CallHeaders("/a.B/C");
  EXPECT_TRUE(Read(Frame(FrameType::kHeaders, 0, 7, head.substr(0, 10))));
  EXPECT_TRUE(Read(
      Frame(FrameType::kContinuation, test::kEndHeaders, 7, head.substr(10))));
  EXPECT_THAT(seen_, ElementsAre(1, 3, 5, 7));
}

}  // namespace
}  // namespace freshline::http2
