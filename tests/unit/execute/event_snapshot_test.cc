// SPDX-License-Identifier: Apache-2.0
#include "execute/event_snapshot.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace freshline::execute {
namespace {

using registry::Scalar;

// n events with one column of each kind of storage.
struct Events {
  explicit Events(size_t n) {
    for (size_t i = 0; i < n; ++i) {
      times.push_back(static_cast<int64_t>(1000 + i));
      sequences.push_back(10 + i);
      ints.push_back(static_cast<int64_t>(i));
      doubles.push_back(static_cast<double>(i) / 2);
      strings.push_back(absl::StrCat("a string beyond the small buffer ", i));
      nulls.push_back(i % 3 == 0);
    }
    columns = {{Scalar::kInt64, ints.data(), nullptr, nullptr, nulls.data()},
               {Scalar::kFloat64, nullptr, doubles.data(), nullptr, nullptr},
               {Scalar::kString, nullptr, nullptr, strings.data(), nullptr}};
  }
  table::EventView View() const {
    return {times.size(), times.data(), sequences.data(), columns, false, 0};
  }
  std::vector<int64_t> times;
  std::vector<base::Seq> sequences;
  std::vector<int64_t> ints;
  std::vector<double> doubles;
  std::vector<std::string> strings;
  std::vector<uint8_t> nulls;
  std::vector<table::ColumnView> columns;
};

TEST(EventSnapshotTest, KeepsTheNewestEventsOfEveryColumn) {
  EventSnapshot snapshot;
  for (const size_t n : {0, 1, 5, 50, 7}) {  // grows, then is reused smaller
    const Events events(n);
    snapshot.CopyNewest(events.View(), 5);
    const table::EventView view = snapshot.View();
    const size_t kept = std::min<size_t>(n, 5);
    ASSERT_EQ(view.size, kept);
    for (size_t i = 0; i < kept; ++i) {
      const size_t from = n - kept + i;
      EXPECT_EQ(view.event_time_us[i], events.times[from]);
      EXPECT_EQ(view.sequence[i], events.sequences[from]);
      EXPECT_EQ(view.columns[0].ints[i], events.ints[from]);
      EXPECT_EQ(view.columns[0].is_null(i), events.nulls[from] != 0);
      EXPECT_EQ(view.columns[1].doubles[i], events.doubles[from]);
      EXPECT_FALSE(view.columns[1].is_null(i));
      EXPECT_EQ(view.columns[2].strings[i], events.strings[from]);
    }
  }
}

TEST(EventSnapshotTest, OutlivesItsOriginal) {
  EventSnapshot snapshot;
  {
    const Events events(3);
    snapshot.CopyNewest(events.View(), UINT32_MAX);
  }
  ASSERT_EQ(snapshot.View().size, 3U);
  EXPECT_EQ(snapshot.View().columns[2].strings[2],
            "a string beyond the small buffer 2");
}

TEST(EventSnapshotTest, TellsThatOlderEventsWereLeftOut) {
  EventSnapshot snapshot;
  const Events events(10);
  snapshot.CopyNewest(events.View(), 10);
  EXPECT_FALSE(snapshot.View().truncated);
  EXPECT_EQ(snapshot.View().retention_us, table::kHoldsForEver);
  table::EventView kept = events.View();
  kept.retention_us = 500;
  snapshot.CopyNewest(kept, 4);
  EXPECT_EQ(snapshot.View().retention_us, 500);
  EXPECT_TRUE(snapshot.View().truncated);
  EXPECT_EQ(snapshot.View().dropped_to_us, 1005);
  kept.truncated = true;  // one that was ahead of all
  kept.dropped_to_us = 2000;
  snapshot.CopyNewest(kept, 4);
  EXPECT_EQ(snapshot.View().dropped_to_us, 2000);
  snapshot.Clear();
  EXPECT_TRUE(snapshot.View().empty());
  EXPECT_FALSE(snapshot.View().truncated);
}

}  // namespace
}  // namespace freshline::execute
