// SPDX-License-Identifier: Apache-2.0
#include "table/event_buffer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <tuple>
#include <vector>

#include "base/random.h"

namespace freshline::table {
namespace {

using registry::Scalar;

registry::Source SourceOf(uint32_t events_max) {
  registry::Source source;
  source.name = "clicks";
  source.columns = {{"item", Scalar::kInt64},
                    {"price", Scalar::kFloat64},
                    {"brand", Scalar::kString},
                    {"sold", Scalar::kBool}};
  source.retention = std::chrono::hours(1);
  source.allowed_lateness = std::chrono::hours(1);
  source.events_max = events_max;
  return source;
}

struct Buffer {
  explicit Buffer(uint32_t events_max)
      : schema(SourceOf(events_max)), buffer(&schema) {}

  void Add(base::UnixMicros time_us, base::Seq seq, std::vector<Cell> cells) {
    buffer.Insert({time_us, cells}, seq, now_us);
  }
  // With cells derived from the sequence.
  void Add(base::UnixMicros time_us, base::Seq seq) {
    brand = BrandOf(seq);
    Add(time_us, seq,
        {static_cast<int64_t>(seq), static_cast<double>(seq) / 2,
         absl::string_view(brand.data(), brand.size()), int64_t{1}});
  }
  static std::string BrandOf(base::Seq seq) {
    return std::string(seq % 40, static_cast<char>('a' + seq % 26));
  }
  EventView View() {
    columns.resize(schema.types.size());
    return buffer.View(columns);
  }
  std::vector<base::Seq> Sequences() {
    const EventView v = View();
    return {v.sequence, v.sequence + v.size};
  }
  std::vector<base::UnixMicros> Times() {
    const EventView v = View();
    return {v.event_time_us, v.event_time_us + v.size};
  }

