// SPDX-License-Identifier: Apache-2.0
// Triggers and index functions: what a row of PolicyConfig can say.
#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "schedule/policies.h"
#include "tests/unit/schedule/policy_harness.h"

namespace freshline::schedule {
namespace {

using test::PolicyHarness;
using testing::ElementsAre;
using testing::IsEmpty;

PolicyConfig EventPolicy(IndexFunction index, bool moves = false) {
  PolicyConfig config = *FindPolicy("eager_fifo");
  config.index = {index, moves};
  return config;
}

TEST(TriggerTest, NeverRunsNothing) {
  PolicyConfig config;
  config.trigger = Trigger::kNever;
  PolicyHarness h(config);
  EXPECT_THAT(h.Changed(0, 1, 1), IsEmpty());
  EXPECT_THAT(h.Arrive(1, 1, 30, {{1}}),
              ElementsAre("settle 1/1 SHED", "answer 1"));
}

TEST(TriggerTest, AQueryWaitsOnlyForAColdRow) {
  PolicyConfig config;
  config.trigger = Trigger::kQueryWaitsCold;
  PolicyHarness h(config);
  PolicyHarness::NeedSpec cold{1};
  cold.cold = true;
  EXPECT_THAT(h.Arrive(0, 1, 30, {cold}), ElementsAre("start 1"));
  // One stored row and one cold: the first is settled, and queued as well.
  PolicyHarness::NeedSpec other{2};
  PolicyHarness::NeedSpec third{3};
  third.cold = true;
  EXPECT_THAT(h.Arrive(1, 2, 30, {other, third}),
              ElementsAre("settle 2/2 SHED"));
  EXPECT_THAT(h.Done(3, 1),
              ElementsAre("settle 1/1 REFRESHED", "answer 1", "start 2"));
  EXPECT_THAT(h.Done(6, 1), ElementsAre("start 3"));
  EXPECT_THAT(h.Done(9, 1), ElementsAre("settle 2/3 REFRESHED", "answer 2"));
}

TEST(TriggerTest, EventsQueueOnceSoManyArePending) {
  PolicyConfig config = EventPolicy(nullptr);
  config.pending_min = 3;
  PolicyHarness h(config);
  EXPECT_THAT(h.Changed(0, 1, 1, 1, 1), IsEmpty());
  EXPECT_THAT(h.Changed(1, 1, 2, 1, 2), IsEmpty());
  EXPECT_THAT(h.Changed(2, 1, 3, 1, 3), ElementsAre("start 1"));
}

TEST(TriggerTest, WithoutCoalescingEveryEventIsOwedARun) {
  PolicyConfig config = EventPolicy(nullptr);
  config.coalesce = false;
  PolicyHarness h(config);
  EXPECT_THAT(h.Changed(0, 1, 1), ElementsAre("start 1"));
  h.Changed(0, 2, 2);
  h.Changed(0, 3, 3);
  h.Changed(0, 2, 4);
  h.Changed(0, 1, 5);
  // In the order of the events, though a run of row 2 has seen both of its.
  EXPECT_THAT(h.Done(3, 5), ElementsAre("start 2"));
  EXPECT_THAT(h.Done(6, 5), ElementsAre("start 3"));
  EXPECT_THAT(h.Done(9, 5), ElementsAre("start 2"));
  EXPECT_THAT(h.Done(12, 5), ElementsAre("start 1"));
  EXPECT_THAT(h.Done(15, 5), IsEmpty());
}

TEST(TriggerTest, RunsOwedAreBoundedAndCounted) {
  PolicyConfig config = EventPolicy(nullptr);
  config.coalesce = false;
  config.rows_max = 3;
  PolicyHarness h(config);
  for (base::Seq n = 1; n <= 10; ++n) h.Changed(0, 1, n);
  EXPECT_EQ(h.Stats().rows_refused, 6U);  // one runs, three are owed
}

TEST(TriggerTest, AYoungRowIsLeftAsItIs) {
  PolicyConfig config = *FindPolicy("stale_then_refresh");
  config.ttl = std::chrono::milliseconds(100);
  config.history_max = 10;
  PolicyHarness h(config);
  EXPECT_THAT(h.Arrive(0, 1, 30, {{1}}),
              ElementsAre("settle 1/1 SHED", "answer 1", "start 1"));
  h.Done(3, 1);
  EXPECT_THAT(h.Arrive(50, 2, 80, {{1, 2}}),
              ElementsAre("settle 2/1 SHED", "answer 2"));
  EXPECT_THAT(h.Arrive(103, 3, 130, {{1, 2}}),
              ElementsAre("settle 3/1 SHED", "answer 3", "start 1"));
}

TEST(IndexTest, TheHighestRunsAndEqualOnesInTheOrderTheyWereQueued) {
  PolicyHarness h(EventPolicy([](const RowFacts& row, base::MonoTime) {
    return static_cast<double>(row.pending);
  }));
  h.Changed(0, 1, 1);
  h.Changed(0, 2, 2, 1, 5);
  h.Changed(0, 3, 3, 1, 7);
  h.Changed(0, 4, 4, 1, 7);
  h.Changed(0, 5, 5, 1, 6);
  EXPECT_THAT(h.Done(3, 5), ElementsAre("start 3"));
  EXPECT_THAT(h.Done(6, 5), ElementsAre("start 4"));
  EXPECT_THAT(h.Done(9, 5), ElementsAre("start 5"));
  EXPECT_THAT(h.Done(12, 5), ElementsAre("start 2"));
}

TEST(IndexTest, AnyNumberHasItsPlaceAndNaNIsLast) {
  PolicyHarness h(EventPolicy([](const RowFacts& row, base::MonoTime) {
    switch (base::ToInt(row.row.key)) {
      case 2:
        return std::nan("");
      case 3:
        return -std::numeric_limits<double>::infinity();
      case 4:
        return -1e300;
      case 5:
        return -1.0;
      case 6:
        return 0.0;
      case 7:
        return 1e-300;
      default:
        return std::numeric_limits<double>::infinity();
    }
  }));
  for (const uint64_t key : {1, 3, 2, 4, 5, 6, 7, 8}) h.Changed(0, key, key);
  double at = 0;
  for (const char* next : {"start 8", "start 7", "start 6", "start 5",
                           "start 4", "start 3", "start 2"}) {
    EXPECT_THAT(h.Done(at += 3, 9), ElementsAre(next));
  }
}

TEST(IndexTest, OneThatMovesIsAskedAtEveryStart) {
  // The row whose 10 ms have passed longest ago, ahead of those still running.
  const IndexFunction due = [](const RowFacts& row, base::MonoTime now) {
    const double waited = base::ToMillis(now - row.pending_since);
    return base::ToInt(row.row.key) == 9 && waited >= 10 ? 1e9 : waited;
  };
  PolicyHarness h(EventPolicy(due, /*moves=*/true));
  h.Changed(0, 1, 1);
  h.Changed(1, 2, 2);
  h.Changed(2, 3, 3);
  h.Changed(2, 9, 4);
  EXPECT_THAT(h.Done(3, 4), ElementsAre("start 2"));
  EXPECT_THAT(h.Done(12, 4), ElementsAre("start 9"));
  EXPECT_THAT(h.Done(15, 4), ElementsAre("start 3"));
}

TEST(IndexTest, TheFactsTellOfThePast) {
  static RowFacts seen;
  PolicyConfig config = EventPolicy([](const RowFacts& row, base::MonoTime) {
    if (base::ToInt(row.row.key) == 1) seen = row;
    return 0.0;
  });
  config.history_max = 2;
  PolicyHarness h(config);
  h.Changed(0, 1, 1);
  h.Done(3, 1);
  h.Arrive(4, 1, 30, {{1, 2}});
  h.Arrive(5, 2, 30, {{1, 2}});
  h.Changed(6, 1, 2);
  EXPECT_EQ(seen.refreshes, 1U);
  EXPECT_EQ(seen.refreshed_at, PolicyHarness::At(3));
  EXPECT_EQ(seen.queries, 2U);
  EXPECT_EQ(seen.queries_since, 2U);
  EXPECT_EQ(seen.asked_at, PolicyHarness::At(5));
  EXPECT_EQ(seen.pending_since, PolicyHarness::At(6));
  EXPECT_EQ(seen.newest, 2U);
  h.Done(9, 2);
  // Two others are remembered instead.
  h.Changed(10, 2, 3);
  h.Done(13, 3);
  h.Changed(14, 3, 4);
  h.Done(17, 4);
  h.Changed(18, 1, 5);
  EXPECT_EQ(seen.refreshes, 0U);
}

TEST(CatalogueTest, TakesValidPoliciesOnce) {
  PolicyCatalogue catalogue = PolicyCatalogue::BuiltIn();
  PolicyConfig config;
  EXPECT_EQ(catalogue.Add(config).code(), absl::StatusCode::kInvalidArgument);
  config.name = "mine";
  EXPECT_TRUE(catalogue.Add(config).ok());
  EXPECT_EQ(catalogue.Add(config).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_TRUE(catalogue.Find("mine").ok());
  EXPECT_TRUE(catalogue.Find("edf").ok());
  config.name = "wrong";
  config.pending_min = 0;
  const absl::Status wrong = catalogue.Add(config);
  EXPECT_EQ(wrong.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(wrong.message()), testing::HasSubstr("pending_min"));
  for (const PolicyConfig& policy : catalogue.policies()) {
    EXPECT_FALSE(policy.summary.empty() && policy.name != "mine");
  }
}

}  // namespace
}  // namespace freshline::schedule
