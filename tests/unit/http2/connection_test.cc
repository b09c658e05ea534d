// SPDX-License-Identifier: Apache-2.0
#include "http2/connection.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/support/fake_clock.h"
#include "tests/support/http2_frames.h"

namespace freshline::http2 {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::Frame;
using test::FrameType;

class ConnectionTest : public ::testing::Test {
 protected:
  void Open() {
    totals_.open = 1;
    connection_.emplace(/*fd=*/0, "ipv4:1.2.3.4:5", "1.2.3.4", limits_, clock_,
                        &totals_);
    EXPECT_TRUE(Read(test::kHttp2Preface));
  }
  bool Read(const std::string& bytes) {
    return connection_->OnRead(
        {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  }
  std::string Headers(int calls) {
    std::string bytes;
    for (int i = 0; i < calls; ++i, stream_ += 2) {
      bytes += Frame(FrameType::kHeaders, test::kEndHeaders, stream_, "h");
    }
    return bytes;
  }
  std::string HeadersAndResets(int calls) {
    std::string bytes;
    for (int i = 0; i < calls; ++i, stream_ += 2) {
      bytes += Frame(FrameType::kHeaders, test::kEndHeaders, stream_, "h") +
               Frame(FrameType::kResetStream, 0, stream_, "1234");
    }
    return bytes;
  }
  void End(int calls) {
    for (int i = 0; i < calls; ++i) connection_->CallEnded();
  }

  test::FakeClock clock_;
  ConnectionLimits limits_;
  ConnectionTotals totals_;
  std::optional<Connection> connection_;
  uint32_t stream_ = 1;
};

TEST_F(ConnectionTest, HowManyCallsItMakesDoesNotMatterWhileTheyEnd) {
  limits_.calls_max = 100;
  Open();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(Read(Headers(100)));
    End(100);
  }
  EXPECT_EQ(connection_->calls(), 0U);
  EXPECT_EQ(totals_.calls, 0U);
}

TEST_F(ConnectionTest, IsEndedForCallsThatAreOpenedAndNotOver) {
  limits_.calls_max = 100;
  Open();
  EXPECT_TRUE(Read(Headers(100)));
  EXPECT_FALSE(Read(Headers(1)));
  EXPECT_EQ(connection_->ended(), EndReason::kUnfinishedCalls);
  End(100);
  EXPECT_FALSE(Read(Headers(1))) << "it stays ended";
}

// Of methods that do not exist, say.
TEST_F(ConnectionTest, CallsWhoseEndIsNeverSeenAreForgivenWithTime) {
  limits_.calls_max = 100;
  Open();
  for (int second = 0; second < 1000; ++second) {
    ASSERT_TRUE(Read(Headers(1)));
    clock_.Advance(seconds(1));
  }
  EXPECT_LE(connection_->calls(), 2U);
}

TEST_F(ConnectionTest,
       WhileAllHaveTooManyCallsOnlyThoseAboveTheirShareAreEnded) {
  limits_.all_calls_max = 1000;
  Open();
  totals_.open = 10;
  totals_.calls = 2000;  // of others
  EXPECT_TRUE(Read(Headers(100)));
  EXPECT_FALSE(Read(Headers(1)));
  EXPECT_EQ(connection_->ended(), EndReason::kUnfinishedCalls);
}

TEST_F(ConnectionTest, ManyResetsAreFineWhileTheCallsEnd) {
  Open();
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(Read(HeadersAndResets(30)));
    End(30);
  }
}

TEST_F(ConnectionTest, ResetsOfCallsThatPileUpEndIt) {
  Open();
  EXPECT_TRUE(Read(HeadersAndResets(64)));
  EXPECT_FALSE(Read(HeadersAndResets(1)));
  EXPECT_EQ(connection_->ended(), EndReason::kResets);
}

TEST_F(ConnectionTest, WhoseCallsWereServedMayResetMore) {
  Open();
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(Read(Headers(1)));
    End(1);
  }
  clock_.Advance(seconds(1));
  EXPECT_TRUE(Read(HeadersAndResets(512)));
  EXPECT_FALSE(Read(HeadersAndResets(1)));
}

