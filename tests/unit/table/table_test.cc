// SPDX-License-Identifier: Apache-2.0
#include "table/table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/table/table_fixture.h"

namespace freshline::table {
namespace {

using base::Fidelity;
using base::KeyId;
using base::Seq;
using base::UnixMicros;

class TableTest : public testing::Test {
 protected:
  void Make(Definitions definitions = {}, TableOptions options = {}) {
    table_.emplace(definitions.Build(), options);
  }
  Table::Appended Click(int64_t user, UnixMicros time_us,
                        UnixMicros now_us = kNow) {
    const Cell cells[] = {int64_t{5}, 2.5, absl::string_view("acme")};
    return table_->Append(0, KeyOf(user), {time_us, cells}, now_us);
  }
  Table::Appended Cart(int64_t user, UnixMicros time_us) {
    return table_->Append(1, KeyOf(user), {time_us, {}}, kNow);
  }
  Signals SignalsOf(KeyId key, base::GroupId group) {
    Signals signals;
    EXPECT_TRUE(table_->Read(
        key, [&](const KeyView& view) { signals = view.signals(group); }));
    return signals;
  }
  bool Commit(KeyId key, Seq sequence, Fidelity fidelity = Fidelity::kFull,
              UnixMicros time_us = kNow, int fill = 1) {
    const auto bytes = RowOf(32, fill);
    return table_->Commit({key, kClicks0},
                          {bytes, {sequence, time_us}, kNow, fidelity});
  }
  int FillOf(KeyId key) {
    int fill = -1;
    table_->Read(key, [&](const KeyView& view) {
      const StoredRow row = view.row(kClicks0);
      if (row.exists()) fill = static_cast<int>(row.bytes[0]);
    });
    return fill;
  }

