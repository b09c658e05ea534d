// SPDX-License-Identifier: Apache-2.0
// Every policy of the shelf on a case that can be worked out by hand.
#include "bench/shelf/shelf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "docs/examples/cheapest_first.h"
#include "tests/unit/schedule/policy_harness.h"

namespace freshline::bench {
namespace {

using schedule::PolicyConfig;
using test::PolicyHarness;
using testing::ElementsAre;
using testing::IsEmpty;

PolicyConfig Find(const char* name) { return *ShelfCatalogue().Find(name); }

// Keys in the order in which the one worker runs them, until nothing is left;
// `as_of` has seen every event.
std::vector<std::string> Drain(PolicyHarness* h, double at) {
  std::vector<std::string> order;
  while (h->running() > 0) {
    for (const std::string& action : h->Done(at += 3, 1000)) {
      if (action.rfind("start ", 0) == 0) order.push_back(action.substr(6));
    }
  }
  return order;
}

TEST(ShelfTest, HasEveryPolicyOnceWithASummaryAndIsValid) {
  const schedule::PolicyCatalogue catalogue = ShelfCatalogue();
  std::set<std::string> names;
  for (const PolicyConfig& policy : catalogue.policies()) {
    EXPECT_TRUE(names.insert(policy.name).second) << policy.name;
    EXPECT_FALSE(policy.summary.empty()) << policy.name;
    EXPECT_TRUE(ValidatePolicyConfig(policy).ok()) << policy.name;
  }
  for (const absl::string_view name : schedule::PolicyNames()) {
    EXPECT_EQ(names.count(std::string(name)), 1U);
  }
}

TEST(ShelfTest, NeverRefreshesNothing) {
  PolicyHarness h(Find("never"));
  EXPECT_THAT(h.Changed(0, 1, 1), IsEmpty());
  EXPECT_THAT(h.Arrive(1, 1, 30, {{1}}),
              ElementsAre("settle 1/1 SHED", "answer 1"));
}

TEST(ShelfTest, UncoalescedRunsOnceForEachEvent) {
  PolicyHarness h(Find("eager_uncoalesced"));
  for (const uint64_t key : {1, 2, 3, 2}) h.Changed(0, key, key);
  EXPECT_THAT(Drain(&h, 0), ElementsAre("2", "3", "2"));
}

TEST(ShelfTest, LifoRunsTheLastQueuedAndCoalescedLifoTheNewestEvent) {
  for (const auto& [name, first] :
       {std::pair{"lifo", "4"}, std::pair{"coalesced_lifo", "2"}}) {
    PolicyHarness h(Find(name));
    base::Seq sequence = 0;
    for (const uint64_t key : {1, 2, 3, 4, 2}) h.Changed(0, key, ++sequence);
    const std::vector<std::string> order = Drain(&h, 0);
    ASSERT_EQ(order.size(), 3U) << name;
    EXPECT_EQ(order.front(), first) << name;
  }
}

TEST(ShelfTest, RoundRobinAndLeastUpdatedCountRunsDifferently) {
  for (const auto& [name, first] :
       {std::pair{"round_robin", "2"}, std::pair{"ralf_least_updated", "3"}}) {
    PolicyHarness h(Find(name));
    // 2 runs twice, then 3 once: 2 waited longer, 3 ran less often.
    h.Changed(0, 2, 1);
    h.Done(1, 1);
    h.Changed(2, 2, 2);
    h.Done(3, 2);
    h.Changed(4, 3, 3);
    h.Done(5, 3);
    h.Changed(6, 1, 4);
    h.Changed(6, 3, 5);
    h.Changed(6, 2, 6);
    EXPECT_EQ(Drain(&h, 6).front(), first) << name;
  }
}

TEST(ShelfTest, RandomIsNotTheOrderOfArrivalButAlwaysTheSame) {
  const auto order = [] {
    PolicyHarness h(Find("random"));
    for (uint64_t key = 1; key <= 21; ++key) h.Changed(0, key, key);
    return Drain(&h, 0);
  };
  const std::vector<std::string> drawn = order();
  EXPECT_EQ(drawn, order());
  std::vector<std::string> sorted;
  for (int key = 2; key <= 21; ++key) sorted.push_back(std::to_string(key));
  EXPECT_NE(drawn, sorted);
  std::reverse(sorted.begin(), sorted.end());
  EXPECT_NE(drawn, sorted);
  EXPECT_THAT(drawn, testing::UnorderedElementsAreArray(sorted));
}

TEST(ShelfTest, MaxPendingLooksAtEventsAndQueryProportionalAtQueries) {
  for (const auto& [name, first] : {std::pair{"ralf_max_pending", "3"},
                                    std::pair{"ralf_query_proportional", "4"},
                                    std::pair{"lambda_crawl_greedy", "5"}}) {
    PolicyHarness h(Find(name));
    h.Changed(0, 1, 1);
    h.Changed(0, 2, 2);
    h.Changed(0, 3, 3, 1, 9);
    h.Changed(0, 4, 4, 1, 1);
    h.Changed(0, 5, 5, 1, 4);
    // Three queries x H(1) = 3; two x H(4) = 4.2; none for the others.
    for (const uint64_t ticket : {1, 2, 3}) h.Arrive(1, ticket, 30, {{4, 4}});
    for (const uint64_t ticket : {4, 5}) h.Arrive(1, ticket, 30, {{5, 5}});
    EXPECT_EQ(Drain(&h, 1).front(), first) << name;
  }
}

TEST(ShelfTest, RegretProportionalWeighsReportedLossByQueries) {
  const PolicyConfig policy = Find("ralf_regret_proportional");
  schedule::RowFacts row;
  row.regret = 0.25;
  row.queries_since = 6;
  EXPECT_EQ(policy.index.function(row, {}), 1.5);
  row.queries_since = 0;
  EXPECT_EQ(policy.index.function(row, {}), 0);
}

TEST(ShelfTest, LazyOnesWaitOnlyWhereTheySay) {
  PolicyHarness blocking(Find("blocking_cold"));
  PolicyHarness::NeedSpec cold{1};
  cold.cold = true;
  EXPECT_THAT(blocking.Arrive(0, 1, 30, {cold}), ElementsAre("start 1"));
  EXPECT_THAT(blocking.Arrive(0, 2, 30, {{2}}),
              ElementsAre("settle 2/2 SHED", "answer 2"));

  PolicyHarness ttl(Find("ttl_1s"));
  EXPECT_THAT(ttl.Arrive(0, 1, 30, {{1}}),
              ElementsAre("settle 1/1 SHED", "answer 1", "start 1"));
  ttl.Done(3, 1);
  EXPECT_THAT(ttl.Arrive(1000, 2, 1030, {{1, 2}}),
              ElementsAre("settle 2/1 SHED", "answer 2"));
  EXPECT_THAT(ttl.Arrive(1003, 3, 1033, {{1, 2}}),
              ElementsAre("settle 3/1 SHED", "answer 3", "start 1"));

  PolicyHarness batch(Find("batch_3"));
  EXPECT_THAT(batch.Changed(0, 1, 1, 1, 1), IsEmpty());
  EXPECT_THAT(batch.Changed(0, 1, 2, 1, 2), IsEmpty());
  EXPECT_THAT(batch.Changed(0, 1, 3, 1, 3), ElementsAre("start 1"));
}

TEST(ShelfTest, DeadlineOnesDifferInSlackAndInWhatTheyGiveUp) {
  // Due at 40 with 3 ms of work, or at 42 with 9.
  for (const auto& [name, first] :
       {std::pair{"edf", "2"}, std::pair{"llf", "3"}}) {
    PolicyHarness h(Find(name));
    h.Arrive(0, 1, 30, {{1}});
    h.Arrive(0, 2, 40, {{2}});
    PolicyHarness::NeedSpec longer{3};
    longer.scans = 3;
    h.Arrive(0, 3, 42, {longer});
    EXPECT_EQ(Drain(&h, 0).front(), first) << name;
  }
  PolicyHarness h(Find("edf_admission"));
  h.Arrive(0, 1, 4, {{1}});
  EXPECT_THAT(h.Arrive(0, 2, 5, {{2}}),
              ElementsAre("settle 2/2 SHED", "answer 2"));
}

TEST(ShelfTest, MaxWeightAgeTradesGainForAge) {
  PolicyHarness h(Find("max_weight_age"));
  h.Changed(0, 1, 1);
  h.Changed(0, 2, 2, 1);
  h.Changed(8, 3, 3, 4);
  // At 9: 1 x 9 against 4 x 1. At 12: 4 x 4 against whatever came since.
  EXPECT_THAT(h.Done(9, 1), ElementsAre("start 2"));
  h.Changed(9, 4, 4, 1);
  EXPECT_THAT(h.Done(12, 3), ElementsAre("start 3"));
}

TEST(ShelfTest, SlackIsSpentByTheMetric) {
  for (const auto& [name, first] :
       {std::pair{"slack_age", "2"}, std::pair{"slack_pending", "3"},
        std::pair{"slack_domain", "4"}}) {
    PolicyHarness h(Find(name));
    h.Changed(0, 2, 2, 1, 1);
    h.Changed(1, 3, 3, 1, 7);
    h.Changed(2, 4, 4, 5, 1);
    h.Arrive(3, 1, 60, {{1, 1}});
    h.Arrive(3, 4, 60, {{4, 4, 5.0}});
    h.Arrive(3, 3, 60, {{3, 3}});
    h.Arrive(3, 2, 60, {{2, 2}});
    EXPECT_EQ(Drain(&h, 3).front(), first) << name;
  }
}

TEST(ShelfTest, AblationsAreOursLessOneIngredient) {
  const PolicyConfig ours = Find("slo_aware");
  EXPECT_FALSE(Find("slo_aware_less_price").price);
  EXPECT_TRUE(Find("slo_aware_less_price").admission);
  EXPECT_FALSE(Find("slo_aware_less_guard").guard);
  EXPECT_FALSE(Find("slo_aware_less_fairness").fairness);
  EXPECT_TRUE(ours.fairness);
  EXPECT_FALSE(Find("slo_aware_less_admission").admission);
  EXPECT_EQ(Find("slo_aware_less_admission").index.function,
            ours.index.function);
  PolicyHarness with(ours, 2);
  PolicyHarness without(Find("slo_aware_less_background"), 2);
  EXPECT_THAT(with.Changed(0, 1, 1), ElementsAre("background 1"));
  EXPECT_THAT(without.Changed(0, 1, 1), IsEmpty());
}

TEST(ShelfTest, TheManualHasEveryPolicyAndShowsTheExampleThatIsCompiled) {
  const auto read = [](const std::string& name) {
    std::ifstream in(std::string(FRESHLINE_DOCS "/") + name);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const std::string manual = read("policies.md");
  const std::string example = read("examples/cheapest_first.h");
  ASSERT_FALSE(example.empty());
  EXPECT_THAT(manual, testing::HasSubstr(example));
  const schedule::PolicyCatalogue catalogue = ShelfCatalogue();
  for (const PolicyConfig& policy : catalogue.policies()) {
    EXPECT_THAT(manual, testing::HasSubstr("| `" + policy.name + "` |"));
  }
}

TEST(ShelfTest, TheExampleOfTheManualRunsTheCheapestFirst) {
  schedule::PolicyCatalogue catalogue = ShelfCatalogue();
  ASSERT_TRUE(catalogue.Add(CheapestFirst()).ok());
  PolicyHarness h(*catalogue.Find("cheapest_first"));
  h.Arrive(0, 1, 60, {{1}});
  PolicyHarness::NeedSpec longer{2};
  longer.scans = 3;
  h.Arrive(0, 2, 60, {longer});
  h.Arrive(0, 3, 60, {{3}});
  EXPECT_THAT(Drain(&h, 0), ElementsAre("3", "2"));
}

}  // namespace
}  // namespace freshline::bench
