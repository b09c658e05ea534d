// SPDX-License-Identifier: Apache-2.0
// Threads on one table at once; meant for ThreadSanitizer as well.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>
#include <vector>

#include "base/random.h"
#include "table/table.h"
#include "tests/unit/table/table_fixture.h"

namespace freshline::table {
namespace {

constexpr int kWriters = 2;
constexpr int kAppends = 4000;
constexpr int kKeys = 8;

struct Written {
  int64_t key;
  base::Seq sequence;
};

class TableStressTest : public testing::Test {
 protected:
  TableStressTest() : table_(Large(), {.shards = 4}) {}

  static std::shared_ptr<const registry::Revision> Large() {
    Definitions definitions;
    definitions.events_max = kWriters * kAppends;
    return definitions.Build();
  }

  void Write(uint64_t seed, std::vector<Written>* out) {
    base::Rng rng(seed);
    for (int i = 0; i < kAppends; ++i) {
      const auto key = static_cast<int64_t>(rng.Below(kKeys));
      const base::UnixMicros time = kNow - static_cast<int64_t>(rng.Below(100));
      const Cell cells[] = {key, 1.5, absl::string_view("a brand name beyond")};
      const auto appended = table_.Append(0, KeyOf(key), {time, cells}, kNow);
      ASSERT_EQ(appended.result, AppendResult::kAccepted);
      out->push_back({key, appended.sequence});
      if (i % 7 == 0) {
        const auto row = RowOf(64);
        table_.Commit({appended.key, kClicks0},
                      {row, {appended.sequence, kNow}, time});
      }
    }
  }

  // A reader under the lock must never see a later event appear with a
  // sequence that it was already told about: invariant (1).
  void Watch(uint64_t seed, const std::atomic<bool>* stop) {
    base::Rng rng(seed);
    std::map<int64_t, std::pair<base::Seq, size_t>> seen_up_to;
    while (!stop->load()) {
      const auto key = static_cast<int64_t>(rng.Below(kKeys));
      table_.Read(0, KeyOf(key), [&](const KeyView& view) {
        const base::Seq newest = table_.newest_sequence();
        const EventView events = view.events(0);
        auto& [sequence, count] = seen_up_to[key];
        const auto known =
            std::count_if(events.sequence, events.sequence + events.size,
                          [&](base::Seq s) { return s <= sequence; });
        ASSERT_EQ(static_cast<size_t>(known), count);
        for (size_t i = 0; i < events.size; ++i) {
          ASSERT_LE(events.sequence[i], newest);
        }
        sequence = newest;
        count = events.size;
        ASSERT_LE(view.signals(kClicks0).pending, events.size);
        ASSERT_EQ(view.signals(kClicks1).pending, events.size);
      });
      table_.Sweep(3, kNow);
    }
  }

  Table table_;
};

TEST_F(TableStressTest, SequencesAreDenseAndEveryKeyIsComplete) {
  std::vector<Written> written[kWriters];
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int w = 0; w < kWriters; ++w) {
    threads.emplace_back(
        [this, w, &written] { Write(static_cast<uint64_t>(w), &written[w]); });
  }
  std::thread watcher([&] { Watch(99, &stop); });
  for (std::thread& thread : threads) thread.join();
  stop = true;
  watcher.join();

  std::vector<base::Seq> all;
  std::map<int64_t, std::vector<base::Seq>> by_key;
  for (const auto& of_writer : written) {
    for (const Written& w : of_writer) {
      all.push_back(w.sequence);
      by_key[w.key].push_back(w.sequence);
    }
  }
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), static_cast<size_t>(kWriters * kAppends));
  for (size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], i + 1);
  EXPECT_EQ(table_.newest_sequence(), all.size());
  for (auto& [key, sequences] : by_key) {
    std::sort(sequences.begin(), sequences.end());
    std::vector<base::Seq> stored;
    EXPECT_TRUE(table_.Read(0, KeyOf(key), [&](const KeyView& view) {
      const EventView events = view.events(0);
      stored.assign(events.sequence, events.sequence + events.size);
    }));
    std::sort(stored.begin(), stored.end());
    EXPECT_EQ(stored, sequences);
  }
  EXPECT_EQ(table_.Stats().bytes, table_.Measure().bytes);
  EXPECT_EQ(table_.Stats().events, all.size());
}

TEST_F(TableStressTest, KeysEndWhileOthersReadAndCommitThem) {
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> newest_key{0};
  std::thread sweeper([&] {
    while (!stop.load()) table_.Sweep(4, kNow + 2000 * kSecond);
  });
  std::thread reader([&] {
    while (!stop.load()) {
      const base::KeyId key{newest_key.load()};
      table_.Read(key, [&](const KeyView& view) {
        ASSERT_EQ(view.id(), key);
        ASSERT_LE(view.events(0).size, 1u);
      });
      const auto row = RowOf(16);
      table_.Commit({key, kClicks1}, {row, {1, 1}, 1});
    }
  });
  const Cell cells[] = {int64_t{1}, 1.5, absl::string_view("x")};
  for (int64_t i = 0; i < kAppends; ++i) {
    const auto appended = table_.Append(0, KeyOf(i), {kNow, cells}, kNow);
    ASSERT_EQ(appended.result, AppendResult::kAccepted);
    newest_key = base::ToInt(appended.key);
  }
  stop = true;
  sweeper.join();
  reader.join();
  while (table_.Sweep(SIZE_MAX, kNow + 2000 * kSecond) > 0) {
  }
  table_.Sweep(SIZE_MAX, kNow + 2000 * kSecond);
  EXPECT_EQ(table_.Stats().keys, 0u);
  EXPECT_EQ(table_.Stats().bytes, 0u);
  EXPECT_EQ(table_.Stats().events, 0u);
  EXPECT_EQ(table_.Stats().keys_expired, static_cast<uint64_t>(kAppends));
}

}  // namespace
}  // namespace freshline::table
