// SPDX-License-Identifier: Apache-2.0
#include "featurize/aggregate/aggregate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "tests/unit/featurize_aggregate/aggregate_fixture.h"

namespace freshline::featurize {
namespace {

using std::chrono::microseconds;
using Fn = Aggregate::Fn;

constexpr int64_t kIntMax = std::numeric_limits<int64_t>::max();

Row At(base::UnixMicros time_us, int64_t item) {
  return {.time_us = time_us, .item = item};
}

Aggregate Over(Fn fn, std::optional<uint32_t> column, int64_t over_us) {
  Aggregate a;
  a.fn = fn;
  a.column = column;
  a.over = microseconds(over_us);
  return a;
}
Aggregate Newest(Fn fn, std::optional<uint32_t> column, uint32_t n) {
  Aggregate a = Over(fn, column, 0);
  a.last_events = n;
  return a;
}

// One value of one aggregate.
struct One {
  One(const Aggregate& a, const std::vector<Row>& rows)
      : events(rows), computed({a}, {events.View(), kT}) {}
  ValueStatus status() const { return computed.row().status(0); }
  int64_t Int() const { return computed.row().Int64(0); }
  double Float() const { return computed.row().Float64(0); }

  Events events;
  Computed computed;
};

TEST(AggregateTest, WindowsAreOpenAtTheirStartAndHoldWhatIsAhead) {
  const std::vector<Row> rows = {At(kT - 11, 1), At(kT - 10, 2), At(kT - 9, 4),
                                 At(kT, 8), At(kT + 1, 16)};
  EXPECT_EQ(One(Over(Fn::kSum, kItem, 10), rows).Int(), 4 + 8 + 16);
  EXPECT_EQ(One(Over(Fn::kCount, {}, 10), rows).Int(), 3);
  EXPECT_EQ(One(Over(Fn::kLast, kItem, 10), rows).Int(), 16);
  EXPECT_EQ(One(Newest(Fn::kSum, kItem, 3), rows).Int(), 4 + 8 + 16);
}

TEST(AggregateTest, HoldsUntilTheFirstEventLeavesAWindow) {
  const std::vector<Row> rows = {At(kT - 30, 1), At(kT - 9, 2), At(kT - 1, 4)};
  EXPECT_EQ(One(Over(Fn::kSum, kItem, 10), rows).computed.holds_until_us(),
            kT + 1);
  EXPECT_EQ(One(Over(Fn::kSum, kItem, 100), rows).computed.holds_until_us(),
            kT + 70);
  // It has emptied: nothing is left that could leave.
  EXPECT_EQ(One(Over(Fn::kSum, kItem, 1), rows).computed.holds_until_us(),
            table::kHoldsForEver);
  EXPECT_EQ(One(Newest(Fn::kSum, kItem, 2), rows).computed.holds_until_us(),
            table::kHoldsForEver);
}

Aggregate LastN(uint32_t n) {
  Aggregate a = Over(Fn::kLastN, kItem, 0);
  a.n = n;
  return a;
}

// Time alone changes a row whose events the retention ends.
TEST(AggregateTest, HoldsUntilTheRetentionEndsAnEventItUsed) {
  const std::vector<Row> rows = {At(kT - 50, 1),
                                 At(kT - 30, 2),
                                 At(kT - 9, 3),
                                 At(kT - 1, 4),
                                 {.time_us = kT}};
  const Events events(rows);
  table::EventView view = events.View();
  view.retention_us = 100;
  const auto holds = [&](const std::vector<Aggregate>& aggregates) {
    return Computed(aggregates, {view, kT}).holds_until_us() - kT;
  };
  EXPECT_EQ(holds({Over(Fn::kSum, kItem, 0)}), 50);
  EXPECT_EQ(holds({Over(Fn::kMax, kItem, 60)}), 10);
  EXPECT_EQ(holds({Over(Fn::kLast, kItem, 0)}), 99);
  EXPECT_EQ(holds({LastN(3)}), 70);
  EXPECT_EQ(holds({LastN(4)}), 50);
  EXPECT_EQ(holds({LastN(5)}), 50);  // there are only four
  EXPECT_EQ(holds({LastN(2), Over(Fn::kLast, kItem, 0)}), 91);
  EXPECT_EQ(holds({LastN(2), Over(Fn::kCount, kItem, 0)}), 50);
  EXPECT_EQ(holds({Newest(Fn::kCount, {}, 1)}), 100);
  EXPECT_EQ(holds({Newest(Fn::kCount, {}, 4)}), 70);
  EXPECT_EQ(holds({Newest(Fn::kCount, {}, 9)}), 50);
  EXPECT_EQ(holds({Over(Fn::kLast, kAt, 0)}), 50);  // all are NULL
  Aggregate filtered = LastN(1);
  filtered.filters = {{kItem, Filter::Op::kGt, {int64_t{0}}}};
  EXPECT_EQ(holds({filtered}), 50);

  view.truncated = true;  // which stands in the row until it is forgotten
  view.dropped_to_us = kT - 60;
  EXPECT_EQ(holds({Over(Fn::kSum, kItem, 0)}), 40);
  EXPECT_EQ(holds({LastN(4)}), 50);
  EXPECT_EQ(holds({LastN(5)}), 40);
  EXPECT_EQ(holds({Newest(Fn::kCount, {}, 5)}), 50);
  EXPECT_EQ(holds({Newest(Fn::kCount, {}, 6)}), 40);
}

// The cap may drop an event that is ahead while older ones stay.
TEST(AggregateTest, LacksWhatWasDroppedThoughItHasItsCount) {
  const std::vector<Row> rows = {At(kT - 30, 1), At(kT - 9, 2), At(kT + 50, 4)};
  const Events events(rows);
  table::EventView view = events.View();
  view.truncated = true;
  const auto status = [&](const Aggregate& a, base::UnixMicros dropped_to_us) {
    view.dropped_to_us = dropped_to_us;
    return Computed({a}, {view, kT}).row().status(0);
  };
  Aggregate filtered = Newest(Fn::kCount, {}, 2);
  filtered.filters = {{kItem, Filter::Op::kGt, {int64_t{0}}}};
  for (const Aggregate& two : {Newest(Fn::kCount, {}, 2), filtered, LastN(2)}) {
    EXPECT_EQ(status(two, kT - 9), ValueStatus::kPresent);
    EXPECT_EQ(status(two, kT - 8), ValueStatus::kTruncated);
    EXPECT_EQ(status(two, kT + 90), ValueStatus::kTruncated);
  }
  EXPECT_EQ(status(LastN(1), kT + 50), ValueStatus::kPresent);
  EXPECT_EQ(status(LastN(1), kT + 51), ValueStatus::kTruncated);
}

TEST(AggregateTest, NothingCountsZeroAndElseIsNull) {
  const One count(Over(Fn::kCount, kItem, 10), {});
  EXPECT_EQ(count.status(), ValueStatus::kPresent);
  EXPECT_EQ(count.Int(), 0);
  for (Fn fn : {Fn::kSum, Fn::kMean, Fn::kMin, Fn::kMax, Fn::kLast}) {
    for (uint32_t column : {kItem, kPrice}) {
      EXPECT_EQ(One(Over(fn, column, 10), {}).status(), ValueStatus::kNull);
      EXPECT_EQ(One(Over(fn, column, 10), {{.time_us = kT}}).status(),
                ValueStatus::kNull)
          << "of NULLs alone";
    }
  }
  Aggregate list = Over(Fn::kLastN, kItem, 10);
  list.n = 3;
  EXPECT_EQ(One(list, {}).status(), ValueStatus::kNull);
}

TEST(AggregateTest, AKeyWithoutColumnsIsAKeyWithoutEvents) {
  const Computed computed(
      {Over(Fn::kCount, kItem, 10), Over(Fn::kSum, kPrice, 10),
       Newest(Fn::kLast, kBrand, 2)},
      Input{{}, kT});
  EXPECT_TRUE(computed.ok());
  EXPECT_EQ(computed.row().Int64(0), 0);
  EXPECT_EQ(computed.row().status(1), ValueStatus::kNull);
  EXPECT_EQ(computed.row().status(2), ValueStatus::kNull);
}

TEST(AggregateTest, CountOfAColumnSkipsNullsAndOfEventsDoesNot) {
  const std::vector<Row> rows = {At(kT, 1), {.time_us = kT}, At(kT, 2)};
  EXPECT_EQ(One(Over(Fn::kCount, kItem, 10), rows).Int(), 2);
  EXPECT_EQ(One(Over(Fn::kCount, {}, 10), rows).Int(), 3);
}

TEST(AggregateTest, AFilterIsNeverTrueOnNull) {
  const std::vector<Row> rows = {At(kT, 1), {.time_us = kT}, At(kT, 5)};
  for (auto op : {Filter::Op::kEq, Filter::Op::kNe, Filter::Op::kLt,
                  Filter::Op::kLe, Filter::Op::kGt, Filter::Op::kGe}) {
    Aggregate a = Over(Fn::kCount, {}, 10);
    a.filters = {{kItem, op, {int64_t{0}}}};
    const bool any =
        op == Filter::Op::kNe || op == Filter::Op::kGt || op == Filter::Op::kGe;
    EXPECT_EQ(One(a, rows).Int(), any ? 2 : 0) << static_cast<int>(op);
  }
}

TEST(AggregateTest, TheCountWindowIsTakenAfterTheFilter) {
  const std::vector<Row> rows = {At(kT - 5, 1), At(kT - 4, 9), At(kT - 3, 2),
                                 At(kT - 2, 9), At(kT - 1, 3), At(kT, 9)};
  Aggregate a = Newest(Fn::kSum, kItem, 2);
  a.filters = {{kItem, Filter::Op::kLt, {int64_t{9}}}};
  EXPECT_EQ(One(a, rows).Int(), 3 + 2);
}

TEST(AggregateTest, NullsTakeAPlaceInTheCountWindow) {
  const std::vector<Row> rows = {
      At(kT - 2, 7), {.time_us = kT - 1}, {.time_us = kT}};
  EXPECT_EQ(One(Newest(Fn::kSum, kItem, 2), rows).status(), ValueStatus::kNull);
  EXPECT_EQ(One(Newest(Fn::kSum, kItem, 3), rows).Int(), 7);
}

TEST(AggregateTest, IntegersWidenToFloatOperands) {
  Aggregate a = Over(Fn::kCount, {}, 10);
  a.filters = {{kPrice, Filter::Op::kGe, {int64_t{2}}}};
  EXPECT_EQ(One(a, {{.time_us = kT, .price = 1.9},
                    {.time_us = kT, .price = 2.0},
                    {.time_us = kT, .price = 2.1}})
                .Int(),
            2);
}

TEST(AggregateTest, ASumBeyondInt64IsAnErrorWhateverTheOrder) {
  const Aggregate sum = Over(Fn::kSum, kItem, 10);
  EXPECT_EQ(One(sum, {At(kT, kIntMax), At(kT, 1)}).status(),
            ValueStatus::kError);
  EXPECT_EQ(One(sum, {At(kT, -kIntMax), At(kT, -2)}).status(),
            ValueStatus::kError);
  const One back(sum, {At(kT, kIntMax), At(kT, 1), At(kT, -2)});
  EXPECT_EQ(back.status(), ValueStatus::kPresent);
  EXPECT_EQ(back.Int(), kIntMax - 1);
  EXPECT_EQ(One(Over(Fn::kMean, kItem, 10), {At(kT, kIntMax), At(kT, kIntMax)})
                .Float(),
            static_cast<double>(kIntMax));
}

TEST(AggregateTest, AFloatThatIsNotFiniteIsAnError) {
  const double big = std::numeric_limits<double>::max();
  const std::vector<Row> rows = {{.time_us = kT, .price = big},
                                 {.time_us = kT, .price = big}};
  EXPECT_EQ(One(Over(Fn::kSum, kPrice, 10), rows).status(),
            ValueStatus::kError);
  EXPECT_EQ(One(Over(Fn::kMax, kPrice, 10), rows).Float(), big);
}

TEST(AggregateTest, LastNListsNewestFirstAndSkipsNulls) {
  Aggregate a = Over(Fn::kLastN, kBrand, 10);
  a.n = 2;
  const One one(a, {{.time_us = kT - 3, .brand = "a"},
                    {.time_us = kT - 2, .brand = "b"},
                    {.time_us = kT - 1},
                    {.time_us = kT, .brand = "c"}});
  std::vector<absl::string_view> got;
  one.computed.row().AppendStringList(0, &got);
  EXPECT_EQ(got, (std::vector<absl::string_view>{"c", "b"}));
}

TEST(AggregateTest, KeepsTheTypeOfTheColumn) {
  const std::vector<Row> rows = {
      {.time_us = kT, .brand = "acme", .sold = true, .at = 77}};
  const Events events(rows);
  const Computed computed(
      {Over(Fn::kLast, kBrand, 10), Over(Fn::kLast, kSold, 10),
       Over(Fn::kMax, kAt, 10), Over(Fn::kLast, kAt, 10)},
      {events.View(), kT});
  EXPECT_EQ(computed.row().String(0), "acme");
  EXPECT_TRUE(computed.row().Bool(1));
  EXPECT_EQ(computed.row().Int64(2), 77);
  EXPECT_EQ(computed.row().Int64(3), 77);
}

TEST(AggregateTest, IsTruncatedWhereTheWindowReachesWhatWasDropped) {
  const Events events({At(kT - 5, 1), At(kT - 4, 2), At(kT - 3, 3)});
  table::EventView view = events.View();
  view.truncated = true;
  view.dropped_to_us = kT - 6;
  Aggregate last_two = Over(Fn::kLastN, kItem, 100);
  last_two.n = 2;
  Aggregate last_four = last_two;
  last_four.n = 4;
  Aggregate filtered = Newest(Fn::kSum, kItem, 2);
  filtered.filters = {{kItem, Filter::Op::kEq, {int64_t{2}}}};
  const Computed computed(
      {Over(Fn::kSum, kItem, 7), Over(Fn::kSum, kItem, 6),
       Newest(Fn::kSum, kItem, 3), Newest(Fn::kSum, kItem, 4),
       Over(Fn::kLast, kItem, 100), last_two, last_four, filtered,
       Over(Fn::kCount, kPrice, 100), Over(Fn::kSum, kPrice, 100)},
      {view, kT});
  const ValueStatus want[] = {
      ValueStatus::kTruncated,  // reaches kT - 6
      ValueStatus::kPresent,    // begins right behind it
      ValueStatus::kPresent,    // has its three
      ValueStatus::kTruncated,  // lacks one
      ValueStatus::kPresent,    // no older event could be the last
      ValueStatus::kPresent,    // two of two
      ValueStatus::kTruncated,  // three of four
      ValueStatus::kTruncated,  // one of two behind the filter
      ValueStatus::kTruncated,  // a count of 0 may be too low
      ValueStatus::kNull};      // there is no value to mark
  for (size_t i = 0; i < std::size(want); ++i) {
    EXPECT_EQ(computed.row().status(i), want[i]) << "feature " << i;
  }
  EXPECT_EQ(computed.row().Int64(0), 6);
  EXPECT_EQ(computed.row().Int64(7), 2);
}

// 8 MiB hold 127 strings of 64 KiB, and not two lists of 100.
TEST(AggregateTest, ALongRowIsCutAndSaysSo) {
  std::vector<Row> rows;
  for (int i = 0; i < 200; ++i) {
    rows.push_back(
        {.time_us = kT + i - 199,
         .brand = std::string(65536, static_cast<char>('a' + i % 26))});
  }
  const Events events(rows);
  Aggregate list = Over(Fn::kLastN, kBrand, 1000);
  list.n = 200;
  const Aggregate last = Over(Fn::kLast, kBrand, 1000);
  const Aggregate count = Over(Fn::kCount, kBrand, 1000);
  const Computed cut({list, last, count}, {events.View(), kT});
  std::vector<absl::string_view> got;
  cut.row().AppendStringList(0, &got);
  EXPECT_EQ(got.size(), 127U);
  EXPECT_EQ(got[0], absl::string_view(*rows[199].brand));
  EXPECT_EQ(cut.row().status(0), ValueStatus::kTruncated);
  EXPECT_EQ(cut.row().status(1), ValueStatus::kError);
  EXPECT_EQ(cut.row().Int64(2), 200);
  list.n = 100;
  const Computed two({list, list}, {events.View(), kT});
  EXPECT_EQ(two.row().status(0), ValueStatus::kPresent);
  EXPECT_EQ(two.row().status(1), ValueStatus::kTruncated);
}

TEST(AggregateTest, TheDefaultStandsInForNull) {
  Aggregate list = Over(Fn::kLastN, kBrand, 10);
  list.n = 2;
  registry::FeatureGroup group =
      GroupOf({Over(Fn::kMean, kItem, 10), Over(Fn::kMax, kItem, 10),
               Over(Fn::kLast, kBrand, 10), list, Over(Fn::kMin, kItem, 10)});
  registry::RowWriter defaults(group.layout, &group.default_row);
  defaults.SetFloat64(0, 0.5);
  defaults.SetInt64(1, -1);
  defaults.SetString(2, "none");
  const absl::string_view brands[] = {"x", "y"};
  defaults.SetStringList(3, brands);
  for (size_t i = 0; i < 4; ++i) group.features[i].has_default = true;

  const Computed nothing(group, Input{{}, kT});
  EXPECT_EQ(nothing.row().Float64(0), 0.5);
  EXPECT_EQ(nothing.row().Int64(1), -1);
  EXPECT_EQ(nothing.row().String(2), "none");
  std::vector<absl::string_view> got;
  nothing.row().AppendStringList(3, &got);
  EXPECT_EQ(got, (std::vector<absl::string_view>{"x", "y"}));
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(nothing.row().status(i), ValueStatus::kDefaulted);
  }
  EXPECT_EQ(nothing.row().status(4), ValueStatus::kNull);

