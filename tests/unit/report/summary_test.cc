// SPDX-License-Identifier: Apache-2.0
#include "bench/report/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/random.h"
#include "bench/report/summary_page.h"
#include "bench/report/verdicts.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

RunReport RunOf(const std::string& policy, double load, uint64_t seed) {
  RunReport r;
  r.kind = "simulated";
  r.policy = policy;
  r.load = load;
  r.slo_ms = 30;
  r.seed = seed;
  r.queries = 1000;
  r.featurizations = 500;
  r.quality.gap_closed = 0.5;
  r.quality.gap_closed_low = 0.4;
  r.quality.gap_closed_high = 0.6;
  r.quality.hr20 = 0.5;
  r.quality.value_captured = 0.9;
  r.quality.value_bound = 0.9;
  r.p99_coverage = 0.99;
  return r;
}

Point PointAt(double load, double gap, double rows) {
  Point p;
  p.at.load = load;
  p.gap_closed = {gap, gap, gap};
  p.rows_per_query = {rows, rows, rows};
  return p;
}

const Verdict& Find(const std::vector<Verdict>& verdicts,
                    const std::string& what) {
  for (const Verdict& v : verdicts) {
    if (v.what.find(what) != std::string::npos) return v;
  }
  ADD_FAILURE() << "no verdict on " << what;
  return verdicts[0];
}

TEST(SummaryTest, RunsThatDifferBySeedAloneArePooled) {
  std::vector<RunReport> runs = {RunOf("slo_aware", 2, 1),
                                 RunOf("slo_aware", 2, 2),
                                 RunOf("slo_aware", 2, 3)};
  runs[0].quality.hr20 = 0.4;
  runs[2].quality.hr20 = 0.6;
  runs[1].violations = 3;
  runs[2].featurizations = 2000;
  runs[2].p99_coverage = 0.95;
  runs.push_back(RunOf("edf", 2, 1));
  runs.push_back(RunOf("slo_aware", 2, 1));
  runs.back().batch_max = 16;
  const Summary s = Summarise({}, runs);
  ASSERT_EQ(s.points.size(), 3U);
  EXPECT_THAT(s.seeds, ElementsAre(1, 2, 3));
  const Point& p = s.points[1];  // after edf
  EXPECT_EQ(p.at.policy, "slo_aware");
  EXPECT_EQ(p.seeds, 3U);
  EXPECT_EQ(p.queries, 3000U);
  EXPECT_EQ(p.violations, 3U);
  EXPECT_NEAR(p.hr20.value, 0.5, 1e-12);
  // Student's t of two degrees of freedom, by hand.
  EXPECT_NEAR(p.hr20.high95 - p.hr20.value, 4.303 * 0.1 / std::sqrt(3), 1e-6);
  EXPECT_NEAR(p.p99_coverage, (0.99 * 1000 + 0.95 * 2000) / 3000, 1e-12);
  EXPECT_NEAR(p.value_of_bound->value, 1, 1e-12);
  EXPECT_EQ(s.points[2].at.batch_max, 16U);
}

TEST(SummaryTest, ABandHoldsTheMeanNineteenTimesOfTwenty) {
  base::Rng rng(7);
  int held = 0;
  for (int i = 0; i < 2000; ++i) {
    std::vector<double> values;
    for (int n = 0; n < 5; ++n) values.push_back(3 + 0.5 * rng.Normal());
    const Estimate e = MeanOver(values);
    held += e.low95 <= 3 && 3 <= e.high95 ? 1 : 0;
  }
  EXPECT_GT(held, 1860);  // 3 standard deviations of 1900
  EXPECT_LT(held, 1940);
  const Estimate one = MeanOver({2});
  EXPECT_EQ(one, (Estimate{2, 2, 2}));
}

