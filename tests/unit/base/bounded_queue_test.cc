// SPDX-License-Identifier: Apache-2.0
#include "base/bounded_queue.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "base/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace freshline::base {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(BoundedQueueTest, BehavesAsAnArrayThatRefusesBeyondItsCapacity) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const size_t capacity = 1 + rng.Below(8);
    BoundedQueue<uint64_t> queue(capacity);
    std::vector<uint64_t> model, drained;
    for (int step = 0; step < 500; ++step) {
      if (rng.Chance(0.2)) {
        queue.DrainTo(&drained);
        ASSERT_EQ(drained, model);
        model.clear();
      } else {
        uint64_t value = rng.Next();
        bool was_empty = false;
        const bool expected = model.size() < capacity;
        const bool model_empty = model.empty();
        if (expected) model.push_back(value);
        ASSERT_EQ(queue.TryPush(std::move(value), &was_empty), expected);
        ASSERT_EQ(was_empty, expected && model_empty);
      }
      ASSERT_EQ(queue.size(), model.size());
    }
  }
}

TEST(BoundedQueueTest, LeavesAValueThatItRefusesToItsOwner) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  bool was_empty = false;
  ASSERT_TRUE(queue.TryPush(std::make_unique<int>(1), &was_empty));
  auto second = std::make_unique<int>(2);
  EXPECT_FALSE(queue.TryPush(std::move(second), &was_empty));
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(*second, 2);
}

TEST(BoundedQueueTest, RefusesAfterCloseAndKeepsWhatIsQueued) {
  BoundedQueue<int> queue(4);
  bool was_empty = false;
  ASSERT_TRUE(queue.TryPush(1, &was_empty));
  queue.Close();
  EXPECT_FALSE(queue.TryPush(2, &was_empty));
  std::vector<int> drained;
  queue.DrainTo(&drained);
  EXPECT_THAT(drained, ElementsAre(1));
}

TEST(BoundedQueueTest, DrainForgetsWhatTheVectorHeld) {
  BoundedQueue<int> queue(4);
  std::vector<int> drained = {7, 8};
  queue.DrainTo(&drained);
  EXPECT_THAT(drained, IsEmpty());
}

TEST(BoundedQueueTest, LosesAndInventsNothingWithManyProducers) {
  constexpr uint64_t kProducers = 3;
  constexpr uint64_t kEach = 3000;
  constexpr size_t kCapacity = 64;
  BoundedQueue<uint64_t> queue(kCapacity);
  std::vector<std::thread> producers;
  for (uint64_t p = 0; p < kProducers; ++p) {
    producers.emplace_back([&queue, p] {
      for (uint64_t i = 0; i < kEach; ++i) {
        uint64_t value = p * kEach + i;
        bool was_empty = false;
        while (!queue.TryPush(std::move(value), &was_empty)) {
          std::this_thread::yield();
        }
      }
    });
  }
  std::vector<uint64_t> next(kProducers, 0);
  std::vector<uint64_t> drained;
  uint64_t total = 0;
  size_t longest = 0;
  bool in_order = true;
  while (total < kProducers * kEach) {
    queue.DrainTo(&drained);
    if (drained.empty()) std::this_thread::yield();
    longest = std::max(longest, drained.size());
    total += drained.size();
    for (const uint64_t value : drained) {
      in_order &= value % kEach == next[value / kEach]++;
    }
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_TRUE(in_order) << "one producer's values came out of order";
  EXPECT_EQ(total, kProducers * kEach);
  EXPECT_LE(longest, kCapacity);
}

}  // namespace
}  // namespace freshline::base
