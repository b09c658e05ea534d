// SPDX-License-Identifier: Apache-2.0
// Random operations on a table and on a naive model of it.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "table/table.h"
#include "tests/unit/table/table_fixture.h"

namespace freshline::table {
namespace {

using base::KeyId;
using base::Seq;
using base::UnixMicros;

constexpr uint32_t kSourceOfGroup[] = {0, 0, 1, 2};
constexpr uint32_t kEntityOfSource[] = {0, 0, 1};

struct ModelEvent {
  UnixMicros time_us;
  Seq sequence;
  bool operator<(const ModelEvent& o) const {
    return std::pair(time_us, sequence) < std::pair(o.time_us, o.sequence);
  }
};

struct ModelSource {
  std::vector<ModelEvent> events;
  std::optional<UnixMicros> newest_time_us;
  Seq newest = 0;
  uint64_t accepted = 0;
  bool truncated = false;
  UnixMicros dropped_to_us = 0;
  std::vector<UnixMicros> dropped;  // since there was none

  // The t of windows.
  UnixMicros WindowTime(UnixMicros now_us, UnixMicros retention_us) const {
    if (truncated && dropped_to_us > now_us - retention_us &&
        *std::min_element(dropped.begin(), dropped.end()) <= now_us) {
      return now_us;
    }
    for (const ModelEvent& e : events) {
      if (e.time_us <= now_us - retention_us) continue;
      return e.time_us <= now_us ? now_us : events.back().time_us;
    }
    return now_us;
  }
  // Of the newest event that is not ahead of now.
  std::optional<UnixMicros> NewestBy(UnixMicros now_us) const {
    if (newest_time_us && *newest_time_us <= now_us) return newest_time_us;
    std::optional<UnixMicros> latest;
    for (const ModelEvent& e : events) {
      if (e.time_us <= now_us) latest = std::max(latest.value_or(0), e.time_us);
    }
    return latest;
  }
  void Trim(UnixMicros cutoff_us) {
    std::erase_if(events, [&](auto& e) { return e.time_us <= cutoff_us; });
    if (truncated && dropped_to_us <= cutoff_us) {
      truncated = false;
      dropped_to_us = 0;
      dropped.clear();
    }
  }
};

struct ModelRow {
  std::vector<std::byte> bytes;
  AsOf as_of;
  base::Fidelity fidelity = base::Fidelity::kFull;
  uint32_t pending = 0;
  UnixMicros first_pending_us = 0;
};

struct ModelKey {
  KeyId id;
  ModelSource sources[3];
  ModelRow rows[4];
};

class TableModel {
 public:
  explicit TableModel(uint64_t seed)
      : seed_(seed), rng_(seed), table_(Define(), options_) {}

  void Run(int steps) {
    for (int i = 0; i < steps && !testing::Test::HasFatalFailure(); ++i) {
      SCOPED_TRACE(testing::Message() << "seed " << seed_ << " step " << i);
      now_us_ += static_cast<UnixMicros>(rng_.Below(2 * kSecond));
      const double what = rng_.Uniform();
      if (what < 0.7) {
        Append();
      } else if (what < 0.9) {
        Commit();
      } else if (what < 0.92) {
        Sweep();
      } else if (what < 0.93) {
        now_us_ += static_cast<UnixMicros>(rng_.Below(300 * kSecond));
      }
      CheckOneKey();
      if (i % 50 == 0) CheckCounts();
    }
    CheckCounts();
  }

 private:
  using Name = std::pair<uint32_t, int64_t>;  // entity and key

  std::shared_ptr<const registry::Revision> Define() {
    definitions_.retention = std::chrono::seconds(20 + rng_.Below(500));
    definitions_.allowed_lateness = std::chrono::seconds(rng_.Below(600));
    definitions_.events_max = static_cast<uint32_t>(1 + rng_.Below(30));
    names_ = static_cast<int64_t>(2 + rng_.Below(30));
    options_.shards = 1u << rng_.Below(4);
    if (rng_.Chance(0.5)) options_.keys_max = 1 + rng_.Below(40);
    if (rng_.Chance(0.3)) options_.bytes_max = 5000 + rng_.Below(30000);
    return definitions_.Build();
  }

  Name AnyName() {
    return {static_cast<uint32_t>(rng_.Below(2)),
            static_cast<int64_t>(rng_.Below(static_cast<uint64_t>(names_)))};
  }

