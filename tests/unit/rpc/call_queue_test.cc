// SPDX-License-Identifier: Apache-2.0
#include "rpc/call_queue.h"

#include <gtest/gtest.h>

#include <vector>

namespace freshline::rpc {
namespace {

using base::Duration;
using base::MonoTime;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class TestCall final : public CallQueue::Call {
 public:
  void Begin() override {}
};

class CallQueueTest : public ::testing::Test {
 protected:
  // Reads `n` calls at once.
  void Read(int n) {
    for (int i = 0; i < n; ++i) {
      queue_.Push(&pool_[next_ % pool_.size()], now_);
      ++next_;
    }
  }
  // How long the next call has waited.
  Duration ServeOne(Duration cost = microseconds(50)) {
    CallQueue::Call* const call = queue_.Pop(now_);
    EXPECT_NE(call, nullptr);
    if (call == nullptr) return {};
    const Duration waited = now_ - call->arrived();
    now_ += cost;
    return waited;
  }
  void Dry() { queue_.Dry(now_); }

  MonoTime now_{seconds(1000)};
  CallQueue queue_{now_};
  std::vector<TestCall> pool_{100'000};
  size_t next_ = 0;
};

TEST_F(CallQueueTest, ServesWhoCameFirst) {
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(queue_.Pop(now_), nullptr);
  Read(3);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(queue_.Pop(now_), &pool_[i]);
  EXPECT_TRUE(queue_.empty());
}

TEST_F(CallQueueTest, WhoWakesAnIdlePollerHasJustCome) {
  queue_.Waits(now_, now_ + milliseconds(50));
  now_ += milliseconds(30);
  queue_.Woke(now_, microseconds(4));
  Read(1);
  EXPECT_EQ(ServeOne(), microseconds(4));
}

TEST_F(CallQueueTest, ThePollersWaitForACoreIsTheCallsWait) {
  queue_.Waits(now_, now_ + milliseconds(50));
  now_ += milliseconds(12);
  queue_.Woke(now_, milliseconds(7));
  Read(1);
  EXPECT_EQ(ServeOne(), milliseconds(7));
  // It cannot have waited for longer than the poller did.
  Dry();
  queue_.Waits(now_, now_ + milliseconds(50));
  now_ += milliseconds(3);
  queue_.Woke(now_, milliseconds(20));
  Read(1);
  EXPECT_EQ(ServeOne(), milliseconds(3));
}

TEST_F(CallQueueTest, WhatIsReadAfterASliceHasComeDuringIt) {
  Dry();
  Read(10);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(ServeOne(), microseconds(50 * i));
  Read(2);  // came while those were served
  EXPECT_EQ(ServeOne(), microseconds(500));
  Dry();
  Read(1);
  EXPECT_EQ(ServeOne(), microseconds(550));
  EXPECT_EQ(ServeOne(), microseconds(50));
}

// A queue in virtual time: arrivals in a socket that is read when the poller
// comes to it. No call is taken to have come later than it did, nor earlier by
// more than a slice.
TEST_F(CallQueueTest, TheWaitIsNeverTooShortNorTooLongByMoreThanASlice) {
  constexpr Duration kSlice = microseconds(500);
  for (const int load_percent : {30, 90, 250}) {
    SCOPED_TRACE(load_percent);
    const Duration cost = microseconds(50);
    const Duration gap = cost * 100 / load_percent;
    MonoTime next = now_;
    std::vector<MonoTime> came;
    size_t read = 0;
    size_t served = 0;
    const size_t base = next_;
    while (came.size() < 5000) {
      if (queue_.empty() && next > now_) {
        queue_.Waits(now_, next + milliseconds(1));
        now_ = next;
        queue_.Woke(now_, Duration());
      }
      for (; next <= now_; next += gap) came.push_back(next);
      Read(static_cast<int>(came.size() - read));
      read = came.size();
      Dry();
      const MonoTime end = now_ + kSlice;
      while (now_ < end && !queue_.empty()) {
        const auto* call = queue_.Pop(now_);
        ASSERT_EQ(call, &pool_[(base + served) % pool_.size()]);
        EXPECT_LE(call->arrived(), came[served]);
        EXPECT_GE(call->arrived(), came[served] - kSlice - cost);
        ++served;
        now_ += cost;
      }
    }
    while (!queue_.empty()) queue_.Pop(now_);
    Dry();
  }
}

TEST_F(CallQueueTest, ABurstIsNoOverload) {
  Dry();
  Read(1500);  // 75 ms of work
  while (!queue_.empty()) ServeOne();
  EXPECT_FALSE(queue_.overloaded());
  Dry();
  Read(1500);
  while (!queue_.empty()) ServeOne();
  EXPECT_FALSE(queue_.overloaded());
}

TEST_F(CallQueueTest, AQueueThatStandsIsOneUntilItIsEmpty) {
  Dry();
  Read(100);
  // Twice of what can be served.
  for (int i = 0; i < 1900; ++i) {
    ServeOne();
    Read(2);
    Dry();
  }
  EXPECT_FALSE(queue_.overloaded());
  for (int i = 0; i < 200; ++i) ServeOne();
  EXPECT_TRUE(queue_.overloaded());
  while (!queue_.empty()) ServeOne();
  EXPECT_TRUE(queue_.overloaded());
  Dry();
  EXPECT_TRUE(queue_.overloaded());
  // While calls are refused it may be empty now and then.
  for (int i = 0; i < 10; ++i) {
    now_ += milliseconds(40);
    queue_.Refused(now_);
    Dry();
    EXPECT_TRUE(queue_.overloaded());
  }
  now_ += milliseconds(99);
  Dry();
  EXPECT_TRUE(queue_.overloaded());
  now_ += milliseconds(1);
  Read(1);
  Dry();
  EXPECT_TRUE(queue_.overloaded());
  ServeOne();
  Dry();
  EXPECT_FALSE(queue_.overloaded());
}

TEST_F(CallQueueTest, AStandingQueueLeavesMostOfTheBudgetToThoseBehind) {
  Dry();
  EXPECT_EQ(queue_.WaitMax(now_, milliseconds(40)), milliseconds(30));
  Read(2100);
  while (!queue_.empty()) ServeOne();
  EXPECT_TRUE(queue_.overloaded());
  EXPECT_EQ(queue_.WaitMax(now_, milliseconds(40)), milliseconds(10));
}

// The poller of the class, in virtual time, under a load that does not end: who
// is served is served early, and the line is served at its full rate less what
// refusing costs.
TEST_F(CallQueueTest, UnderOverloadGoodputIsWhatRefusingLeaves) {
  constexpr Duration kServe = microseconds(100);
  constexpr Duration kRefuse = microseconds(10);
  constexpr Duration kSlo = milliseconds(30);
  const Duration gap = kServe / 3;
  MonoTime next = now_;
  std::vector<MonoTime> came;
  size_t read = 0;
  size_t turn = 0;
  uint64_t served = 0;
  uint64_t late = 0;
  const MonoTime counted_from = now_ + seconds(1);
  const MonoTime end = now_ + seconds(3);
  while (now_ < end) {
    for (; next <= now_; next += gap) came.push_back(next);
    Read(static_cast<int>(came.size() - read));
    read = came.size();
    Dry();
    const MonoTime slice = now_ + microseconds(500);
    while (now_ < slice && !queue_.empty()) {
      const auto* call = queue_.Pop(now_);
      const MonoTime arrived = came[turn++];
      if (now_ - call->arrived() > queue_.WaitMax(call->arrived(), kSlo)) {
        queue_.Refused(now_);
        now_ += kRefuse;
        continue;
      }
      now_ += kServe;
      if (now_ < counted_from) continue;
      ++served;
      if (now_ - arrived > kSlo / 2) ++late;
    }
  }
  // (1 - 3c) / (1 - c) of the peak, where refusing costs c of serving.
  EXPECT_NEAR(static_cast<double>(served), 2 * 10'000 * (0.7 / 0.9), 200);
  EXPECT_EQ(late, 0U);
}

TEST_F(CallQueueTest, AfterAStopCallsAreOldAndTheQueueDoesNotStand) {
  queue_.Waits(now_, now_ + milliseconds(50));
  now_ += seconds(5);
  queue_.Woke(now_, microseconds(10));
  Read(750);
  EXPECT_EQ(ServeOne(), seconds(5));
  Dry();
  while (!queue_.empty()) ServeOne();
  EXPECT_FALSE(queue_.overloaded());
  EXPECT_EQ(queue_.stats().stalls, 1U);
  Dry();
  Read(1);
  EXPECT_LT(ServeOne(), milliseconds(1));
}

// They are late, and get what is stored at once; those after them do not wait.
TEST_F(CallQueueTest, WhatCameDuringAStopIsNotRefused) {
  queue_.Waits(now_, now_ + milliseconds(50));
  const MonoTime before = now_;
  now_ += seconds(5);
  queue_.Woke(now_, microseconds(10));
  EXPECT_GT(queue_.WaitMax(before, milliseconds(30)), seconds(5));
  now_ += milliseconds(1);
  Dry();
  EXPECT_LT(queue_.WaitMax(now_, milliseconds(30)), milliseconds(30));
}

TEST_F(CallQueueTest, AStopAmidWorkIsNoStandingQueue) {
  Dry();
  Read(10);
  ServeOne();
  ServeOne(seconds(5));
  Read(10);
  EXPECT_GT(ServeOne(), seconds(5));
  EXPECT_FALSE(queue_.overloaded());
  EXPECT_EQ(queue_.stats().stalls, 1U);
}

TEST_F(CallQueueTest, WakingLateForWantOfACoreIsNoStop) {
  queue_.Waits(now_, now_ + milliseconds(50));
  now_ += milliseconds(150);
  queue_.Woke(now_, milliseconds(100));
  EXPECT_EQ(queue_.stats().stalls, 0U);
}

TEST_F(CallQueueTest, StatsAreOfTheLastWindows) {
  Dry();
  Read(1);
  now_ += milliseconds(8);
  ServeOne();
  Read(2);
  EXPECT_EQ(queue_.stats().waiting, 2U);
  EXPECT_EQ(queue_.stats().calls, 1U);
  EXPECT_GE(queue_.stats().wait_ns.max(), 8'000'000);
  ServeOne();
  ServeOne();
  for (int i = 0; i < 3; ++i) {
    queue_.Waits(now_, now_ + seconds(60));
    now_ += CallQueue::kWindow;
    queue_.Woke(now_, Duration());
    Read(1);
    ServeOne();
    Dry();
  }
  EXPECT_EQ(queue_.stats().calls, 6U);
  EXPECT_LT(queue_.stats().wait_ns.max(), 1'000'000);
}

// 250 % of what can be served: of those that come, whoever would not have a
// turn in time is told at once, and whoever gets one is in time.
TEST_F(CallQueueTest, UnderOverloadWhoeverComesInVainIsToldAtOnce) {
  const Duration cost = microseconds(50);
  const Duration gap = microseconds(20);
  const Duration budget = milliseconds(10);
  MonoTime next = now_;
  int served = 0;
  int late = 0;
  int refused = 0;
  const auto run = [&](Duration time) {
    served = late = refused = 0;
    for (const MonoTime end = now_ + time; now_ < end;) {
      for (; next <= now_; next += gap) {
        if (queue_.Hopeless(budget, 0)) {
          queue_.Refused(now_);
          ++refused;
        } else {
          Read(1);
        }
      }
      Dry();
      for (int i = 0; i < 10 && !queue_.empty(); ++i) {
        const auto* const call = queue_.Pop(now_);
        const Duration most = queue_.WaitMax(call->arrived(), budget);
        queue_.NotePatience(budget);
        if (now_ - call->arrived() > most) {
          ++late;
        } else {
          ++served;
          now_ += cost;
        }
      }
    }
  };
  run(milliseconds(90));
  EXPECT_FALSE(queue_.overloaded());
  EXPECT_LE(refused, 90 * 50 - 90 * 20 - 150) << "whose time will be over";
  run(milliseconds(100));
  run(seconds(1));
  EXPECT_TRUE(queue_.overloaded());
  EXPECT_GE(served, 19'900);
  EXPECT_LE(late, served / 1000);
  EXPECT_GE(refused, 29'000);
}

TEST_F(CallQueueTest, WithoutOverloadNobodyComesInVainWhoseTimeIsNotOver) {
  EXPECT_FALSE(queue_.Hopeless(milliseconds(1), 1000)) << "nothing is known";
  Read(400);
  for (int i = 0; i < 200; ++i) ServeOne();
  ASSERT_FALSE(queue_.overloaded());
  // 200 wait, for 10 ms.
  EXPECT_FALSE(queue_.Hopeless(milliseconds(11), 0));
  EXPECT_TRUE(queue_.Hopeless(milliseconds(11), 50));
  EXPECT_TRUE(queue_.Hopeless(milliseconds(9), 0));
  queue_.NotePatience(milliseconds(9));
  EXPECT_TRUE(queue_.Hopeless(milliseconds(11), 0));
}

}  // namespace
}  // namespace freshline::rpc
