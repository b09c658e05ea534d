// SPDX-License-Identifier: Apache-2.0
#include "bench/sim/trace/slice_function.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/str_replace.h"
#include "base/clock.h"
#include "bench/sim/trace/profile_run.h"
#include "featurize/recommend.h"
#include "tests/sim/trace/walked_slice.h"

namespace freshline::bench {
namespace {

using ::testing::HasSubstr;

class SliceFunctionTest : public WalkedSlice {};

TEST_F(SliceFunctionTest, HasTheShapesOfTheRealStates) {
  const auto function = Load("next_items");
  ASSERT_THAT(function, test::IsOk());
  EXPECT_EQ((*function)->batch_max(), 4U);
  const auto shapes = ShapesOf(**function, View());
  ASSERT_EQ(shapes.size(), set_.queries.size());
  const featurize::Recommender recommender((*function)->table());
  const auto scratch = recommender.MakeScratch(1);
  std::vector<featurize::ClickedItem> clicks;
  std::set<uint32_t> scans;
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Query& q = set_.queries[i];
    ListClicks(trace_, pool_, set_, {q.user, q.fresh}, 50, &clicks);
    EXPECT_EQ(shapes[i].group, base::GroupId{0});
    EXPECT_EQ(shapes[i].events, clicks.size());
    EXPECT_EQ(shapes[i].scans,
              recommender.CountInterests(clicks, scratch.get()));
    scans.insert(shapes[i].scans);
  }
  EXPECT_GT(scans.size(), 1U) << "all users cost the same";
}

TEST_F(SliceFunctionTest, RefusesWhatCannotBeSimulated) {
  EXPECT_THAT(Load("next_item"), test::StatusIs(absl::StatusCode::kNotFound,
                                                HasSubstr("next_item")));
  EXPECT_THAT(Load("activity"),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             HasSubstr("no retrieval")));
  WriteDefinitions(
      absl::StrReplaceAll(kShop, {{"name: \"event_type\" type: STRING",
                                   "name: \"event_type\" type: INT64"}}));
  EXPECT_THAT(Load("next_items"),
              test::StatusIs(absl::StatusCode::kInvalidArgument,
                             HasSubstr("\"event_type\" has another type")));
  WriteDefinitions("entity {");
  EXPECT_FALSE(Load("next_items").ok());
}

TEST_F(SliceFunctionTest, IsTimedAtEverySizeThatOccurs) {
  const auto function = Load("next_items");
  ASSERT_THAT(function, test::IsOk());
  const auto shapes = ShapesOf(**function, View());
  ProfileRunOptions options;
  options.batch_max = 64;  // the function's 4 bound it
  options.duration = std::chrono::milliseconds(40);
  const auto profile =
      MeasureProfile(**function, View(), shapes, options, base::Clock::Real());
  ASSERT_THAT(profile, test::IsOk());
  EXPECT_EQ(profile->function, "next_items");
  EXPECT_EQ(profile->table_rows, (*function)->table()->rows());
  std::set<uint32_t> scans;
  for (const auto& shape : shapes) scans.insert(shape.scans);
  EXPECT_EQ(profile->times.size(), 3 * scans.size());
  for (const uint32_t s : scans) {
    for (const uint32_t batch : {1U, 2U, 4U}) {
      const auto found = profile->times.find({s, batch});
      ASSERT_NE(found, profile->times.end()) << s << " x " << batch;
      // Each of the workers has timed it at least once.
      EXPECT_GE(found->second.size(), options.workers);
    }
  }
  EXPECT_GT(profile->cpu_share, 0);
  EXPECT_LE(profile->cpu_share, 1);
  EXPECT_THAT(ParseProfile(FormatProfile(*profile), "f"), test::IsOk());
  EXPECT_THAT(
      MeasureProfile(**function, View(), {}, options, base::Clock::Real()),
      test::StatusIs(absl::StatusCode::kInvalidArgument, ::testing::_));
  options.workers = 0;
  EXPECT_THAT(
      MeasureProfile(**function, View(), shapes, options, base::Clock::Real()),
      test::StatusIs(absl::StatusCode::kInvalidArgument, ::testing::_));
}

}  // namespace
}  // namespace freshline::bench
