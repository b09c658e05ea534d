// SPDX-License-Identifier: Apache-2.0
#include "execute/thread_worker_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/waker.h"
#include "execute/row_assessor.h"
#include "tests/support/fake_execution.h"
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

}  // namespace
}  // namespace freshline::execute
