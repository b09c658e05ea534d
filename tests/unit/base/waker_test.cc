// SPDX-License-Identifier: Apache-2.0
#include "base/waker.h"

#include <atomic>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_clock.h"

namespace freshline::base {
namespace {

// Waits without a limit: what does not wake them shows as a test that hangs,
// never as one that is merely slow.

TEST(EventFdWakerTest, AWakeBeforeTheWaitIsNotLost) {
  EventFdWaker waker(Clock::Real());
  waker.Wake();
  waker.WaitUntil(kInfiniteFuture);
  SUCCEED();
}

TEST(EventFdWakerTest, ReturnsAtOnceWhenTheDeadlineIsPast) {
  test::FakeClock clock;  // stands still: a wait for it would never end
  EventFdWaker waker(clock);
  waker.WaitUntil(clock.Now());
  waker.WaitUntil(clock.Now() - std::chrono::hours(1));
  waker.WaitUntil(kInfinitePast + std::chrono::hours(24 * 365 * 50));
  SUCCEED();
}

TEST(EventFdWakerTest, SleepsUntilTheDeadlineWhenNobodyWakesIt) {
  const Clock& clock = Clock::Real();
  EventFdWaker waker(clock);
  const MonoTime deadline = clock.Now() + std::chrono::milliseconds(2);
  // It may return early; a bounded number of times, or it would be spinning.
  int waits = 0;
  while (clock.Now() < deadline && waits < 100) {
    waker.WaitUntil(deadline);
    ++waits;
  }
  EXPECT_GE(clock.Now(), deadline);
}

TEST(EventFdWakerTest, WakesCoalesceIntoOne) {
  const Clock& clock = Clock::Real();
  EventFdWaker waker(clock);
  for (int i = 0; i < 1000; ++i) waker.Wake();
  waker.WaitUntil(kInfiniteFuture);
  // All of them were taken: the next wait lasts to its deadline.
  const MonoTime deadline = clock.Now() + std::chrono::milliseconds(2);
  waker.WaitUntil(deadline);
  EXPECT_GE(clock.Now(), deadline);
}

TEST(EventFdWakerTest, WakesAThreadThatSleepsForEver) {
  EventFdWaker waker(Clock::Real());
  std::atomic<int> handled{0};
  std::atomic<int> sent{0};
  constexpr int kSent = 1000;
  std::thread driver([&] {
    while (handled.load() < kSent) {
      waker.WaitUntil(kInfiniteFuture);
      handled.store(sent.load());
    }
  });
  std::vector<std::thread> wakers;
  for (int t = 0; t < 2; ++t) {
    wakers.emplace_back([&] {
      for (int i = 0; i < kSent / 2; ++i) {
        sent.fetch_add(1);
        waker.Wake();
      }
    });
  }
  for (std::thread& thread : wakers) thread.join();
  driver.join();
  EXPECT_EQ(handled.load(), kSent);
}

}  // namespace
}  // namespace freshline::base