TEST_F(ConnectionTest, IdleFramesAndHeadersWithoutEndAreToldApart) {
  Open();
  std::string idle;
  for (int i = 0; i < 20'000; ++i) {
    idle += Frame(FrameType::kWindowUpdate, 0, 0, "1234");
  }
  EXPECT_FALSE(Read(idle));
  EXPECT_EQ(connection_->ended(), EndReason::kIdleFrames);
  connection_.reset();
  Open();
  EXPECT_FALSE(
      Read(Frame(FrameType::kHeaders, 0, 1, std::string(99'999, 'h'))));
  EXPECT_EQ(connection_->ended(), EndReason::kHeaderBlock);
}

TEST_F(ConnectionTest, UnreadAnswersAreBoundedButOneMayAlwaysBe) {
  limits_.answer_bytes_max = 1000;
  Open();
  EXPECT_TRUE(connection_->TryHold(5000));
  EXPECT_FALSE(connection_->TryHold(1));
  EXPECT_EQ(totals_.answers_refused, 1U);
  connection_->Release(5000);
  EXPECT_TRUE(connection_->TryHold(600));
  EXPECT_TRUE(connection_->TryHold(400));
  EXPECT_FALSE(connection_->TryHold(1));
  connection_->Release(600);
  connection_->Release(400);
  EXPECT_EQ(totals_.answer_bytes, 0U);
}

TEST_F(ConnectionTest, AfterARefusedAnswerCallsAreRefusedUntilOneIsTaken) {
  limits_.answer_bytes_max = 1000;
  Open();
  EXPECT_FALSE(connection_->RefuseUnread());
  EXPECT_TRUE(connection_->TryHold(600));
  EXPECT_FALSE(connection_->RefuseUnread()) << "nothing was refused yet";
  EXPECT_FALSE(connection_->TryHold(401));
  EXPECT_TRUE(connection_->RefuseUnread());
  EXPECT_TRUE(connection_->RefuseUnread());
  EXPECT_EQ(totals_.answers_refused, 3U);
  connection_->Release(600);
  EXPECT_FALSE(connection_->RefuseUnread());
  EXPECT_TRUE(connection_->TryHold(401));
}

TEST_F(ConnectionTest, WhileAllHaveTooMuchUnreadTheModestAreServed) {
  limits_.all_answer_bytes_max = 10'000;
  Open();
  totals_.open = 10;
  totals_.answer_bytes = 20'000;  // of others
  EXPECT_TRUE(connection_->TryHold(400));
  EXPECT_TRUE(connection_->TryHold(600));
  EXPECT_FALSE(connection_->TryHold(1));
  totals_.answer_bytes = 1000;
  EXPECT_TRUE(connection_->TryHold(1));
}

TEST_F(ConnectionTest, HasStalledWhenItTakesNothingForLong) {
  Open();
  EXPECT_FALSE(connection_->Stalled(clock_.Now()));
  EXPECT_TRUE(connection_->TryHold(10));
  EXPECT_TRUE(connection_->TryHold(10));
  clock_.Advance(seconds(20));
  EXPECT_FALSE(connection_->Stalled(clock_.Now()));
  clock_.Advance(milliseconds(1));
  EXPECT_TRUE(connection_->Stalled(clock_.Now()));
  connection_->Release(10);
  EXPECT_FALSE(connection_->Stalled(clock_.Now()));
  clock_.Advance(seconds(21));
  EXPECT_TRUE(connection_->Stalled(clock_.Now()));
  connection_->Release(10);
  EXPECT_FALSE(connection_->Stalled(clock_.Now()))
      << "there is nothing to take";
}

TEST_F(ConnectionTest, StallsSoonerWhereAnswersHadToBeRefused) {
  limits_.answer_bytes_max = 10;
  Open();
  EXPECT_TRUE(connection_->TryHold(10));
  EXPECT_FALSE(connection_->TryHold(1));
  clock_.Advance(milliseconds(2001));
  EXPECT_TRUE(connection_->Stalled(clock_.Now()));
}

TEST_F(ConnectionTest, RequestsAndAnswersShareOneMemory) {
  limits_.memory_bytes_max = 1000;
  Open();
  EXPECT_TRUE(connection_->TryKeep(400));
  EXPECT_TRUE(connection_->TryHold(500));
  EXPECT_FALSE(connection_->TryKeep(101));
  EXPECT_FALSE(connection_->TryHold(101));
  EXPECT_TRUE(connection_->TryKeep(100));
  connection_->Drop(500);
  EXPECT_TRUE(connection_->TryHold(101));
  EXPECT_EQ(totals_.request_bytes, 0U);
}

TEST_F(ConnectionTest, WhatItHeldGoesWithIt) {
  Open();
  EXPECT_TRUE(connection_->TryKeep(10));
  EXPECT_TRUE(connection_->TryHold(10));
  EXPECT_TRUE(Read(Headers(3)));
  connection_.reset();
  EXPECT_EQ(totals_.answer_bytes, 0U);
  EXPECT_EQ(totals_.request_bytes, 0U);
  EXPECT_EQ(totals_.calls, 0U);
}

}  // namespace
}  // namespace freshline::http2
