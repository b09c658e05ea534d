// SPDX-License-Identifier: Apache-2.0
#include "bench/sim/trace/condition_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/support/status_matchers.h"

namespace freshline::bench {
namespace {

using ::testing::HasSubstr;

struct Cell {
  Condition at;
  uint64_t seed = 1;
  const char* policy = "slo_aware";
  RunSettings settings{2, std::chrono::milliseconds(2), 0.6};
};

absl::StatusOr<SliceRunOptions> Options(const Cell& cell) {
  const auto shape = WorkloadShape::Parse(cell.at.workload);
  if (!shape.ok()) return shape.status();
  return OptionsOf(cell.at, cell.seed, *schedule::FindPolicy(cell.policy),
                   *shape, cell.settings);
}

// All that a run can tell apart of two options.
std::string Text(const SliceRunOptions& o) {
  std::string text =
      absl::StrFormat("%s %d %d %d %d %d %d %g", o.policy.name, o.workers,
                      o.batch_max, o.slo.count(), o.gap.count(), o.seed,
                      o.reports ? 1 : 0, o.approximate.value_or(-1));
  for (uint32_t pending = 1; pending < 4; ++pending) {
    const staleness::RowSignals row{pending, 5, std::chrono::seconds(40)};
    absl::StrAppend(&text, " ",
                    o.metric != nullptr
                        ? o.metric->Gain(row)
                        : staleness::StalenessMetric::PendingShare().Gain(row));
  }
  for (int64_t user = 0; user < 50; ++user) {
    absl::StrAppend(&text, " ", o.flow_of ? o.flow_of(user) : 0, ":",
                    (o.slo_of ? o.slo_of(user) : o.slo).count());
  }
  return text;
}

// Runs that are told apart by name are told apart by what they do: one axis
// at a time, and no two cells come out equal.
TEST(ConditionOptionsTest, EveryAxisChangesTheRun) {
  Cell first;
  first.at.slo_ms = 30;
  std::vector<Cell> cells(11, first);
  cells[1].at.slo_ms = 50;
  cells[2].at.gap_ms = 100;
  cells[3].at.batch_max = 16;
  cells[4].at.metric = "pending";
  cells[5].at.metric = "age";
  cells[6].policy = "edf";
  cells[7].seed = 2;
  cells[8].at.metric = "sql:pending * 2.0";
  cells[9].at.metric = "learned";
  cells[10].at.approximate = true;
  for (const NamedWorkload& workload : NamedWorkloads()) {
    if (workload.kind != WorkloadKind::kGap &&
        workload.kind != WorkloadKind::kNoisyTenant &&
        workload.kind != WorkloadKind::kMixedSlo) {
      continue;  // those are made of the slice alone
    }
    Cell cell = first;
    cell.at.workload = workload.name;
    if (workload.kind == WorkloadKind::kGap) cell.at.workload += ":ms=200";
    cells.push_back(cell);
  }
  ASSERT_EQ(cells.size(), 14U);
  std::set<std::string> texts;
  for (const Cell& cell : cells) {
    const auto options = Options(cell);
    ASSERT_THAT(options, test::IsOk());
    EXPECT_TRUE(texts.insert(Text(*options)).second)
        << cell.at.workload << " " << cell.at.metric;
  }
}

TEST(ConditionOptionsTest, AWorkloadOfAGapHasItWhateverTheConditionSays) {
  Cell cell;
  cell.at.slo_ms = 30;
  cell.at.gap_ms = 7;
  cell.at.workload = "gap:ms=200";
  EXPECT_EQ(Options(cell)->gap, std::chrono::milliseconds(200));
}

TEST(ConditionOptionsTest, RefusesWhatCannotBeRun) {
  Cell cell;
  cell.at.slo_ms = 30;
  cell.at.metric = "agee";
  EXPECT_THAT(Options(cell), test::StatusIs(absl::StatusCode::kInvalidArgument,
                                            HasSubstr("agee")));
  cell.at.metric.clear();
  cell.at.approximate = true;
  EXPECT_THAT(Options(cell), test::IsOk());
  cell.settings.approximation.reset();
  EXPECT_THAT(Options(cell), test::StatusIs(absl::StatusCode::kInvalidArgument,
                                            HasSubstr("approximate")));
}

}  // namespace
}  // namespace freshline::bench
