// SPDX-License-Identifier: Apache-2.0
#include "base/jump_proof_clock.h"

#include "gtest/gtest.h"
#include "tests/support/fake_clock.h"

namespace freshline::base {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class JumpProofClockTest : public ::testing::Test {
 protected:
  // As the machine's clock would be had it never jumped.
  UnixMicros True() const {
    return begin_us_ + (machine_.Now() - begin_).count() / 1000;
  }
  test::FakeClock machine_;
  const MonoTime begin_ = machine_.Now();
  const UnixMicros begin_us_ = machine_.WallNowMicros();
  JumpProofClock clock_{machine_};
};

TEST_F(JumpProofClockTest, FollowsTheMachineAndItsSmallCorrections) {
  machine_.Advance(seconds(5));
  EXPECT_EQ(clock_.WallNowMicros(), machine_.WallNowMicros());
  for (int i = 0; i < 100; ++i) {
    machine_.Advance(seconds(1));
    machine_.JumpWall(milliseconds(900));
    EXPECT_EQ(clock_.WallNowMicros(), machine_.WallNowMicros());
  }
  EXPECT_EQ(clock_.jumps(), 0U);
  EXPECT_EQ(clock_.PendingJump(), std::nullopt);
}

TEST_F(JumpProofClockTest, AJumpThatIsTakenBackHasNeverHappened) {
  for (const auto by : {Duration(hours(1)), Duration(-hours(1)),
                        Duration(hours(24)), Duration(-hours(24))}) {
    machine_.JumpWall(by);
    for (int minute = 0; minute < 9; ++minute) {
      EXPECT_EQ(clock_.WallNowMicros(), True());
      machine_.Advance(minutes(1));
    }
    ASSERT_TRUE(clock_.PendingJump().has_value());
    EXPECT_EQ(clock_.PendingJump()->by, by);
    machine_.JumpWall(-by);
    EXPECT_EQ(clock_.WallNowMicros(), True());
    EXPECT_EQ(clock_.PendingJump(), std::nullopt);
  }
  EXPECT_EQ(clock_.jumps(), 4U);
}

TEST_F(JumpProofClockTest, AJumpThatLastsIsFollowed) {
  machine_.JumpWall(hours(1));
  EXPECT_EQ(clock_.WallNowMicros(), True());
  machine_.Advance(minutes(10) - microseconds(1));
  EXPECT_EQ(clock_.WallNowMicros(), True());
  machine_.Advance(microseconds(1));
  clock_.WallNowMicros();
  EXPECT_EQ(clock_.WallNowMicros(), machine_.WallNowMicros());
  EXPECT_EQ(clock_.PendingJump(), std::nullopt);
  EXPECT_EQ(clock_.jumps(), 1U);
}

// A clock that jumps about is not believed before it agrees with itself.
TEST_F(JumpProofClockTest, EveryFurtherJumpBeginsTheWaitAnew) {
  for (int i = 0; i < 10; ++i) {
    machine_.JumpWall(hours(1));
    EXPECT_EQ(clock_.WallNowMicros(), True());
    machine_.Advance(minutes(9));
    EXPECT_EQ(clock_.WallNowMicros(), True());
  }
  EXPECT_EQ(clock_.jumps(), 10U);
}

TEST_F(JumpProofClockTest, TheLatestTimeIsThatOfWhicheverClockIsAhead) {
  machine_.JumpWall(hours(1));
  EXPECT_EQ(clock_.LatestWallMicros(), machine_.WallNowMicros());
  machine_.JumpWall(-hours(2));
  EXPECT_EQ(clock_.LatestWallMicros(), True());
}

}  // namespace
}  // namespace freshline::base
