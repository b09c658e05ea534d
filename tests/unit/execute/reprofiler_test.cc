// SPDX-License-Identifier: Apache-2.0
#include "execute/reprofiler.h"

#include <gtest/gtest.h>

#include <map>

namespace freshline::execute {
namespace {

using base::GroupId;
using base::MonoTime;
using std::chrono::seconds;

const MonoTime kBegin{std::chrono::hours(1)};

base::RowId Row(uint64_t key, uint32_t group = 0) {
  return {base::KeyId{key}, GroupId{group}};
}
base::JobShape Scans(uint32_t scans) { return {GroupId{0}, 5, scans}; }

// Everything that is due until `until`, by key.
std::map<uint64_t, int> DueUntil(Reprofiler* reprofiler, MonoTime until) {
  std::map<uint64_t, int> due;
  while (reprofiler->NextCheck() <= until) {
    const MonoTime now = reprofiler->NextCheck();
    const auto probe = reprofiler->Due(now);
    if (!probe.has_value()) continue;
    ++due[base::ToInt(probe->row.key)];
    reprofiler->Ran(probe->row, probe->shape, /*asked_for=*/false, now);
  }
  return due;
}

TEST(ReprofilerTest, AnIdleGroupRunsOneRowOfEachSizeTwice) {
  Reprofiler reprofiler({seconds(600), 2}, 2);
  reprofiler.Ran(Row(1), Scans(1), true, kBegin);
  reprofiler.Ran(Row(2), Scans(2), true, kBegin);
  reprofiler.Ran(Row(3), Scans(2), true, kBegin);  // the last of its size
  reprofiler.Ran(Row(9), Scans(90), true, kBegin);
  EXPECT_TRUE(DueUntil(&reprofiler, kBegin + seconds(599)).empty());
  const std::map<uint64_t, int> once = {{1, 2}, {3, 2}, {9, 2}};
  EXPECT_EQ(DueUntil(&reprofiler, kBegin + seconds(620)), once);
  EXPECT_TRUE(DueUntil(&reprofiler, kBegin + seconds(1199)).empty());
  EXPECT_EQ(DueUntil(&reprofiler, kBegin + seconds(1230)), once);
}

TEST(ReprofilerTest, AGroupThatIsAskedForIsLeftAlone) {
  Reprofiler reprofiler({seconds(600), 2}, 1);
  MonoTime now = kBegin;
  for (int i = 0; i < 100; ++i) {
    reprofiler.Ran(Row(1), Scans(1), true, now);
    now += seconds(500);
    EXPECT_TRUE(DueUntil(&reprofiler, now).empty());
  }
}

TEST(ReprofilerTest, RowsThatAreGoneAreNotAskedForAgain) {
  Reprofiler reprofiler({seconds(600), 2}, 1);
  reprofiler.Ran(Row(1), Scans(1), true, kBegin);
  reprofiler.Forget(Row(1));
  EXPECT_TRUE(DueUntil(&reprofiler, kBegin + seconds(6000)).empty());
}

TEST(ReprofilerTest, NeverMeansNever) {
  Reprofiler reprofiler({seconds(0), 2}, 1);
  reprofiler.Ran(Row(1), Scans(1), true, kBegin);
  EXPECT_EQ(reprofiler.NextCheck(), base::kInfiniteFuture);
}

TEST(ReprofilerTest, GroupsTakeTurns) {
  Reprofiler reprofiler({seconds(600), 2}, 3);
  for (uint32_t g = 0; g < 3; ++g) {
    reprofiler.Ran(Row(g + 1, g), {GroupId{g}, 5, 1}, true, kBegin);
  }
  const std::map<uint64_t, int> all = {{1, 2}, {2, 2}, {3, 2}};
  EXPECT_EQ(DueUntil(&reprofiler, kBegin + seconds(640)), all);
}

}  // namespace
}  // namespace freshline::execute