TEST(SummaryTest, ReadsWhatItWroteByteForByte) {
  RunReport run = RunOf("</script>", 2, 1);
  run.p99_coverage_windows = {0.5, 1};
  run.jain = 0.25;
  RunReport other = RunOf("slo_aware", 2, 1);
  other.quality.value_bound.reset();
  Summary s =
      Summarise({"cmd", "commit", "build", {{"cpu", "x"}}}, {run, other});
  s.name = "quick";
  s.notes = {"a \"note\""};
  s.figures[kBatchSpeedup] = 1.5;
  s.policies["slo_aware"] = {PolicyRole::kOurs, "ours", "a paper"};
  s.differences = {{s.points[0].at, "edf", {0.1, 0.05, 0.2}}};
  const std::string path = ::testing::TempDir() + "summary/study.json";
  ASSERT_THAT(WriteSummary(s, path), test::IsOk());
  const auto read = LoadSummary(path);
  ASSERT_THAT(read, test::IsOk());
  EXPECT_EQ(read->points, s.points);
  EXPECT_EQ(read->differences, s.differences);
  EXPECT_EQ(read->policies, s.policies);
  EXPECT_EQ(read->seeds, s.seeds);
  EXPECT_EQ(read->figures, s.figures);
  const std::string again = ::testing::TempDir() + "summary/again.json";
  ASSERT_THAT(WriteSummary(*read, again), test::IsOk());
  const auto text = [](const std::string& file) {
    std::ifstream in(file);
    return std::string((std::istreambuf_iterator<char>(in)), {});
  };
  EXPECT_EQ(text(path), text(again));
  EXPECT_THAT(RenderPage(SummaryPage(*read)),
              ::testing::StrEq(RenderPage(SummaryPage(s))));
}

TEST(SummaryTest, ReadsStudiesOfBeforeThereWereFigures) {
  const std::string path = ::testing::TempDir() + "early_study.json";
  ASSERT_THAT(WriteSummary(Summarise({}, {RunOf("edf", 2, 1)}), path),
              test::IsOk());
  std::ifstream in(path);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  const size_t at = text.find("\"figures\"");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 9, "\"unknown\"");
  std::ofstream(path) << text;
  const auto read = LoadSummary(path);
  ASSERT_THAT(read, test::IsOk());
  EXPECT_EQ(read->points.size(), 1U);
}

TEST(SummaryTest, SaysWhatIsWrongWithAStudy) {
  const std::string path = ::testing::TempDir() + "broken_study.json";
  std::filesystem::remove(path);
  EXPECT_THAT(LoadSummary(path).status(),
              test::StatusIs(absl::StatusCode::kNotFound, HasSubstr(path)));
  for (const char* text : {"", "[]", R"({"schema": 2})", R"({"schema": 1})"}) {
    std::ofstream(path) << text;
    EXPECT_THAT(
        LoadSummary(path).status(),
        test::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(path)))
        << text;
  }
}

TEST(SummaryTest, ThePageShowsTheReferenceFirstAndNoHostileName) {
  const Summary s =
      Summarise({"the <command>", "abc", "release", {}},
                {RunOf("slo_aware", 2, 1), RunOf("<b>edf</b>", 2, 1),
                 RunOf("edf", 2, 1), RunOf("edf", 3, 1)});
  const Page page = SummaryPage(s);
  ASSERT_FALSE(page.sections.empty());
  EXPECT_THAT(page.sections[0].title, HasSubstr("Latency"));
  const std::string html = RenderPage(page);
  EXPECT_THAT(html, Not(HasSubstr("<b>")));
  EXPECT_THAT(html, HasSubstr("the &lt;command&gt;"));
  EXPECT_THAT(html, HasSubstr("not measured here"));
  EXPECT_THAT(html, HasSubstr("Gap closed in HR@20"));
}

TEST(SummaryTest, APageOfNothingIsStillAPage) {
  EXPECT_THAT(RenderPage(SummaryPage({})), HasSubstr("</html>"));
}

