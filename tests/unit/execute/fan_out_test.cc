// SPDX-License-Identifier: Apache-2.0
#include "execute/fan_out.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <memory>
#include <vector>

#include "base/mutex.h"

namespace freshline::execute {
namespace {

using base::MonoTime;
using std::chrono::milliseconds;

class Parts final : public FanOut::Work {
 public:
  explicit Parts(int parts) : done_(parts), parts_(parts) {}
  bool RunPart() override {
    const int part = next_.fetch_add(1);
    if (part >= parts_) return false;
    done_.count_down();
    return part + 1 < parts_;
  }
  void Wait() { done_.wait(); }
  bool all() const { return done_.try_wait(); }

 private:
  std::latch done_;
  const int parts_;
  std::atomic<int> next_{0};
};

// Holds the threads until it is opened.
class Gate final : public FanOut::Work {
 public:
  bool RunPart() override {
    running_.count_down();
    open_.wait();
    return false;
  }
  void AwaitRunning() { running_.wait(); }
  void Open() { open_.count_down(); }

 private:
  std::latch running_{1};
  std::latch open_{1};
};

class Noted final : public FanOut::Work {
 public:
  Noted(int name, std::vector<int>* order, base::Mutex* mu)
      : name_(name), order_(order), mu_(mu) {}
  bool RunPart() override {
    base::MutexLock lock(mu_);
    order_->push_back(name_);
    return false;
  }

 private:
  const int name_;
  std::vector<int>* const order_;
  base::Mutex* const mu_;
};

TEST(FanOutTest, RunsEveryPartOfEveryWork) {
  std::vector<std::shared_ptr<Parts>> works;
  {
    ThreadFanOut fan_out(3, 1000);
    EXPECT_EQ(fan_out.width(), 3U);
    for (int i = 1; i <= 200; ++i) {
      works.push_back(std::make_shared<Parts>(i % 7 + 1));
      ASSERT_TRUE(fan_out.TryPost(works.back(), MonoTime(milliseconds(i % 5))));
    }
    // Half of them are awaited, the rest ends with the threads.
    for (size_t i = 0; i < 100; ++i) works[i]->Wait();
  }
  for (const auto& work : works) EXPECT_TRUE(work->all());
}

TEST(FanOutTest, WhatIsDueFirstRunsFirstAndTiesKeepTheirOrder) {
  base::Mutex mu;
  std::vector<int> order;
  {
    ThreadFanOut fan_out(1, 10);
    const auto gate = std::make_shared<Gate>();
    ASSERT_TRUE(fan_out.TryPost(gate, MonoTime(milliseconds(0))));
    gate->AwaitRunning();
    int name = 0;
    for (const int due : {30, 10, 20, 10}) {
      ASSERT_TRUE(fan_out.TryPost(std::make_shared<Noted>(name++, &order, &mu),
                                  MonoTime(milliseconds(due))));
    }
    gate->Open();
  }
  EXPECT_EQ(order, (std::vector<int>{1, 3, 2, 0}));
}

// Notes whether two of its parts ever ran at once.
class IdleParts final : public FanOut::Work {
 public:
  explicit IdleParts(int parts) : parts_(parts) {}
  bool RunPart() override {
    const int running = running_.fetch_add(1);
    if (running > 0) overlapped_ = true;
    const bool more = ++begun_ < parts_;
    running_.fetch_sub(1);
    if (!more) done_.count_down();
    return more;
  }
  void Wait() { done_.wait(); }
  int begun() const { return begun_; }
  bool overlapped() const { return overlapped_; }

 private:
  const int parts_;
  std::atomic<int> running_{0};
  std::atomic<int> begun_{0};
  std::atomic<bool> overlapped_{false};
  std::latch done_{1};
};

TEST(FanOutTest, WhatNobodyWaitsForRunsBesideWhatIsDueOnePartAtATime) {
  ThreadFanOut fan_out(3, 1000);
  const auto idle = std::make_shared<IdleParts>(500);
  const auto second = std::make_shared<IdleParts>(1);
  ASSERT_TRUE(fan_out.TryPostIdle(idle));
  ASSERT_TRUE(fan_out.TryPostIdle(second));
  for (int i = 0; i < 100; ++i) {
    const auto due = std::make_shared<Parts>(3);
    ASSERT_TRUE(fan_out.TryPost(due, MonoTime()));
    due->Wait();
  }
  second->Wait();  // in order: the first has ended
  EXPECT_EQ(idle->begun(), 500);
  EXPECT_FALSE(idle->overlapped());
}

TEST(FanOutTest, WhatIsDueGoesBeforeWhatNobodyWaitsFor) {
  base::Mutex mu;
  std::vector<int> order;
  ThreadFanOut fan_out(1, 10);
  const auto gate = std::make_shared<Gate>();
  ASSERT_TRUE(fan_out.TryPost(gate, MonoTime(milliseconds(0))));
  gate->AwaitRunning();
  ASSERT_TRUE(fan_out.TryPostIdle(std::make_shared<Noted>(1, &order, &mu)));
  ASSERT_TRUE(fan_out.TryPost(std::make_shared<Noted>(2, &order, &mu),
                              MonoTime(milliseconds(30))));
  const auto last = std::make_shared<IdleParts>(1);
  ASSERT_TRUE(fan_out.TryPostIdle(last));
  gate->Open();
  last->Wait();
  base::MutexLock lock(&mu);
  EXPECT_EQ(order, (std::vector<int>{2, 1}));
}

TEST(FanOutTest, AStopDropsWhatNobodyWaitsFor) {
  ThreadFanOut fan_out(1, 10);
  const auto gate = std::make_shared<Gate>();
  ASSERT_TRUE(fan_out.TryPost(gate, MonoTime(milliseconds(0))));
  gate->AwaitRunning();
  std::vector<std::shared_ptr<IdleParts>> idle;
  for (size_t i = 0; i < ThreadFanOut::kIdleWorksMax; ++i) {
    idle.push_back(std::make_shared<IdleParts>(1 << 30));
    EXPECT_TRUE(fan_out.TryPostIdle(idle.back()));
  }
  EXPECT_FALSE(fan_out.TryPostIdle(std::make_shared<IdleParts>(1)));
  gate->Open();
  fan_out.Stop();
  EXPECT_EQ(idle.back()->begun(), 0);
  EXPECT_FALSE(fan_out.TryPostIdle(std::make_shared<IdleParts>(1)));
}

TEST(FanOutTest, TakesNoMoreThanItsBoundAndNothingOnceStopped) {
  ThreadFanOut fan_out(1, 2);
  const auto gate = std::make_shared<Gate>();
  ASSERT_TRUE(fan_out.TryPost(gate, MonoTime(milliseconds(0))));
  gate->AwaitRunning();
  EXPECT_TRUE(fan_out.TryPost(std::make_shared<Parts>(1), MonoTime()));
  EXPECT_FALSE(fan_out.TryPost(std::make_shared<Parts>(1), MonoTime()));
  gate->Open();
  fan_out.Stop();
  EXPECT_FALSE(fan_out.TryPost(std::make_shared<Parts>(1), MonoTime()));
}

}  // namespace
}  // namespace freshline::execute
