// SPDX-License-Identifier: Apache-2.0
#include "base/mutex.h"

#include <atomic>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/thread.h"
#include "gtest/gtest.h"

namespace freshline::base {
namespace {

struct Counter {
  Mutex mu;
  CondVar changed;
  int value ABSL_GUARDED_BY(mu) = 0;
};

TEST(MutexTest, OneThreadAtATimeIsInside) {
  Counter counter;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&counter] {
      for (int i = 0; i < 2000; ++i) {
        MutexLock lock(&counter.mu);
        counter.value = counter.value + 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  MutexLock lock(&counter.mu);
  EXPECT_EQ(counter.value, 8000);
}

TEST(MutexTest, TryLockTellsWhetherItIsHeld) {
  Mutex mu;
  const auto elsewhere = [&mu] {
    bool got = false;
    std::thread([&] {
      got = mu.TryLock();
      if (got) mu.Unlock();
    }).join();
    return got;
  };
  EXPECT_TRUE(elsewhere());
  {
    MutexLock lock(&mu);
    EXPECT_FALSE(elsewhere());
  }
  EXPECT_TRUE(elsewhere());
}

// Of the calling thread, as the kernel schedules it now: negative in a realtime
// class, its own or a borrowed one.
int OwnPriority() {
  std::ifstream stat("/proc/thread-self/stat");
  std::string text;
  std::getline(stat, text);
  // The name, in parentheses, may hold anything; field 18 is the 16th after it.
  size_t at = text.rfind(')');
  for (int field = 2; field < 18; ++field) at = text.find(' ', at + 1);
  return std::stoi(text.substr(at));
}

TEST(MutexTest, ARealtimeThreadThatWaitsLendsTheHolderItsClass) {
  const Clock& clock = Clock::Real();
  std::atomic<SchedClass> granted{SchedClass::kRealtime};
  int before = 0;
  int lent = 0;
  int after = 0;
  std::thread([&] {
    SetOwnSchedClass(SchedClass::kIdle);
    before = OwnPriority();
    Mutex mu;
    mu.Lock();
    std::thread waiter([&] {
      granted = SetOwnSchedClass(SchedClass::kRealtime);
      mu.Lock();
      mu.Unlock();
    });
    const MonoTime give_up = clock.Now() + std::chrono::seconds(20);
    while ((lent = OwnPriority()) >= 0 && clock.Now() < give_up &&
           granted == SchedClass::kRealtime) {
    }
    mu.Unlock();
    waiter.join();
    after = OwnPriority();
  }).join();
  if (granted != SchedClass::kRealtime) GTEST_SKIP() << "no CAP_SYS_NICE";
  EXPECT_GE(before, 0);
  EXPECT_LT(lent, 0);
  EXPECT_GE(after, 0);
}

TEST(CondVarTest, HandsTurnsBackAndForth) {
  constexpr int kTurns = 500;
  Counter counter;
  // Each side moves on only when the other has: a lost wake-up hangs.
  const auto play = [&counter](int parity) {
    for (int turn = parity; turn < kTurns; turn += 2) {
      MutexLock lock(&counter.mu);
      while (counter.value != turn) counter.changed.Wait(&counter.mu);
      ++counter.value;
      counter.changed.NotifyOne();
    }
  };
  std::thread even(play, 0), odd(play, 1);
  even.join();
  odd.join();
  MutexLock lock(&counter.mu);
  EXPECT_EQ(counter.value, kTurns);
}

TEST(CondVarTest, NotifyAllWakesEveryWaiter) {
  Counter counter;
  std::vector<std::thread> waiters;
  for (int i = 0; i < 4; ++i) {
    waiters.emplace_back([&counter] {
      MutexLock lock(&counter.mu);
      while (counter.value == 0) counter.changed.Wait(&counter.mu);
      ++counter.value;
    });
  }
  {
    MutexLock lock(&counter.mu);
    counter.value = 1;
    counter.changed.NotifyAll();
  }
  for (std::thread& waiter : waiters) waiter.join();
  MutexLock lock(&counter.mu);
  EXPECT_EQ(counter.value, 5);
}

}  // namespace
}  // namespace freshline::base