  base::UnixMicros now_us = 1'000'000'000;  // nothing is ahead of it
  EventSchema schema;
  EventBuffer buffer;
  std::vector<ColumnView> columns;
  std::string brand;
};

TEST(EventBufferTest, IsEmptyAtFirst) {
  Buffer b(10);
  EXPECT_TRUE(b.View().empty());
  EXPECT_EQ(b.View().columns.size(), 4u);
  EXPECT_FALSE(b.View().truncated);
  EXPECT_EQ(b.buffer.bytes(), 0u);
  EXPECT_EQ(b.buffer.NewestBy(100), EventBuffer::kNever);
  EXPECT_EQ(b.buffer.WindowTime(100), 100);
}

TEST(EventBufferTest, OrdersByTimeThenSequence) {
  Buffer b(10);
  b.Add(20, 1);
  b.Add(30, 2);
  b.Add(10, 3);
  b.Add(20, 4);
  EXPECT_EQ(b.Sequences(), (std::vector<base::Seq>{3, 1, 4, 2}));
  EXPECT_EQ(b.buffer.NewestBy(30), 30);
  EXPECT_EQ(b.buffer.NewestBy(29), 20);
  EXPECT_EQ(b.buffer.NewestBy(9), EventBuffer::kNever);
  EXPECT_EQ(b.buffer.WindowTime(9), 30);
  EXPECT_EQ(b.buffer.WindowTime(10), 10);
  EXPECT_EQ(b.buffer.newest_sequence(), 4u);
}

TEST(EventBufferTest, KeepsCellsOfEveryTypeAndNulls) {
  Buffer b(10);
  b.Add(1, 1, {int64_t{7}, 2.5, absl::string_view("acme"), int64_t{1}});
  b.Add(
      2, 2,
      {std::monostate{}, std::monostate{}, std::monostate{}, std::monostate{}});
  const EventView v = b.View();
  EXPECT_EQ(v.columns[0].type, Scalar::kInt64);
  EXPECT_EQ(v.columns[0].ints[0], 7);
  EXPECT_EQ(v.columns[1].doubles[0], 2.5);
  EXPECT_EQ(v.columns[2].strings[0], "acme");
  EXPECT_EQ(v.columns[3].ints[0], 1);
  for (const ColumnView& column : v.columns) {
    EXPECT_FALSE(column.is_null(0));
    EXPECT_TRUE(column.is_null(1));
  }
  EXPECT_EQ(v.columns[0].ints[1], 0);
  EXPECT_EQ(v.columns[1].doubles[1], 0.0);
  EXPECT_EQ(v.columns[2].strings[1], "");
}

TEST(EventBufferTest, GivesNoNullFlagsWhereNoneIsLeft) {
  Buffer b(10);
  b.Add(1, 1, {std::monostate{}, 1.0, absl::string_view("x"), int64_t{0}});
  b.Add(2, 2);
  EXPECT_NE(b.View().columns[0].nulls, nullptr);
  EXPECT_EQ(b.View().columns[1].nulls, nullptr);
  b.buffer.Trim(1);
  EXPECT_EQ(b.View().columns[0].nulls, nullptr);
}

TEST(EventBufferTest, DropsTheOldestAtTheCapAndSaysSo) {
  Buffer b(3);
  for (int i = 1; i <= 3; ++i) b.Add(10 * i, static_cast<base::Seq>(i));
  EXPECT_FALSE(b.View().truncated);
  b.Add(40, 4);
  EXPECT_EQ(b.Sequences(), (std::vector<base::Seq>{2, 3, 4}));
  EXPECT_TRUE(b.View().truncated);
  EXPECT_EQ(b.View().dropped_to_us, 10);
}

TEST(EventBufferTest, DropsALateEventThatPrecedesAllAtTheCap) {
  Buffer b(2);
  b.Add(20, 1);
  b.Add(30, 2);
  b.Add(10, 3);
  EXPECT_EQ(b.Sequences(), (std::vector<base::Seq>{1, 2}));
  EXPECT_TRUE(b.View().truncated);
  EXPECT_EQ(b.View().dropped_to_us, 10);
  EXPECT_EQ(b.buffer.newest_sequence(), 3u);
  EXPECT_EQ(b.buffer.accepted(), 3u);
}

// Three honest events, and three of a fast clock: what is ahead pushes out what
// came before it, and moves no window.
TEST(EventBufferTest, EventsAheadMoveNoWindowThoughTheyFillTheBuffer) {
  Buffer b(3);
  b.now_us = 100;
  for (base::Seq s = 1; s <= 3; ++s) b.Add(97 + static_cast<int64_t>(s), s);
  for (base::Seq s = 4; s <= 6; ++s) b.Add(100 * static_cast<int64_t>(s), s);
  EXPECT_EQ(b.Sequences(), (std::vector<base::Seq>{4, 5, 6}));
  EXPECT_TRUE(b.View().truncated);
  EXPECT_EQ(b.View().dropped_to_us, 100);
  EXPECT_EQ(b.buffer.WindowTime(100), 100);
}

TEST(EventBufferTest, AnEventOfNowPushesOutTheFirstOfThoseAheadOfIt) {
  Buffer b(3);
  b.now_us = 100;
  b.Add(400, 1);
  b.Add(600, 2);
  b.Add(500, 3);
  EXPECT_EQ(b.buffer.WindowTime(100), 600);  // every event is ahead
  b.Add(100, 4);
  EXPECT_EQ(b.Sequences(), (std::vector<base::Seq>{4, 3, 2}));
  EXPECT_TRUE(b.View().truncated);
  EXPECT_EQ(b.View().dropped_to_us, 400);
  EXPECT_EQ(b.buffer.WindowTime(100), 100);
  b.Add(99, 5);  // from the middle
  EXPECT_EQ(b.Sequences(), (std::vector<base::Seq>{5, 4, 3}));
  EXPECT_EQ(b.View().dropped_to_us, 600);
  b.Add(101, 6);
  EXPECT_EQ(b.Sequences(), (std::vector<base::Seq>{5, 4, 6}));
  b.Add(98, 7);  // the oldest, and older than what came before any ahead
  EXPECT_EQ(b.Sequences(), (std::vector<base::Seq>{5, 4, 6}));
  EXPECT_EQ(b.View().dropped_to_us, 600);
  for (const base::UnixMicros time_us : b.Times()) EXPECT_LE(time_us, 101);
}

TEST(EventBufferTest, EventsAheadPushOutWhatCameFirst) {
  Buffer b(2);
  b.now_us = 10;
  b.Add(400, 1);
  b.Add(200, 2);
  b.Add(300, 3);
  EXPECT_EQ(b.Sequences(), (std::vector<base::Seq>{2, 3}));
  EXPECT_EQ(b.View().dropped_to_us, 400);
  EXPECT_EQ(b.buffer.WindowTime(10), 300);
  // What the cap dropped is one of the key's events, until it is forgotten.
  b.now_us = 100;
  b.Add(150, 4);
  EXPECT_EQ(b.Sequences(), (std::vector<base::Seq>{4, 3}));
  EXPECT_EQ(b.buffer.WindowTime(149), 300);
  b.buffer.Trim(400);
  EXPECT_FALSE(b.View().truncated);
}

TEST(EventBufferTest, HoldsTheNewestToComeWhereTheCapIsOne) {
  Buffer b(1);
  b.now_us = 100;
  b.Add(100, 1);
  b.Add(500, 2);
  EXPECT_EQ(b.Sequences(), std::vector<base::Seq>{2});
  EXPECT_EQ(b.buffer.WindowTime(100), 100);
  b.Add(100, 3);
  EXPECT_EQ(b.Sequences(), std::vector<base::Seq>{3});
  EXPECT_EQ(b.View().dropped_to_us, 500);
}

TEST(EventBufferTest, HoldsOneEventWhereTheCapIsOne) {
  Buffer b(1);
  for (base::Seq s = 1; s <= 50; ++s) {
    b.Add(static_cast<int64_t>(s), s);
    EXPECT_EQ(b.Sequences(), std::vector<base::Seq>{s});
    EXPECT_EQ(b.buffer.bytes(), b.buffer.MeasureBytes());
  }
}

TEST(EventBufferTest, TrimForgetsDropsThatNoWindowReaches) {
  Buffer b(2);
  for (int i = 1; i <= 4; ++i) b.Add(10 * i, static_cast<base::Seq>(i));
  EXPECT_EQ(b.buffer.Trim(19), 0u);
  EXPECT_TRUE(b.View().truncated);  // 20 was dropped
  EXPECT_EQ(b.buffer.Trim(20), 0u);
  EXPECT_FALSE(b.View().truncated);
  EXPECT_EQ(b.buffer.Trim(30), 1u);
  EXPECT_EQ(b.buffer.Trim(1000), 1u);
  EXPECT_TRUE(b.View().empty());
}

TEST(EventBufferTest, CountsStoredEventsAfterASequence) {
  Buffer b(10);
  b.Add(30, 2);
  b.Add(20, 5);
  b.Add(10, 9);
  EXPECT_EQ(b.buffer.CountAfter(0), 3u);
  EXPECT_EQ(b.buffer.CountAfter(2), 2u);
  EXPECT_EQ(b.buffer.CountAfter(5), 1u);
  EXPECT_EQ(b.buffer.CountAfter(9), 0u);
}

TEST(EventBufferTest, ShrinkGivesMemoryBack) {
  Buffer b(1000);
  for (base::Seq s = 1; s <= 1000; ++s) b.Add(static_cast<int64_t>(s), s);
  const size_t full = b.buffer.bytes();
  b.buffer.Trim(990);
  EXPECT_GT(b.buffer.bytes(), full / 2);
  b.buffer.Shrink();
  EXPECT_LT(b.buffer.bytes(), full / 20);
  EXPECT_EQ(b.Sequences().front(), 991u);
  EXPECT_EQ(b.buffer.bytes(), b.buffer.MeasureBytes());
  b.buffer.Trim(1000);
  b.buffer.Shrink();
  EXPECT_EQ(b.buffer.bytes(), 0u);
  b.Add(2000, 2000);
  EXPECT_EQ(b.Sequences(), std::vector<base::Seq>{2000});
}

// Against a sorted vector, with the cells of every event checked.
TEST(EventBufferTest, AgreesWithASortedVector) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Rng rng(seed);
    const auto events_max = static_cast<uint32_t>(1 + rng.Below(60));
    Buffer b(events_max);
    std::vector<std::pair<base::UnixMicros, base::Seq>> model;
    int64_t clock = 1000;
    // How far ahead events may be.
    const auto behind = static_cast<int64_t>(seed % 2 * rng.Below(400));
    for (base::Seq seq = 1; seq <= 400; ++seq) {
      clock += static_cast<int64_t>(rng.Below(20));
      const int64_t time = rng.Chance(0.3)
                               ? clock - static_cast<int64_t>(rng.Below(300))
                               : clock;
      b.now_us = clock - behind;
      if (model.size() == events_max) {
        const auto first = std::ranges::min_element(
            model, {}, [](const auto& e) { return e.second; });
        if (first->first > b.now_us) model.erase(first);
      }
      b.Add(time, seq);
      model.emplace_back(time, seq);
      std::sort(model.begin(), model.end());
      if (model.size() > events_max) model.erase(model.begin());
      if (rng.Chance(0.05)) {
        const int64_t cutoff = clock - static_cast<int64_t>(rng.Below(200));
        b.buffer.Trim(cutoff);
        std::erase_if(model, [&](const auto& e) { return e.first <= cutoff; });
        if (rng.Chance(0.5)) b.buffer.Shrink();
      }
      const EventView v = b.View();
      ASSERT_EQ(v.size, model.size());
      for (size_t i = 0; i < v.size; ++i) {
        const base::Seq s = model[i].second;
        ASSERT_EQ(v.event_time_us[i], model[i].first);
        ASSERT_EQ(v.sequence[i], s);
        ASSERT_EQ(v.columns[0].ints[i], static_cast<int64_t>(s));
        ASSERT_EQ(v.columns[1].doubles[i], static_cast<double>(s) / 2);
        ASSERT_EQ(v.columns[2].strings[i], Buffer::BrandOf(s));
      }
      ASSERT_EQ(b.buffer.bytes(), b.buffer.MeasureBytes());
    }
  }
}

}  // namespace
}  // namespace freshline::table
