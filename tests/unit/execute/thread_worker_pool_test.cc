// SPDX-License-Identifier: Apache-2.0
#include "execute/thread_worker_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/waker.h"
#include "execute/row_assessor.h"
#include "tests/support/fake_execution.h"
#include "tests/support/latch.h"
#include "tests/support/status_matchers.h"

namespace freshline::execute {
namespace {

using base::WorkerId;
using ::testing::HasSubstr;

registry::FeatureGroup OneCount() {
  registry::FeatureGroup group;
  group.layout =
      registry::RowLayout({registry::ValueType::Of(registry::Scalar::kInt64)});
  return group;
}

class ThreadWorkerPoolTest : public ::testing::Test {
 protected:
  ThreadWorkerPoolTest() {
    auto function = std::make_unique<test::CountingFunction>(group_, false);
    function_ = function.get();
    functions_.push_back(std::move(function));
  }

  // Starts an empty-keyed job of `rows` rows.
  void Start(ThreadWorkerPool* pool, uint32_t worker, size_t rows) {
    Job& job = pool->job(WorkerId{worker});
    job.group = group_.id;
    job.function = function_;
    job.row_count = rows;
    for (size_t i = 0; i < rows; ++i) job.rows[i].events.Clear();
    pool->Start(WorkerId{worker});
  }
  WorkerId AwaitFinished(ThreadWorkerPool* pool) {
    while (true) {
      if (const auto worker = pool->NextFinished()) return *worker;
      waker_.WaitUntil(base::kInfiniteFuture);
    }
  }

  const registry::FeatureGroup group_ = OneCount();
  test::CountingFunction* function_ = nullptr;
  FunctionSet functions_;
  base::EventFdWaker waker_{base::Clock::Real()};
};

TEST_F(ThreadWorkerPoolTest, ComputesBatchesAndWakesTheDispatcher) {
  ThreadWorkerPool pool({2, 4, base::SchedClass::kIdle}, functions_,
                        base::Clock::Real(), &waker_);
  for (int round = 0; round < 200; ++round) {
    Start(&pool, 0, 1);
    Start(&pool, 1, 4);
    const WorkerId first = AwaitFinished(&pool);
    const WorkerId second = AwaitFinished(&pool);
    EXPECT_NE(first, second);
    for (const WorkerId worker : {first, second}) {
      const Job& job = pool.job(worker);
      ASSERT_THAT(job.status, test::IsOk());
      EXPECT_GT(job.run_time.count(), 0);
      for (size_t i = 0; i < job.row_count; ++i) {
        const registry::RowView row(group_.layout, job.rows[i].output);
        EXPECT_EQ(row.Int64(0), 0);
      }
    }
    EXPECT_FALSE(pool.NextFinished().has_value());
  }
}

TEST_F(ThreadWorkerPoolTest, WhatAFunctionThrowsIsAnInternalError) {
  function_->throw_with = "no such model";
  ThreadWorkerPool pool({1, 1, base::SchedClass::kNormal}, functions_,
                        base::Clock::Real(), &waker_);
  Start(&pool, 0, 1);
  const WorkerId worker = AwaitFinished(&pool);
  EXPECT_THAT(
      pool.job(worker).status,
      test::StatusIs(absl::StatusCode::kInternal, HasSubstr("no such model")));
  // And the worker is as good as before.
  function_->throw_with.clear();
  Start(&pool, 0, 1);
  EXPECT_THAT(pool.job(AwaitFinished(&pool)).status, test::IsOk());
}

TEST_F(ThreadWorkerPoolTest, ReportsTheClassThatTheKernelGranted) {
  ThreadWorkerPool pool({1, 1, base::SchedClass::kIdle}, functions_,
                        base::Clock::Real(), &waker_);
  // SCHED_IDLE needs no privilege.
  EXPECT_EQ(pool.sched_class(0), base::SchedClass::kIdle);
}

TEST_F(ThreadWorkerPoolTest, EndsWhileJobsRun) {
  for (int round = 0; round < 50; ++round) {
    ThreadWorkerPool pool({2, 1, base::SchedClass::kNormal}, functions_,
                          base::Clock::Real(), &waker_);
    Start(&pool, 0, 1);
    Start(&pool, 1, 1);
  }
}

// Waits for a latch, so that the test decides when it returns.
class BlockingFunction final : public featurize::FeatureFunction {
 public:
  explicit BlockingFunction(test::Latch* latch, test::Latch* entered = nullptr)
      : latch_(latch), entered_(entered) {}
  uint32_t events_needed() const override { return 1; }
  base::JobShape Shape(const featurize::Input&,
                       featurize::Scratch*) const override {
    return {};
  }
  bool always_inline() const override { return false; }
  std::unique_ptr<featurize::Scratch> MakeScratch() const override {
    return std::make_unique<featurize::Scratch>();
  }
  absl::Status Compute(std::span<const featurize::Input>,
                       std::span<registry::RowBytes* const>,
                       featurize::Scratch*) const override {
    if (entered_ != nullptr) entered_->Open();
    latch_->Wait();
    return absl::OkStatus();
  }