  void Append() {
    auto source = static_cast<uint32_t>(rng_.Below(3));
    const Name name{kEntityOfSource[source], AnyName().second};
    UnixMicros time_us = now_us_;
    if (rng_.Chance(0.4)) {
      time_us -= static_cast<UnixMicros>(rng_.Below(700 * kSecond));
    } else if (rng_.Chance(0.2)) {
      time_us += static_cast<UnixMicros>(rng_.Below(50 * kSecond));
    }
    const std::string brand(rng_.Below(60), 'b');
    std::vector<Cell> cells;
    if (source == 0) {
      cells = {static_cast<int64_t>(rng_.Below(9)), 0.5,
               absl::string_view(brand.data(), brand.size())};
    } else if (source == 2) {
      cells = {Cell{}};
    }
    const TableStats before = table_.Stats();
    const auto got =
        table_.Append(source, KeyOf(name.second), {time_us, cells}, now_us_);
    const AppendResult want = Expect(name, source, time_us, before);
    ASSERT_EQ(got.result, want);
    if (want != AppendResult::kAccepted) {
      ASSERT_EQ(got.sequence, 0u);
      ASSERT_EQ(table_.newest_sequence(), sequence_);
      return;
    }
    ASSERT_EQ(got.sequence, ++sequence_);
    ASSERT_EQ(table_.newest_sequence(), sequence_);
    auto [it, is_new] = keys_.try_emplace(name);
    if (is_new) {
      it->second.id = got.key;
      for (KeyId old : ended_) ASSERT_NE(got.key, old);
    }
    ASSERT_EQ(got.key, it->second.id);
    Accept(&it->second, source, time_us);
  }

  AppendResult Expect(const Name& name, uint32_t source, UnixMicros time_us,
                      const TableStats& stats) {
    const auto it = keys_.find(name);
    if (it != keys_.end()) {
      const ModelSource& s = it->second.sources[source];
      const auto newest = s.NewestBy(now_us_);
      if (newest && time_us < *newest - LatenessUs()) {
        return AppendResult::kLate;
      }
    }
    if (time_us <= now_us_ - RetentionUs()) return AppendResult::kLate;
    const bool full =
        it == keys_.end()
            ? stats.keys >= options_.keys_max ||
                  stats.bytes >= options_.bytes_max
            : stats.bytes >= options_.bytes_max + options_.bytes_max / 4;
    if (full) ++refused_;
    return full ? AppendResult::kExhausted : AppendResult::kAccepted;
  }

  void Accept(ModelKey* key, uint32_t source, UnixMicros time_us) {
    ModelSource& s = key->sources[source];
    s.newest = sequence_;
    ++s.accepted;
    s.Trim(now_us_ - RetentionUs());
    s.newest_time_us = std::max(s.newest_time_us.value_or(time_us), time_us);
    s.events.push_back({time_us, sequence_});
    std::sort(s.events.begin(), s.events.end());
    if (s.events.size() > definitions_.events_max) {
      // The new one has not arrived before any other.
      auto drop = std::ranges::min_element(s.events, {}, &ModelEvent::sequence);
      if (s.events.size() == 1 || drop->time_us <= now_us_) {
        drop = s.events.begin();
      }
      s.dropped.push_back(drop->time_us);
      s.dropped_to_us = *std::max_element(s.dropped.begin(), s.dropped.end());
      s.truncated = true;
      s.events.erase(drop);
    }
    for (int g = 0; g < 4; ++g) {
      if (kSourceOfGroup[g] != source) continue;
      if (key->rows[g].pending++ == 0) key->rows[g].first_pending_us = now_us_;
    }
  }

  void Commit() {
    const Name name = AnyName();
    const auto group =
        static_cast<uint32_t>(name.first == 1 ? 3 : rng_.Below(3));
    const auto it = keys_.find(name);
    KeyId id = it != keys_.end() ? it->second.id : base::kNoKey;
    if (it == keys_.end() && !ended_.empty()) id = ended_.back();
    const AsOf as_of{sequence_ - rng_.Below(std::min<Seq>(sequence_, 5) + 1),
                     now_us_ - static_cast<UnixMicros>(rng_.Below(3))};
    const auto fidelity =
        rng_.Chance(0.3) ? base::Fidelity::kApproximate : base::Fidelity::kFull;
    const auto bytes = RowOf(8 * (1 + rng_.Below(10)), ++commits_ % 100);
    const uint64_t bytes_before = table_.Stats().bytes;
    const bool stored =
        table_.Commit({id, base::GroupId{group}}, {bytes, as_of, 5, fidelity});
    if (it == keys_.end()) {
      ASSERT_FALSE(stored);
      return;
    }
    ModelRow& row = it->second.rows[group];
    const auto rank = [](const AsOf& a, base::Fidelity f) {
      return std::tuple(a.sequence, f == base::Fidelity::kFull, a.time_us);
    };
    const bool news = row.bytes.empty() ||
                      rank(as_of, fidelity) > rank(row.as_of, row.fidelity);
    if (bytes_before >= options_.bytes_max + options_.bytes_max / 4) {
      // Whether it fits depends on the room of the earlier row.
      if (!stored) return;
    }
    ASSERT_EQ(stored, news);
    if (!stored) return;
    row.bytes = bytes;
    row.as_of = as_of;
    row.fidelity = fidelity;
    row.pending = 0;
    for (const ModelEvent& e :
         it->second.sources[kSourceOfGroup[group]].events) {
      row.pending += e.sequence > as_of.sequence ? 1 : 0;
    }
    row.first_pending_us =
        row.pending == 0 ? 0 : std::max(row.first_pending_us, as_of.time_us);
  }

