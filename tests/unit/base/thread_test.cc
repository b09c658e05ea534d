// SPDX-License-Identifier: Apache-2.0
#include "base/thread.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace freshline::base {
namespace {

int KernelPolicyOf(SchedClass sched_class) {
  switch (sched_class) {
    case SchedClass::kNormal:
      return SCHED_OTHER;
    case SchedClass::kIdle:
      return SCHED_IDLE;
    case SchedClass::kRealtime:
    case SchedClass::kRealtimeHigh:
      return SCHED_FIFO;
  }
  return -1;
}

// In a thread of its own: the way out of SCHED_IDLE may need a privilege.
template <typename F>
void InThread(F f) {
  std::thread(f).join();
}

TEST(ThreadTest, ReportsTheClassThatTheKernelGave) {
  for (const SchedClass wanted :
       {SchedClass::kNormal, SchedClass::kIdle, SchedClass::kRealtime,
        SchedClass::kRealtimeHigh}) {
    InThread([wanted] {
      const int before = sched_getscheduler(0);
      const SchedClass got = SetOwnSchedClass(wanted);
      const int now = sched_getscheduler(0);
      EXPECT_EQ(now, KernelPolicyOf(got));
      // Granted, or as it was.
      EXPECT_TRUE(got == wanted || now == before);
    });
  }
}

TEST(ThreadTest, AnyoneMayBecomeIdle) {
  InThread([] {
    EXPECT_EQ(SetOwnSchedClass(SchedClass::kIdle), SchedClass::kIdle);
  });
}

TEST(ThreadTest, ChangesNoOtherThread) {
  const int before = sched_getscheduler(0);
  InThread([] { SetOwnSchedClass(SchedClass::kIdle); });
  EXPECT_EQ(sched_getscheduler(0), before);
}

TEST(ThreadTest, NamesItselfCutToWhatTheKernelHolds) {
  InThread([] {
    PrepareThread("a-name-that-is-too-long", false);
    char name[16];
    ASSERT_EQ(pthread_getname_np(pthread_self(), name, sizeof(name)), 0);
    EXPECT_EQ(std::string(name), "a-name-that-is-");
  });
}

TEST(ThreadTest, OnlyAPunctualThreadHasNoTimerSlack) {
  InThread([] {
    PrepareThread("relaxed", false);
    EXPECT_GT(prctl(PR_GET_TIMERSLACK), 1);
    PrepareThread("punctual", true);
    // A realtime thread has no slack at all, and says 0.
    EXPECT_LE(prctl(PR_GET_TIMERSLACK), 1);
  });
}

TEST(ThreadTest, EveryClassHasAName) {
  EXPECT_EQ(SchedClassName(SchedClass::kNormal), "normal");
  EXPECT_EQ(SchedClassName(SchedClass::kIdle), "idle");
  EXPECT_EQ(SchedClassName(SchedClass::kRealtime), "realtime");
  EXPECT_EQ(SchedClassName(SchedClass::kRealtimeHigh), "realtime-high");
}

TEST(ThreadTest, RunDelayNeverFallsAndIsOfTheThreadItself) {
  const Duration before = ThreadRunDelay();
  EXPECT_GE(before, Duration());
  Duration theirs{};
  InThread([&theirs] { theirs = ThreadRunDelay(); });
  EXPECT_GE(theirs, Duration());
  EXPECT_GE(ThreadRunDelay(), before);
}

TEST(ThreadTest, CpuTimeCountsOnlyOwnWork) {
  const int64_t before = ThreadCpuNanos();
  int64_t theirs = 0;
  InThread([&theirs] {
    // Twenty milliseconds of work, by the very clock under test; bounded.
    volatile uint64_t sink = 0;
    for (int i = 0; i < 1'000'000'000 && theirs < 20'000'000; ++i) {
      sink = sink + 1;
      if (i % 1000 == 0) theirs = ThreadCpuNanos();
    }
  });
  EXPECT_GE(theirs, 20'000'000);
  EXPECT_LT(ThreadCpuNanos() - before, theirs);
}

}  // namespace
}  // namespace freshline::base
