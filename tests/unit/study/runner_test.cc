// SPDX-License-Identifier: Apache-2.0
#include "bench/study/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "bench/report/summary_page.h"
#include "bench/study/summarise.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/unit/study/fake_bench.h"

namespace freshline::bench {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

std::string FreshDirectory(const std::string& name) {
  const std::string path = ::testing::TempDir() + name;
  std::filesystem::remove_all(path);
  return path;
}

StudyChoices Choices() {
  StudyChoices choices;
  choices.policies["slo_aware"].role = PolicyRole::kOurs;
  choices.policies["edf"].role = PolicyRole::kBaseline;
  choices.policies["eager_fifo"].role = PolicyRole::kBaseline;
  choices.policies["eager_less"].role = PolicyRole::kAblation;
  return choices;
}

StudyPlan Quick() { return *PlanStudy("quick", Choices()); }

std::string Text(const std::string& path) {
  std::ifstream in(path);
  return std::string((std::istreambuf_iterator<char>(in)), {});
}

// Of one policy and seed in the quick study: loads and SLOs, and the loads with
// a gap.
constexpr size_t kRunsOfSeed = 4 * 3 + 3;

TEST(RunnerTest, RunsEveryCellAndEachSliceOnce) {
  test::FakeBench bench;
  const StudyPlan plan = Quick();
  StudyOptions options;
  options.directory = FreshDirectory("runner_all");
  options.threads = 3;
  const auto results = RunStudy(plan, options, &bench);
  ASSERT_THAT(results, test::IsOk());
  ASSERT_EQ(results->size(), plan.cells.size());
  for (size_t i = 0; i < plan.cells.size(); ++i) {
    EXPECT_EQ((*results)[i].cell, plan.cells[i]);
    EXPECT_EQ((*results)[i].run.report.policy, plan.cells[i].at.policy);
    EXPECT_EQ((*results)[i].run.hits.size(), (*results)[i].users->user.size());
  }
  EXPECT_EQ(bench.slices, 8);  // four loads, two seeds
  EXPECT_EQ(bench.runs, static_cast<int>(plan.cells.size()));
}

TEST(RunnerTest, GoesOnWhereItWasBrokenOff) {
  test::FakeBench bench;
  const StudyPlan plan = Quick();
  StudyOptions options;
  options.directory = FreshDirectory("runner_resume");
  bench.failing_policy = "slo_aware";
  EXPECT_THAT(
      RunStudy(plan, options, &bench).status(),
      test::StatusIs(absl::StatusCode::kInternal, HasSubstr("slo_aware: no")));
  const int before = bench.runs - 1;  // kept, but for the one that failed
  EXPECT_GT(before, 0);
  bench.failing_policy.clear();
  ASSERT_THAT(RunStudy(plan, options, &bench), test::IsOk());
  EXPECT_EQ(bench.runs, static_cast<int>(plan.cells.size()) + 1);
  // All of it is there now: nothing is prepared, nothing is run.
  const int slices = bench.slices;
  ASSERT_THAT(RunStudy(plan, options, &bench), test::IsOk());
  EXPECT_EQ(bench.slices, slices);
  EXPECT_EQ(bench.runs, static_cast<int>(plan.cells.size()) + 1);
  // Other inputs are other runs.
  bench.version = "2";
  ASSERT_THAT(RunStudy(plan, options, &bench), test::IsOk());
  EXPECT_EQ(bench.slices, slices + 8);
}

TEST(RunnerTest, ANewPolicyIsAllThatIsRun) {
  test::FakeBench bench;
  StudyOptions options;
  options.directory = FreshDirectory("runner_added");
  ASSERT_THAT(RunStudy(Quick(), options, &bench), test::IsOk());
  const int before = bench.runs;
  StudyChoices more = Choices();
  more.policies["mine"].role = PolicyRole::kShelf;
  ASSERT_THAT(RunStudy(*PlanStudy("quick", more), options, &bench),
              test::IsOk());
  EXPECT_EQ(bench.runs - before, 2 * kRunsOfSeed);
}

TEST(RunnerTest, TellsHowFarItIs) {
  test::FakeBench bench;
  test::FakeClock clock;
  std::vector<std::string> told;
  StudyOptions options;
  options.directory = FreshDirectory("runner_progress");
  options.clock = &clock;
  options.progress = [&](const std::string& line) {
    told.push_back(line);
    clock.Advance(std::chrono::seconds(60));
  };
  ASSERT_THAT(RunStudy(Quick(), options, &bench), test::IsOk());
  ASSERT_EQ(told.size(), 9U);
  EXPECT_THAT(told[0], HasSubstr("8 slices to prepare"));
  // The largest first: 3 of 13 in a minute.
  EXPECT_THAT(told[1], HasSubstr("slice 1 of 8 done: seed 1, load 3"));
  EXPECT_THAT(told[1], HasSubstr("about 3m25s left"));
  EXPECT_THAT(told[8], ::testing::Not(HasSubstr("left")));
}

TEST(StudyTest, TheSameStudyTwiceIsTheSameBytes) {
  std::vector<std::string> json;
  std::vector<std::string> html;
  for (const uint32_t threads : {1, 4}) {
    test::FakeBench bench;
    StudyOptions options;
    options.directory = FreshDirectory("study_same_" + std::to_string(threads));
    options.threads = threads;
    const auto results = RunStudy(Quick(), options, &bench);
    ASSERT_THAT(results, test::IsOk());
    const Summary summary =
        SummariseStudy("quick", {}, Choices().policies, *results, {200, 1});
    const std::string path = options.directory + "/study.json";
    ASSERT_THAT(WriteSummary(summary, path), test::IsOk());
    json.push_back(Text(path));
    html.push_back(RenderPage(SummaryPage(summary)));
    // And from the cache.
    const auto again = RunStudy(Quick(), options, &bench);
    ASSERT_THAT(again, test::IsOk());
    html.push_back(RenderPage(SummaryPage(
        SummariseStudy("quick", {}, Choices().policies, *again, {200, 1}))));
  }
  EXPECT_EQ(json[0], json[1]);
  for (const std::string& page : html) EXPECT_TRUE(page == html[0]);
}

TEST(StudyTest, ComparesOursWithTheBestBaselineOfEveryPoint) {
  test::FakeBench bench;
  StudyOptions options;
  options.directory = FreshDirectory("study_against");
  const auto results = RunStudy(Quick(), options, &bench);
  ASSERT_THAT(results, test::IsOk());
  const Summary s =
      SummariseStudy("quick", {}, Choices().policies, *results, {300, 1});
  EXPECT_EQ(s.points.size(), 4U * kRunsOfSeed);
  EXPECT_EQ(s.differences.size(), 2U * kRunsOfSeed);  // ours, and less one
  for (const Difference& d : s.differences) {
    if (d.at.policy == "slo_aware") {
      // edf draws the very same hits as ours, eager_fifo half of them.
      EXPECT_EQ(d.than, "edf");
      EXPECT_EQ(d.gap, (Estimate{0, 0, 0}));
    } else {
      EXPECT_EQ(d.than, "slo_aware");
      EXPECT_LT(d.gap.high95, 0);
      EXPECT_NEAR(d.gap.value, -0.5 / std::max(1.0, d.at.load), 0.06);
    }
  }
  for (const Point& p : s.points) {
    EXPECT_EQ(p.seeds, 2U);
    const double expected = std::min(1.0, 1 / p.at.load) /
                            (absl::StartsWith(p.at.policy, "eager") ? 2 : 1);
    EXPECT_NEAR(p.gap_closed.value, expected, 0.06) << p.at.policy;
    EXPECT_LE(p.gap_closed.low95, p.gap_closed.value);
  }
}

}  // namespace
}  // namespace freshline::bench
