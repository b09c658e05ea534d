// SPDX-License-Identifier: Apache-2.0
#include "bench/study/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

using ::testing::HasSubstr;

StudyChoices Choices() {
  StudyChoices choices;
  choices.policies["slo_aware"].role = PolicyRole::kOurs;
  choices.policies["edf"].role = PolicyRole::kBaseline;
  choices.policies["random"].role = PolicyRole::kShelf;
  choices.policies["slo_aware_less_guard"].role = PolicyRole::kAblation;
  choices.workloads = {"poster", "flash_crowd"};
  choices.metrics = {"age", "pending"};
  choices.batch_max = 16;
  choices.approximate = true;
  return choices;
}

bool Has(const StudyPlan& plan,
         const std::function<bool(const Condition&)>& is) {
  return std::any_of(plan.cells.begin(), plan.cells.end(),
                     [&](const StudyCell& cell) { return is(cell.at); });
}

TEST(PlanTest, ABlockIsEveryCombinationOnce) {
  StudyBlock block;
  block.policies = {"a", "b"};
  block.loads = {1, 2, 3};
  block.seeds = {1, 2};
  block.approximate = {false, true};
  const auto cells = CellsOf({block, block});
  ASSERT_THAT(cells, test::IsOk());
  EXPECT_EQ(cells->size(), 24U);
  EXPECT_EQ(std::set<StudyCell>(cells->begin(), cells->end()).size(), 24U);
  for (const StudyCell& cell : *cells) {
    EXPECT_EQ(cell.at.kind, "simulated");
    EXPECT_EQ(cell.at.slo_ms, 30);  // the default
    EXPECT_EQ(cell.at.batch_max, 1U);
  }
}

TEST(PlanTest, RunsOfOneSliceStandTogether) {
  for (const std::string& name : StudyNames()) {
    const auto plan = PlanStudy(name, Choices());
    ASSERT_THAT(plan, test::IsOk());
    std::set<std::tuple<uint64_t, std::string, double>> seen;
    std::tuple<uint64_t, std::string, double> last;
    for (const StudyCell& cell : plan->cells) {
      const std::tuple slice{cell.seed, cell.at.workload, cell.at.load};
      if (slice == last) continue;
      EXPECT_TRUE(seen.insert(slice).second) << name;
      last = slice;
    }
  }
}

TEST(PlanTest, EveryChoiceIsInTheFullStudy) {
  const auto plan = PlanStudy("full", Choices());
  ASSERT_THAT(plan, test::IsOk());
  using C = const Condition&;
  for (const auto& [policy, facts] : Choices().policies) {
    EXPECT_TRUE(Has(*plan, [&](C c) { return c.policy == policy; })) << policy;
  }
  EXPECT_TRUE(Has(*plan, [](C c) { return c.workload == "flash_crowd"; }));
  EXPECT_TRUE(Has(*plan, [](C c) { return c.metric == "age"; }));
  EXPECT_TRUE(Has(*plan, [](C c) { return c.batch_max == 16; }));
  EXPECT_TRUE(Has(*plan, [](C c) { return c.approximate; }));
  EXPECT_TRUE(Has(*plan, [](C c) { return c.gap_ms == 1000; }));
  // What each ingredient is worth is asked on every workload.
  EXPECT_TRUE(Has(*plan, [](C c) {
    return c.workload == "flash_crowd" && c.policy == "slo_aware_less_guard";
  }));
  std::set<uint64_t> seeds;
  for (const StudyCell& cell : plan->cells) seeds.insert(cell.seed);
  EXPECT_GE(seeds.size(), 5U);
}

TEST(PlanTest, TheOutlineNamesEveryWorkloadAndCountsTheRuns) {
  const auto plan = PlanStudy("quick", Choices());
  ASSERT_THAT(plan, test::IsOk());
  const std::string outline = plan->Outline();
  for (const std::string& workload : Choices().workloads) {
    EXPECT_THAT(outline, HasSubstr(workload.empty() ? "poster" : workload));
  }
  EXPECT_THAT(outline, HasSubstr(std::to_string(plan->cells.size())));
}

TEST(PlanTest, WhatThereIsNoChoiceOfIsLeftOut) {
  StudyChoices few;
  few.policies["slo_aware"].role = PolicyRole::kOurs;
  const auto plan = PlanStudy("full", few);
  ASSERT_THAT(plan, test::IsOk());
  using C = const Condition&;
  EXPECT_FALSE(Has(*plan, [](C c) { return c.approximate; }));
  EXPECT_FALSE(Has(*plan, [](C c) { return c.batch_max != 1; }));
  EXPECT_FALSE(Has(*plan, [](C c) { return c.policy.empty(); }));
  few.policies.clear();
  EXPECT_THAT(PlanStudy("full", few).status(),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             HasSubstr("a policy")));
}

TEST(PlanTest, RefusesWhatIsUnknownAndWhatIsTooMuch) {
  EXPECT_THAT(
      PlanStudy("fulll", Choices()).status(),
      test::StatusIs(absl::StatusCode::kNotFound, HasSubstr("quick, full")));
  StudyBlock block;
  for (uint64_t i = 0; i < 1000; ++i) {
    block.seeds.push_back(i);
    block.loads.push_back(static_cast<double>(i));
  }
  EXPECT_THAT(
      CellsOf({block}).status(),
      test::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("50000")));
}

}  // namespace
}  // namespace freshline::bench