TEST(VerdictsTest, WhatWasNotMeasuredIsNeverMet) {
  for (const Verdict& v : VerdictsOf({})) {
    EXPECT_EQ(v.state, VerdictState::kNotMeasured) << v.what;
  }
}

TEST(VerdictsTest, TheWorstLoadDecides) {
  std::vector<RunReport> runs = {RunOf("slo_aware", 0.5, 1),
                                 RunOf("slo_aware", 3, 1)};
  runs[1].quality.value_captured = 0.8;
  const Summary s = Summarise({}, runs);
  const Verdict v = Find(VerdictsOf(s), "bound, unbatched, SLO 30 ms");
  EXPECT_EQ(v.state, VerdictState::kMissed);
  EXPECT_THAT(v.measured, HasSubstr("load 3"));
  runs[1].quality.value_captured = 0.89;
  EXPECT_EQ(Find(VerdictsOf(Summarise({}, runs)), "unbatched, SLO 30").state,
            VerdictState::kMet);
}

TEST(VerdictsTest, AnIntervalWhollyBelowZeroIsAMiss) {
  Summary s = Summarise({}, {RunOf("slo_aware", 2, 1), RunOf("edf", 2, 1)});
  Condition at = ConditionOf(RunOf("slo_aware", 2, 1));
  s.differences = {{at, "edf", {-0.01, -0.05, 0.03}}};
  for (Point& p : s.points) p.hr20_infinite = p.hr20_never + 0.2;
  EXPECT_EQ(Find(VerdictsOf(s), "every workload").state, VerdictState::kMet);
  EXPECT_EQ(Find(VerdictsOf(s), "loads 2 and 3").state, VerdictState::kMissed);
  s.differences.push_back({at, "fifo", {-0.04, -0.05, -0.03}});
  const Verdict v = Find(VerdictsOf(s), "every workload");
  EXPECT_EQ(v.state, VerdictState::kMissed);
  EXPECT_THAT(v.measured, HasSubstr("1 of 2 below"));
  EXPECT_THAT(v.measured, HasSubstr("fifo"));
  // Where nothing is to be gained by refreshing, shares of it say nothing.
  for (Point& p : s.points) p.hr20_infinite = p.hr20_never + 0.01;
  EXPECT_EQ(Find(VerdictsOf(s), "every workload").state,
            VerdictState::kNotMeasured);
}

TEST(VerdictsTest, AnIngredientPaysWhereLeavingItOutLoses) {
  Summary s;
  s.policies["slo_aware_less_guard"].role = PolicyRole::kAblation;
  Difference d{{}, "slo_aware", {-0.01, -0.02, 0.01}};
  d.at.policy = "slo_aware_less_guard";
  s.differences = {d};
  EXPECT_EQ(Find(VerdictsOf(s), "ingredient").state, VerdictState::kMissed);
  d.gap = {-0.02, -0.03, -0.01};
  s.differences.push_back(d);
  EXPECT_EQ(Find(VerdictsOf(s), "ingredient").state, VerdictState::kMet);

  // Or by what it captures, at one condition.
  s.differences.pop_back();
  Point ours = PointAt(2, 0.5, 1);
  ours.at.policy = "slo_aware";
  s.policies["slo_aware"].role = PolicyRole::kOurs;
  ours.value_of_bound = Estimate{0.97, 0.97, 0.97};
  Point without = ours;
  without.at.policy = "slo_aware_less_guard";
  without.value_of_bound = Estimate{0.968, 0.968, 0.968};
  s.points = {ours, without};
  EXPECT_EQ(Find(VerdictsOf(s), "ingredient").state, VerdictState::kMissed);
  s.points[1].value_of_bound = Estimate{0.95, 0.95, 0.95};
  EXPECT_EQ(Find(VerdictsOf(s), "ingredient").state, VerdictState::kMet);
}