  void Sweep() {
    size_t ended = 0;
    for (auto it = keys_.begin(); it != keys_.end();) {
      bool alive = false;
      for (ModelSource& s : it->second.sources) {
        s.Trim(now_us_ - RetentionUs());
        alive = alive || !s.events.empty();
      }
      if (!alive) {
        ended_.push_back(it->second.id);
        ++ended;
      }
      it = alive ? std::next(it) : keys_.erase(it);
    }
    ASSERT_EQ(table_.Sweep(SIZE_MAX, now_us_), ended);
    expired_ += ended;
  }

  void CheckOneKey() {
    const Name name = AnyName();
    const auto it = keys_.find(name);
    bool visited = false;
    const auto visit = [&](const KeyView& view) {
      visited = true;
      if (it != keys_.end()) CheckKey(view, name.first, it->second);
    };
    const bool found = rng_.Chance(0.5) || it == keys_.end()
                           ? table_.Read(name.first, KeyOf(name.second), visit)
                           : table_.Read(it->second.id, visit);
    ASSERT_EQ(found, it != keys_.end());
    ASSERT_EQ(visited, found);
    if (!ended_.empty()) {
      const KeyId old = ended_[rng_.Below(ended_.size())];
      ASSERT_FALSE(table_.Read(old, [](const KeyView&) {}));
    }
  }

  void CheckKey(const KeyView& view, uint32_t entity, const ModelKey& key) {
    ASSERT_EQ(view.id(), key.id);
    for (uint32_t source = 0; source < 3; ++source) {
      const EventView events = view.events(source);
      const ModelSource& s = key.sources[source];
      ASSERT_EQ(events.size, s.events.size());
      for (size_t i = 0; i < events.size; ++i) {
        ASSERT_EQ(events.event_time_us[i], s.events[i].time_us);
        ASSERT_EQ(events.sequence[i], s.events[i].sequence);
      }
      ASSERT_EQ(events.truncated, s.truncated);
      ASSERT_EQ(events.dropped_to_us, s.dropped_to_us);
      ASSERT_EQ(view.window_time_us(source, now_us_),
                s.WindowTime(now_us_, RetentionUs()));
    }
    for (uint32_t g = 0; g < 4; ++g) {
      const ModelSource& s = key.sources[kSourceOfGroup[g]];
      if (kEntityOfSource[kSourceOfGroup[g]] != entity) {
        ASSERT_FALSE(view.row(base::GroupId{g}).exists());
        continue;
      }
      const ModelRow& want = key.rows[g];
      const StoredRow row = view.row(base::GroupId{g});
      ASSERT_TRUE(std::ranges::equal(row.bytes, want.bytes));
      ASSERT_EQ(row.as_of.sequence, want.as_of.sequence);
      ASSERT_EQ(row.as_of.time_us, want.as_of.time_us);
      ASSERT_EQ(row.fidelity, want.fidelity);
      const Signals signals = view.signals(base::GroupId{g});
      ASSERT_EQ(signals.pending, want.pending);
      ASSERT_EQ(signals.seen, s.accepted - want.pending);
      ASSERT_EQ(signals.first_pending_us, want.first_pending_us);
      ASSERT_EQ(signals.newest, s.newest);
    }
  }

  void CheckCounts() {
    size_t events = 0;
    for (const auto& [name, key] : keys_) {
      for (const ModelSource& s : key.sources) events += s.events.size();
    }
    const TableStats stats = table_.Stats();
    const TableStats measured = table_.Measure();
    ASSERT_EQ(stats.keys, keys_.size());
    ASSERT_EQ(stats.events, events);
    ASSERT_EQ(stats.keys_expired, expired_);
    ASSERT_EQ(stats.appends_refused, refused_);
    ASSERT_EQ(measured.keys, stats.keys);
    ASSERT_EQ(measured.events, stats.events);
    ASSERT_EQ(measured.bytes, stats.bytes);
  }

  UnixMicros RetentionUs() const {
    return definitions_.retention.count() * kSecond;
  }
  UnixMicros LatenessUs() const {
    return definitions_.allowed_lateness.count() * kSecond;
  }

  const uint64_t seed_;
  base::Rng rng_;
  Definitions definitions_;
  TableOptions options_;
  int64_t names_ = 0;
  Table table_;

  UnixMicros now_us_ = kNow;
  std::map<Name, ModelKey> keys_;
  std::vector<KeyId> ended_;
  Seq sequence_ = 0;
  int commits_ = 0;
  size_t expired_ = 0;
  uint64_t refused_ = 0;
};

TEST(TableModelTest, AgreesWithANaiveModel) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    TableModel model(seed);
    model.Run(2000);
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace freshline::table