 private:
  test::Latch* const latch_;
  test::Latch* const entered_;
};

class HungWorkerTest : public ThreadWorkerPoolTest {
 protected:
  void Hang(ThreadWorkerPool* pool, uint32_t worker) {
    Job& job = pool->job(WorkerId{worker});
    job.group = group_.id;
    job.function = &blocking_;
    job.row_count = 1;
    job.rows[0].events.Clear();
    pool->Start(WorkerId{worker});
    pool->WriteOff(WorkerId{worker});
  }
  // Until every run that was given up has come home.
  void AwaitReturned(ThreadWorkerPool* pool) {
    latch_.Open();
    while (pool->hung() > 0) {
      EXPECT_FALSE(pool->NextFinished().has_value());
      if (pool->hung() > 0) waker_.WaitUntil(base::kInfiniteFuture);
    }
  }
  void ExpectWorks(ThreadWorkerPool* pool, uint32_t worker) {
    Start(pool, worker, 1);
    const WorkerId done = AwaitFinished(pool);
    EXPECT_EQ(done, WorkerId{worker});
    EXPECT_THAT(pool->job(done).status, test::IsOk());
  }

  test::Latch latch_;
  test::Latch entered_;
  const BlockingFunction blocking_{&latch_, &entered_};
};

TEST_F(HungWorkerTest, ASpareTakesThePlaceAndTheLateRunIsDropped) {
  ThreadWorkerPool pool({1, 1, base::SchedClass::kIdle}, functions_,
                        base::Clock::Real(), &waker_);
  Hang(&pool, 0);
  EXPECT_EQ(pool.hung(), 1U);
  EXPECT_EQ(pool.usable(), 1U);
  EXPECT_EQ(pool.spares_left(), 0U);
  for (int i = 0; i < 20; ++i) ExpectWorks(&pool, 0);
  AwaitReturned(&pool);
  EXPECT_EQ(pool.spares_left(), 1U);
  for (int i = 0; i < 20; ++i) ExpectWorks(&pool, 0);
}

TEST_F(HungWorkerTest, PlacesShrinkWithoutSparesAndGrowAgain) {
  // Before the pool, whose threads use them until it ends.
  test::Latch again;
  const BlockingFunction blocking(&again);
  ThreadWorkerPool pool({2, 1, base::SchedClass::kNormal}, functions_,
                        base::Clock::Real(), &waker_);
  Hang(&pool, 0);
  Hang(&pool, 1);
  EXPECT_EQ(pool.usable(), 2U);
  Hang(&pool, 0);
  EXPECT_EQ(pool.usable(), 1U);
  // Place 0 takes the thread that place 1 had.
  for (int i = 0; i < 20; ++i) ExpectWorks(&pool, 0);
  Hang(&pool, 0);
  EXPECT_EQ(pool.usable(), 0U);
  AwaitReturned(&pool);
  EXPECT_EQ(pool.usable(), 2U);
  for (int i = 0; i < 20; ++i) {
    ExpectWorks(&pool, 0);
    ExpectWorks(&pool, 1);
  }
  // Threads that came back are spares: they hang as well as others.
  for (int i = 0; i < 4; ++i) {
    Job& job = pool.job(WorkerId{0});
    job.group = group_.id;
    job.function = &blocking;
    job.row_count = 1;
    pool.Start(WorkerId{0});
    pool.WriteOff(WorkerId{0});
  }
  EXPECT_EQ(pool.usable(), 0U);
  again.Open();
}

TEST_F(HungWorkerTest, StopTellsWhoNeverEnded) {
  ThreadWorkerPool pool({2, 1, base::SchedClass::kNormal}, functions_,
                        base::Clock::Real(), &waker_);
  Hang(&pool, 0);
  entered_.Wait();
  EXPECT_GT(pool.Stop(std::chrono::milliseconds(1)), 0U);
  latch_.Open();
  EXPECT_EQ(pool.Stop(std::chrono::hours(1)), 0U);
}

}  // namespace
}  // namespace freshline::execute