TEST(VerdictsTest, BatchedCapacityIsJudgedWhereMoreIsAskedOnly) {
  RunReport run = RunOf("slo_aware", 2, 1);
  run.batch_max = 16;
  run.fraction_fresh = 0.9;
  Summary s = Summarise({}, {run});
  EXPECT_EQ(Find(VerdictsOf(s), "capacity").state, VerdictState::kNotMeasured);
  s.figures[kBatchSpeedup] = 2.5;  // more than is asked
  EXPECT_EQ(Find(VerdictsOf(s), "capacity").state, VerdictState::kNotMeasured);
  s.points[0].at.load = 3;  // 2.7 of 2.5: some were fresh already
  EXPECT_EQ(Find(VerdictsOf(s), "capacity").state, VerdictState::kMet);
  s.points[0].fraction_fresh = 0.6;  // 1.8 of 2.5
  EXPECT_EQ(Find(VerdictsOf(s), "capacity").state, VerdictState::kMissed);
}

TEST(VerdictsTest, FairnessIsAskedOfNoisyFlowsUnderLoad) {
  RunReport run = RunOf("slo_aware", 2, 1);
  run.jain = 0.5;
  EXPECT_EQ(Find(VerdictsOf(Summarise({}, {run})), "Jain").state,
            VerdictState::kNotMeasured);
  run.workload = "noisy_tenant";
  EXPECT_EQ(Find(VerdictsOf(Summarise({}, {run})), "Jain").state,
            VerdictState::kMissed);
  run.jain = 0.99;
  EXPECT_EQ(Find(VerdictsOf(Summarise({}, {run})), "Jain").state,
            VerdictState::kMet);
}

// Lazy closes nine tenths with as many rows as queries, ours with half.
TEST(VerdictsTest, ComputeIsMissedWhereOnlyTheOthersCloseTheGap) {
  Point ours = PointAt(1, 0.9, 0.5);
  Point lazy = PointAt(1, 0.9, 1.0);
  lazy.at.policy = "lazy";
  Summary s = Summarise({}, {RunOf("slo_aware", 1, 1)});
  s.policies["lazy"] = {PolicyRole::kShelf, "lazy", ""};
  ours.at = s.points[0].at;
  lazy.at = ours.at;
  lazy.at.policy = "lazy";
  s.points = {ours, lazy};
  EXPECT_EQ(Find(VerdictsOf(s), "featurizations").state, VerdictState::kMet);
  s.points[0].gap_closed.value = 0.5;
  EXPECT_EQ(Find(VerdictsOf(s), "featurizations").state, VerdictState::kMissed);
  // With approximate levels no featurization is needed to close it.
  for (Point& p : s.points) p.at.approximate = true;
  EXPECT_EQ(Find(VerdictsOf(s), "featurizations").state,
            VerdictState::kNotMeasured);
  for (Point& p : s.points) p.at.approximate = false;
  s.points[0].gap_closed.value = 0.9;
  s.points[1].gap_closed.value = 0.1;
  EXPECT_EQ(Find(VerdictsOf(s), "featurizations").state, VerdictState::kMet);
  s.points[0].gap_closed.value = 0.5;
  EXPECT_EQ(Find(VerdictsOf(s), "featurizations").state,
            VerdictState::kNotMeasured);
}

TEST(VerdictsTest, ComputeIsReadOffBetweenLoads) {
  const Point a = PointAt(0.5, 0.9, 1.0);
  const Point b = PointAt(1, 0.5, 0.6);
  EXPECT_NEAR(*RowsPerQueryAt(0.7, {&b, &a}), 0.8, 1e-12);
  EXPECT_EQ(RowsPerQueryAt(0.95, {&a, &b}), std::nullopt);
  EXPECT_EQ(RowsPerQueryAt(0.7, {&b}), std::nullopt);
  EXPECT_EQ(RowsPerQueryAt(0.7, {}), std::nullopt);
}

}  // namespace
}  // namespace freshline::bench