  std::optional<Table> table_;
};

TEST_F(TableTest, ReadsWhatWasAppended) {
  Make();
  const auto appended = Click(7, kNow);
  EXPECT_EQ(appended.result, AppendResult::kAccepted);
  EXPECT_EQ(appended.sequence, 1u);
  int visits = 0;
  const auto visit = [&](const KeyView& view) {
    ++visits;
    EXPECT_EQ(view.id(), appended.key);
    const EventView events = view.events(0);
    ASSERT_EQ(events.size, 1u);
    ASSERT_EQ(events.columns.size(), 3u);
    EXPECT_EQ(events.columns[0].ints[0], 5);
    EXPECT_EQ(events.columns[1].doubles[0], 2.5);
    EXPECT_EQ(events.columns[2].strings[0], "acme");
    EXPECT_TRUE(view.events(1).empty());
    EXPECT_FALSE(view.row(kClicks0).exists());
  };
  EXPECT_TRUE(table_->Read(0, KeyOf(7), visit));
  EXPECT_TRUE(table_->Read(appended.key, visit));
  EXPECT_EQ(visits, 2);
}

TEST_F(TableTest, KnowsNoKeyThatWasNeverAppended) {
  Make();
  const auto never = [](const KeyView&) { FAIL() << "visited"; };
  EXPECT_FALSE(table_->Read(0, KeyOf(7), never));
  EXPECT_FALSE(table_->Read(base::kNoKey, never));
  EXPECT_FALSE(table_->Read(KeyId{~uint64_t{0}}, never));
  Click(7, kNow);
  EXPECT_FALSE(table_->Read(0, KeyOf(8), never));
  EXPECT_FALSE(table_->Read(1, KeyOf(7), never));  // another entity
  EXPECT_FALSE(Commit(KeyId{12345}, 1));
}

TEST_F(TableTest, NumbersEventsOfAllSourcesAndKeysInOneOrder) {
  Make();
  EXPECT_EQ(table_->newest_sequence(), 0u);
  EXPECT_EQ(Click(1, kNow).sequence, 1u);
  EXPECT_EQ(Cart(2, kNow).sequence, 2u);
  EXPECT_EQ(Click(2, kNow).sequence, 3u);
  EXPECT_EQ(table_->newest_sequence(), 3u);
}

TEST_F(TableTest, KeepsTheSourcesOfAKeyApart) {
  Make();
  const KeyId key = Click(1, kNow).key;
  EXPECT_EQ(Cart(1, kNow - 5).key, key);
  table_->Read(key, [&](const KeyView& view) {
    EXPECT_EQ(view.events(0).size, 1u);
    EXPECT_EQ(view.events(1).size, 1u);
    EXPECT_TRUE(view.events(2).empty());  // of another entity
    EXPECT_FALSE(view.row(kVisits).exists());
    EXPECT_EQ(view.signals(kVisits).newest, 0u);
    EXPECT_EQ(view.signals(kClicks0).newest, 1u);
    EXPECT_EQ(view.signals(kCarts).newest, 2u);
  });
}

TEST_F(TableTest, WindowsStandAtNowUnlessEveryEventIsAheadOfIt) {
  Make();
  const KeyId key = Click(1, kNow + 10).key;
  Click(1, kNow + 30);
  Cart(1, kNow - 10);
  Cart(1, kNow + 40);
  table_->Read(key, [&](const KeyView& view) {
    EXPECT_EQ(view.window_time_us(0, kNow), kNow + 30);
    EXPECT_EQ(view.window_time_us(0, kNow + 10), kNow + 10);
    EXPECT_EQ(view.window_time_us(0, kNow + 50), kNow + 50);
    EXPECT_EQ(view.window_time_us(1, kNow), kNow);
    EXPECT_EQ(view.window_time_us(2, kNow), kNow);
  });
}

// Until a sweep comes by, what has expired is stored, and in no row.
TEST_F(TableTest, RowsAreMadeOfWhatTheRetentionHasNotEnded) {
  Make({.retention = std::chrono::seconds(100), .events_max = 3});
  const KeyId key = Click(1, kNow).key;
  for (int i = 1; i <= 3; ++i) Click(1, kNow + i * kSecond);
  const auto check = [&](UnixMicros now_us, size_t kept, bool truncated) {
    SCOPED_TRACE(testing::Message() << "at " << now_us - kNow);
    table_->Read(key, [&](const KeyView& view) {
      const EventView events = view.events(0, now_us);
      ASSERT_EQ(events.size, kept);
      EXPECT_EQ(events.truncated, truncated);
      EXPECT_EQ(events.retention_us, 100 * kSecond);
      EXPECT_EQ(events.columns.size(), 3U);
      for (size_t i = 0; i < kept; ++i) {
        const auto nth = static_cast<int64_t>(4 - kept + i);
        EXPECT_EQ(events.event_time_us[i], kNow + nth * kSecond);
        EXPECT_EQ(events.sequence[i], static_cast<base::Seq>(nth + 1));
        EXPECT_EQ(events.columns[0].ints[i], 5);
        EXPECT_EQ(events.columns[2].strings[i], "acme");
      }
      EXPECT_EQ(view.events(0).size, 3U);
    });
  };
  check(kNow + 100 * kSecond - 1, 3, true);
  check(kNow + 100 * kSecond, 3, false);
  check(kNow + 101 * kSecond - 1, 3, false);
  check(kNow + 101 * kSecond, 2, false);
  check(kNow + 103 * kSecond, 0, false);
}

TEST_F(TableTest, AnExpiredEventHoldsNoWindow) {
  Make({.retention = std::chrono::seconds(100)});
  const KeyId key = Click(1, kNow).key;
  Click(1, kNow + 200 * kSecond);
  table_->Read(key, [&](const KeyView& view) {
    const UnixMicros before = kNow + 100 * kSecond - 1;
    EXPECT_EQ(view.window_time_us(0, before), before);
    EXPECT_EQ(view.window_time_us(0, before + 1), kNow + 200 * kSecond);
  });
}

// An event of now is late by no clock, whatever another sender's clock says.
TEST_F(TableTest, OneFastClockMakesNoHonestEventLate) {
  Make({.retention = std::chrono::seconds(100),
        .allowed_lateness = std::chrono::seconds(10)});
  EXPECT_EQ(Click(1, kNow + 240 * kSecond).result, AppendResult::kAccepted);
  EXPECT_EQ(Click(1, kNow - 20 * kSecond).result, AppendResult::kAccepted);
  EXPECT_EQ(Click(1, kNow).result, AppendResult::kAccepted);
  EXPECT_EQ(Click(1, kNow - 10 * kSecond).result, AppendResult::kAccepted);
  EXPECT_EQ(Click(1, kNow - 10 * kSecond - 1).result, AppendResult::kLate);
  table_->Read(0, KeyOf(1), [&](const KeyView& view) {
    EXPECT_EQ(view.events(0).size, 4U);  // nothing was trimmed for it
  });
}

TEST_F(TableTest, AFastClocksEventAtItsTimeIsTheNewest) {
  Make({.allowed_lateness = std::chrono::seconds(10)});
  Click(1, kNow);
  Click(1, kNow + 240 * kSecond);
  const int64_t later = kNow + 240 * kSecond;
  const Cell cells[] = {int64_t{5}, 2.5, absl::string_view("acme")};
  EXPECT_EQ(
      table_->Append(0, KeyOf(1), {later - 11 * kSecond, cells}, later).result,
      AppendResult::kLate);
}

TEST_F(TableTest, RefusesEventsBehindRetention) {
  Make({.retention = std::chrono::seconds(100)});
  const UnixMicros cutoff = kNow - 100 * kSecond;
  EXPECT_EQ(Click(1, cutoff).result, AppendResult::kLate);
  EXPECT_EQ(table_->Stats().keys, 0u);
  EXPECT_EQ(Click(1, cutoff + 1).result, AppendResult::kAccepted);
  EXPECT_EQ(table_->newest_sequence(), 1u);
}

TEST_F(TableTest, RefusesEventsBehindTheAllowedLateness) {
  Make({.allowed_lateness = std::chrono::seconds(5)});
  Click(1, kNow);
  EXPECT_EQ(Click(1, kNow - 5 * kSecond).result, AppendResult::kAccepted);
  EXPECT_EQ(Click(1, kNow - 5 * kSecond - 1).result, AppendResult::kLate);
  // The lateness is against the key's own newest event.
  EXPECT_EQ(Click(2, kNow - 50 * kSecond).result, AppendResult::kAccepted);
}

TEST_F(TableTest, CountsPendingAndSeenEvents) {
  Make();
  const KeyId key = Click(1, kNow, kNow).key;
  Click(1, kNow - 5, kNow + 1);
  Signals s = SignalsOf(key, kClicks0);
  EXPECT_EQ(s.pending, 2u);
  EXPECT_EQ(s.seen, 0u);
  EXPECT_EQ(s.first_pending_us, kNow);

  EXPECT_TRUE(Commit(key, 2));
  s = SignalsOf(key, kClicks0);
  EXPECT_EQ(s.pending, 0u);
  EXPECT_EQ(s.seen, 2u);
  EXPECT_EQ(s.first_pending_us, 0);
  EXPECT_EQ(SignalsOf(key, kClicks1).pending, 2u);  // its own row

  Click(1, kNow - 9, kNow + 7);  // a late event is pending like any other
  s = SignalsOf(key, kClicks0);
  EXPECT_EQ(s.pending, 1u);
  EXPECT_EQ(s.seen, 2u);
  EXPECT_EQ(s.first_pending_us, kNow + 7);
  EXPECT_EQ(s.newest, 3u);
}

TEST_F(TableTest, ACommitLeavesPendingWhatItHasNotSeen) {
  Make();
  const KeyId key = Click(1, kNow, kNow).key;
  Click(1, kNow, kNow + 10);
  Click(1, kNow, kNow + 20);
  EXPECT_TRUE(Commit(key, 1, Fidelity::kFull, kNow + 5));
  const Signals s = SignalsOf(key, kClicks0);
  EXPECT_EQ(s.pending, 2u);
  EXPECT_EQ(s.seen, 1u);
  EXPECT_EQ(s.first_pending_us, kNow + 5);
}

TEST_F(TableTest, EventsDroppedUnseenStayPendingUntilTheNextCommit) {
  Make({.events_max = 2});
  const KeyId key = Click(1, kNow).key;
  for (int i = 0; i < 4; ++i) Click(1, kNow);
  EXPECT_EQ(SignalsOf(key, kClicks0).pending, 5u);
  EXPECT_TRUE(Commit(key, 1));
  EXPECT_EQ(SignalsOf(key, kClicks0).pending, 2u);
  EXPECT_EQ(SignalsOf(key, kClicks0).seen, 3u);
}

TEST_F(TableTest, OnlyARowThatHasSeenMoreReplacesARow) {
  Make();
  const KeyId key = Click(1, kNow).key;
  Click(1, kNow);
  EXPECT_TRUE(Commit(key, 2, Fidelity::kApproximate, kNow, 1));
  EXPECT_FALSE(Commit(key, 1, Fidelity::kFull, kNow + 9, 2));
  EXPECT_FALSE(Commit(key, 2, Fidelity::kApproximate, kNow, 3));
  EXPECT_EQ(FillOf(key), 1);
  EXPECT_TRUE(Commit(key, 2, Fidelity::kFull, kNow, 4));
  EXPECT_FALSE(Commit(key, 2, Fidelity::kApproximate, kNow + 9, 5));
  EXPECT_FALSE(Commit(key, 2, Fidelity::kFull, kNow, 6));
  EXPECT_EQ(FillOf(key), 4);
  // Age alone: the same events, computed later.
  EXPECT_TRUE(Commit(key, 2, Fidelity::kFull, kNow + 1, 7));
  EXPECT_TRUE(Commit(key, 3, Fidelity::kApproximate, kNow, 8));
  EXPECT_EQ(FillOf(key), 8);
}

TEST_F(TableTest, CountsRowsThatWereReplacedBeforeAnyQueryReadThem) {
  Make();
  const KeyId key = Click(7, kNow).key;
  const base::RowId row{key, kClicks0};
  EXPECT_TRUE(Commit(key, 1));
  EXPECT_TRUE(Commit(key, 2));
  EXPECT_EQ(table_->Stats().rows_unread, 1U);
  table_->Read(key, [&](const KeyView& view) { view.NoteRead(kClicks0); });
  EXPECT_TRUE(Commit(key, 3));
  EXPECT_EQ(table_->Stats().rows_unread, 1U);
  table_->NoteRead(row);
  // Not stored, so nothing is replaced.
  EXPECT_FALSE(Commit(key, 2));
  EXPECT_TRUE(Commit(key, 4));
  EXPECT_EQ(table_->Stats().rows_unread, 1U);
  EXPECT_TRUE(Commit(key, 5));
  EXPECT_EQ(table_->Stats().rows_unread, 2U);
  table_->NoteRead({KeyId{12345}, kClicks0});
}

TEST_F(TableTest, StoresWhatACommitSays) {
  Make();
  const KeyId key = Click(1, kNow).key;
  const auto bytes = RowOf(48, 9);
  EXPECT_TRUE(table_->Commit(
      {key, kClicks1},
      {bytes, {1, kNow + 3}, kNow - 1, Fidelity::kApproximate, kNow + 500}));
  table_->Read(key, [&](const KeyView& view) {
    const StoredRow row = view.row(kClicks1);
    ASSERT_TRUE(row.exists());
    EXPECT_TRUE(std::ranges::equal(row.bytes, RowOf(48, 9)));
    EXPECT_EQ(row.as_of.sequence, 1u);
    EXPECT_EQ(row.as_of.time_us, kNow + 3);
    EXPECT_EQ(row.event_time_us, kNow - 1);
    EXPECT_EQ(row.fidelity, Fidelity::kApproximate);
    EXPECT_EQ(row.holds_until_us, kNow + 500);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(row.bytes.data()) % 8, 0u);
    EXPECT_FALSE(view.row(kClicks0).exists());
  });
}

TEST_F(TableTest, AtTheCapOfKeysRefusesNewKeysOnly) {
  Make({}, {.keys_max = 2});
  Click(1, kNow);
  Click(2, kNow);
  EXPECT_EQ(Click(3, kNow).result, AppendResult::kExhausted);
  EXPECT_EQ(Click(3, kNow).key, base::kNoKey);
  EXPECT_EQ(Click(1, kNow).result, AppendResult::kAccepted);
  EXPECT_EQ(table_->Stats().keys, 2u);
  EXPECT_EQ(table_->Stats().appends_refused, 2u);
}

TEST_F(TableTest, AtTheCapOfBytesOldKeysGoOnToTheHardLimit) {
  Make({.events_max = 100000}, {.bytes_max = 20000});
  const KeyId first = Click(1, kNow).key;
  int64_t user = 2;
  while (Click(user, kNow).result == AppendResult::kAccepted) ++user;
  EXPECT_GE(table_->Stats().bytes, 20000u);
  EXPECT_LT(table_->Stats().bytes, 21000u);
  int more = 0;
  while (Click(1, kNow).result == AppendResult::kAccepted) ++more;
  EXPECT_GT(more, 10);
  EXPECT_GE(table_->Stats().bytes, 25000u);
  EXPECT_EQ(Click(2, kNow).result, AppendResult::kExhausted);
  EXPECT_FALSE(Commit(first, 1));
  EXPECT_EQ(table_->Stats().bytes, table_->Measure().bytes);
}

TEST_F(TableTest, AtTheHardLimitARowThatFitsIsStillReplaced) {
  Make({.events_max = 100000}, {.bytes_max = 20000});
  const KeyId key = Click(1, kNow).key;
  EXPECT_TRUE(Commit(key, 1));
  while (Click(1, kNow).result == AppendResult::kAccepted) {
  }
  EXPECT_TRUE(Commit(key, 2, Fidelity::kFull, kNow, 9));
  EXPECT_EQ(FillOf(key), 9);
}

TEST_F(TableTest, SweepEndsKeysWithoutEventsInRetention) {
  Make({.retention = std::chrono::seconds(100)});
  const KeyId old = Click(1, kNow).key;
  const KeyId young = Click(2, kNow).key;
  const UnixMicros later = kNow + 100 * kSecond;
  EXPECT_EQ(table_->Sweep(100, later - 1), 0u);
  Click(2, later, later);
  EXPECT_EQ(table_->Sweep(100, later), 1u);
  EXPECT_FALSE(table_->Read(old, [](const KeyView&) {}));
  EXPECT_TRUE(table_->Read(
      young, [](const KeyView& view) { EXPECT_EQ(view.events(0).size, 1u); }));
  EXPECT_EQ(table_->Stats().keys, 1u);
  EXPECT_EQ(table_->Stats().keys_expired, 1u);
}

TEST_F(TableTest, AnyLivingSourceKeepsAKey) {
  Make({.retention = std::chrono::seconds(100)});
  const KeyId key = Click(1, kNow - 50 * kSecond).key;
  Cart(1, kNow);
  EXPECT_EQ(table_->Sweep(100, kNow + 60 * kSecond), 0u);
  table_->Read(key, [](const KeyView& view) {
    EXPECT_TRUE(view.events(0).empty());
    EXPECT_EQ(view.events(1).size, 1u);
  });
}

TEST_F(TableTest, AHandleOfAnEndedKeyNamesNoOther) {
  Make({.retention = std::chrono::seconds(100)}, {.shards = 1});
  std::set<KeyId> issued;
  UnixMicros now = kNow;
  for (int round = 0; round < 20; ++round) {
    const KeyId key = Click(1, now, now).key;
    EXPECT_TRUE(issued.insert(key).second) << "issued twice";
    Commit(key, table_->newest_sequence());
    now += 200 * kSecond;
    EXPECT_EQ(table_->Sweep(100, now), 1u);
    EXPECT_FALSE(Commit(key, table_->newest_sequence() + 1));
  }
  const KeyId last = Click(1, now, now).key;
  for (KeyId key : issued) {
    EXPECT_NE(key, last);
    EXPECT_FALSE(table_->Read(key, [](const KeyView&) {}));
  }
  EXPECT_FALSE(SignalsOf(last, kClicks0).seen);  // nothing of the old key
  EXPECT_EQ(FillOf(last), -1);
}

TEST_F(TableTest, SweepTakesKeysInTurnAFewAtATime) {
  Make({.retention = std::chrono::seconds(100)}, {.shards = 8});
  for (int64_t user = 0; user < 200; ++user) Click(user, kNow);
  const UnixMicros later = kNow + 200 * kSecond;
  size_t removed = 0;
  int calls = 0;
  while (removed < 200) {
    const size_t now_removed = table_->Sweep(7, later);
    EXPECT_LE(now_removed, 7u);
    removed += now_removed;
    ASSERT_LE(++calls, 200 / 7 + 1);  // each key visited once
  }
  EXPECT_EQ(table_->Stats().keys, 0u);
  EXPECT_EQ(table_->Stats().bytes, 0u);
}

TEST_F(TableTest, IssuesTheSameKeyIdsInEveryTable) {
  Make();
  std::vector<KeyId> first;
  for (int64_t user = 0; user < 100; ++user) {
    first.push_back(Click(user * 977, kNow).key);
  }
  Make();
  for (int64_t user = 0; user < 100; ++user) {
    EXPECT_EQ(Click(user * 977, kNow).key, first[static_cast<size_t>(user)]);
  }
}

TEST_F(TableTest, TellsKeysOfEqualBytesButOtherEntitiesApart) {
  Make();
  const Cell cells[] = {absl::string_view("walk-in")};
  const KeyId shop = table_->Append(2, KeyOf(1), {kNow, cells}, kNow).key;
  const KeyId user = Click(1, kNow).key;
  EXPECT_NE(shop, user);
  EXPECT_EQ(table_->Stats().keys, 2u);
  table_->Read(1, KeyOf(1), [&](const KeyView& view) {
    EXPECT_EQ(view.id(), shop);
    EXPECT_EQ(view.events(2).columns[0].strings[0], "walk-in");
  });
}

TEST_F(TableTest, TakesKeysOfEveryLength) {
  Make();
  for (size_t size = 0; size < 600; ++size) {
    const Cell cells[] = {int64_t{1}, 1.0, absl::string_view()};
    const std::string key(size, 'k');
    EXPECT_EQ(table_->Append(0, key, {kNow, cells}, kNow).sequence, size + 1);
    EXPECT_TRUE(table_->Read(0, key, [](const KeyView&) {}));
  }
  EXPECT_EQ(table_->Stats().keys, 600u);
  EXPECT_EQ(table_->Stats().bytes, table_->Measure().bytes);
}

}  // namespace
}  // namespace freshline::table