  const Events events({At(kT, 4)});
  const Computed something(group, Input{events.View(), kT});
  EXPECT_EQ(something.row().status(0), ValueStatus::kPresent);
  EXPECT_EQ(something.row().Float64(0), 4.0);
}

TEST(AggregateTest, ShapeIsTheNumberOfEventsInTheLongestWindow) {
  const AggregateFunction function(
      GroupOf({Over(Fn::kCount, {}, 2), Over(Fn::kCount, {}, 4),
               Newest(Fn::kSum, kItem, 1)}),
      TestSource());
  const auto scratch = function.MakeScratch();
  const Events events({At(kT - 9, 1), At(kT - 3, 1), At(kT - 1, 1), At(kT, 1)});
  const auto shape = function.Shape({events.View(), kT}, scratch.get());
  EXPECT_EQ(shape, (base::JobShape{base::GroupId{3}, 3, 0}));
  EXPECT_EQ(function.Shape({{}, kT}, scratch.get()).events, 0u);
  EXPECT_TRUE(function.always_inline());
}

TEST(AggregateTest, NeedsAllEventsUnlessEveryWindowIsByCountAlone) {
  const auto needed = [](const std::vector<Aggregate>& aggregates) {
    return AggregateFunction(GroupOf(aggregates), TestSource()).events_needed();
  };
  EXPECT_EQ(needed({Newest(Fn::kSum, kItem, 5), Newest(Fn::kMax, kItem, 9)}),
            9u);
  EXPECT_EQ(needed({Newest(Fn::kSum, kItem, 5), Over(Fn::kSum, kItem, 10)}),
            UINT32_MAX);
  Aggregate filtered = Newest(Fn::kSum, kItem, 5);
  filtered.filters = {{kItem, Filter::Op::kEq, {int64_t{2}}}};
  EXPECT_EQ(needed({filtered}), UINT32_MAX);
}

TEST(AggregateTest, ComputesABatch) {
  const AggregateFunction function(GroupOf({Over(Fn::kSum, kItem, 10)}),
                                   TestSource());
  const auto scratch = function.MakeScratch();
  const Events a({At(kT, 1)});
  const Events b({At(kT, 2), At(kT, 3)});
  const Input inputs[] = {{a.View(), kT}, {b.View(), kT}};
  registry::RowBytes rows[2];
  registry::RowBytes* const outputs[] = {&rows[0], &rows[1]};
  ASSERT_TRUE(function.Compute(inputs, outputs, scratch.get()).ok());
  const registry::RowLayout layout({ValueType::Of(Scalar::kInt64)});
  EXPECT_EQ(registry::RowView(layout, rows[0]).Int64(0), 1);
  EXPECT_EQ(registry::RowView(layout, rows[1]).Int64(0), 5);
}

}  // namespace
}  // namespace freshline::featurize
