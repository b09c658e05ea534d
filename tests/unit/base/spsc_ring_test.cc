// SPDX-License-Identifier: Apache-2.0
#include "base/spsc_ring.h"

#include <bit>
#include <cstdint>
#include <deque>
#include <memory>
#include <thread>

#include "base/random.h"
#include "gtest/gtest.h"

namespace freshline::base {
namespace {

TEST(SpscRingTest, BehavesAsAQueueOfBoundedLength) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const size_t asked = 1 + rng.Below(9);
    const size_t capacity = std::bit_ceil(asked);
    SpscRing<uint64_t> ring(asked);
    std::deque<uint64_t> model;
    for (int step = 0; step < 500; ++step) {
      if (rng.Chance(0.55)) {
        uint64_t value = rng.Next();
        const uint64_t kept = value;
        const bool fits = model.size() < capacity;
        ASSERT_EQ(ring.TryPush(std::move(value)), fits);
        if (fits) model.push_back(kept);
      } else {
        uint64_t value = 0;
        ASSERT_EQ(ring.TryPop(&value), !model.empty());
        if (model.empty()) continue;
        ASSERT_EQ(value, model.front());
        model.pop_front();
      }
    }
  }
}

TEST(SpscRingTest, LeavesAValueThatItRefusesToItsOwner) {
  SpscRing<std::unique_ptr<int>> ring(1);
  ASSERT_TRUE(ring.TryPush(std::make_unique<int>(1)));
  auto second = std::make_unique<int>(2);
  EXPECT_FALSE(ring.TryPush(std::move(second)));
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(*second, 2);
}

// The value is reached through a plain pointer: under ThreadSanitizer a missing
// release or acquire is a race.
TEST(SpscRingTest, HandsOverWhatWasWrittenBeforeThePush) {
  constexpr uint64_t kItems = 10'000;
  SpscRing<std::unique_ptr<uint64_t>> ring(16);
  std::thread producer([&ring] {
    for (uint64_t i = 0; i < kItems; ++i) {
      auto item = std::make_unique<uint64_t>(i * i);
      while (!ring.TryPush(std::move(item))) std::this_thread::yield();
    }
  });
  bool in_order = true;
  for (uint64_t i = 0; i < kItems; ++i) {
    std::unique_ptr<uint64_t> item;
    while (!ring.TryPop(&item)) std::this_thread::yield();
    in_order &= *item == i * i;
  }
  producer.join();
  EXPECT_TRUE(in_order);
  std::unique_ptr<uint64_t> none;
  EXPECT_FALSE(ring.TryPop(&none));
}

TEST(SpscRingDeathTest, RefusesToHoldNothing) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(SpscRing<int>(0), "capacity > 0");
}

}  // namespace
}  // namespace freshline::base
