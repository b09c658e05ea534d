// SPDX-License-Identifier: Apache-2.0
#include "ingest/ingest.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"

namespace freshline::ingest {
namespace {

using ::freshline::test::IsOk;
using ::freshline::test::StatusIs;
using registry::Scalar;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
constexpr int64_t kSecond = 1'000'000;
constexpr uint64_t kWindow = SequenceWindow::kSize;

std::shared_ptr<const registry::Revision> Definitions() {
  registry::Revision::Contents c;
  c.entities = {{"user", {{"user_id", Scalar::kInt64}}}};
  c.sources.resize(2);
  c.sources[0].name = "clicks";
  c.sources[0].columns = {{"item", Scalar::kInt64},
                          {"price", Scalar::kFloat64},
                          {"brand", Scalar::kString},
                          {"sold", Scalar::kBool},
                          {"at", Scalar::kTimestamp}};
  c.sources[1].name = "carts";
  for (registry::Source& source : c.sources) {
    source.retention = std::chrono::hours(1);
    source.allowed_lateness = std::chrono::minutes(10);
    source.events_max = 100'000;
  }
  return std::make_shared<registry::Revision>(std::move(c));
}

// A batch of `clicks` that owns its memory; what is not set is not sent.
struct Batch {
  std::string source = "clicks";
  std::vector<int64_t> users{};
  std::vector<int64_t> times{};
  std::string producer{};
  std::vector<uint64_t> sequences{};
  std::vector<ColumnInput> more{};

  DecodedBatch Decoded() {
    columns = {
        {"user_id", Scalar::kInt64, std::span<const int64_t>(users), {}}};
    columns.insert(columns.end(), more.begin(), more.end());
    return {source, columns, times, producer, sequences};
  }
  std::vector<ColumnInput> columns{};
};

class Recorder final : public ChangeListener {
 public:
  void OnEvents(std::span<const Change> changes) override {
    ++calls;
    all.insert(all.end(), changes.begin(), changes.end());
  }
  int calls = 0;
  std::vector<Change> all;
};

class IngestTest : public testing::Test {
 protected:
  IngestTest() { Make({}, {}); }

  void Make(EventIngest::Options options, table::TableOptions table_options) {
    table_ = std::make_unique<table::Table>(revision_, table_options);
    ingest_ = std::make_unique<EventIngest>(revision_, table_.get(), &clock_,
                                            options, &recorder_);
  }
  int64_t Now() const { return clock_.WallNowMicros(); }

  absl::Status Error(Batch batch) {
    const DecodedBatch decoded[] = {batch.Decoded()};
    return ingest_->Prepare(decoded, "events").status();
  }
  std::vector<EventResult> Push(Batch batch) {
    const DecodedBatch decoded[] = {batch.Decoded()};
    const auto prepared = ingest_->Prepare(decoded, "events");
    EXPECT_THAT(prepared, IsOk());
    return prepared.ok() ? ingest_->Apply(*prepared)
                         : std::vector<EventResult>();
  }
  EventStatus PushOne(int64_t user, int64_t time, uint64_t sequence,
                      const std::string& producer = "p") {
    return Push({.users = {user},
                 .times = {time},
                 .producer = producer,
                 .sequences = {sequence}})[0]
        .status;
  }
  // Calls visit with the click events of a user; false where there are none.
  template <typename Visit>
  bool Clicks(int64_t user, Visit visit) {
    registry::EntityKeyBuilder key;
    key.AddInt64(user);
    return table_->Read(0, key.bytes(), [&](const table::KeyView& view) {
      visit(view.events(0));
    });
  }
  size_t CountClicks(int64_t user) {
    size_t n = 0;
    Clicks(user, [&](const table::EventView& events) { n = events.size; });
    return n;
  }

  test::FakeClock clock_;
  const std::shared_ptr<const registry::Revision> revision_ = Definitions();
  Recorder recorder_;
  std::unique_ptr<table::Table> table_;
  std::unique_ptr<EventIngest> ingest_;
};

TEST_F(IngestTest, AppliesEveryCell) {
  const int64_t items[] = {4, 0, 6};
  const uint32_t null_items[] = {1};
  const double prices[] = {1.5, std::nan(""), -2};
  const absl::string_view brands[] = {"acme", "", "zeta"};
  const bool sold[] = {true, false, true};
  const int64_t at[] = {10, 20, 30};
  Batch batch{.users = {7, 7, 7}, .times = {Now(), Now() + 1, Now() + 2}};
  batch.more = {
      {"item", Scalar::kInt64, std::span<const int64_t>(items), null_items},
      {"at", Scalar::kTimestamp, std::span<const int64_t>(at), {}},
      {"price", Scalar::kFloat64, std::span<const double>(prices), {}},
      {"brand",
       Scalar::kString,
       std::span<const absl::string_view>(brands),
       {}},
      {"sold", Scalar::kBool, std::span<const bool>(sold), {}}};
  const auto results = Push(batch);
  ASSERT_EQ(results.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(results[i].status, EventStatus::kAccepted);
    EXPECT_EQ(results[i].sequence, i + 1);
  }
  EXPECT_TRUE(Clicks(7, [&](const table::EventView& events) {
    ASSERT_EQ(events.size, 3u);
    const auto& columns = events.columns;
    EXPECT_EQ(columns[0].ints[0], 4);
    EXPECT_TRUE(columns[0].is_null(1));
    EXPECT_EQ(columns[0].ints[2], 6);
    EXPECT_EQ(columns[1].doubles[0], 1.5);
    EXPECT_TRUE(columns[1].is_null(1)) << "NaN becomes NULL";
    EXPECT_EQ(columns[2].strings[2], "zeta");
    EXPECT_FALSE(columns[2].is_null(1)) << "an empty string is no NULL";
    EXPECT_EQ(columns[3].ints[0], 1);
    EXPECT_EQ(columns[3].ints[1], 0);
    EXPECT_EQ(columns[4].ints[2], 30);
  }));
  EXPECT_EQ(ingest_->ack_level(), AckLevel::kMemory);
}

TEST_F(IngestTest, ColumnsThatAreAbsentAreNull) {
  Push({.users = {7}, .times = {Now()}});
  EXPECT_TRUE(Clicks(7, [](const table::EventView& events) {
    for (const auto& column : events.columns) EXPECT_TRUE(column.is_null(0));
  }));
}

TEST_F(IngestTest, TellsTheListenerOncePerRequest) {
  Batch a{.users = {1, 2}, .times = {Now(), Now() + 400 * kSecond}};
  Batch b{.source = "carts", .users = {1}, .times = {Now()}};
  const DecodedBatch decoded[] = {a.Decoded(), b.Decoded()};
  const auto prepared = ingest_->Prepare(decoded, "events");
  ASSERT_THAT(prepared, IsOk());
  EXPECT_EQ(prepared->batches(), 2u);
  EXPECT_EQ(prepared->begin(0), 0u);
  EXPECT_EQ(prepared->begin(1), 2u);
  EXPECT_EQ(prepared->begin(2), 3u);
  EXPECT_EQ(recorder_.calls, 0);
  const auto results = ingest_->Apply(*prepared);
  EXPECT_EQ(results[1].status, EventStatus::kFuture);
  EXPECT_EQ(recorder_.calls, 1);
  ASSERT_EQ(recorder_.all.size(), 2u);
  EXPECT_EQ(recorder_.all[0].source, 0u);
  EXPECT_EQ(recorder_.all[1].source, 1u);
  EXPECT_EQ(recorder_.all[0].key, recorder_.all[1].key);
  EXPECT_EQ(recorder_.all[0].sequence, 1u);
  EXPECT_EQ(recorder_.all[1].sequence, 2u);
}

TEST_F(IngestTest, AnErrorInOneBatchAppliesNone) {
  Batch good{.users = {1}, .times = {Now()}};
  Batch bad{.source = "klicks", .users = {1}, .times = {Now()}};
  const DecodedBatch decoded[] = {good.Decoded(), bad.Decoded()};
  EXPECT_THAT(ingest_->Prepare(decoded, "batches"),
              StatusIs(absl::StatusCode::kNotFound,
                       AllOf(HasSubstr("batches[1].source"),
                             HasSubstr("\"klicks\""), HasSubstr("clicks"))));
  EXPECT_EQ(table_->Stats().events, 0u);
  EXPECT_EQ(ingest_->Counters().requests_refused, 1u);
  EXPECT_EQ(ingest_->Counters().accepted, 0u);
}

TEST_F(IngestTest, AnEmptyRequestIsFine) {
  EXPECT_TRUE(Push({}).empty());
  const auto none = ingest_->Prepare({}, "events");
  ASSERT_THAT(none, IsOk());
  EXPECT_TRUE(ingest_->Apply(*none).empty());
  EXPECT_EQ(recorder_.calls, 0);
}

TEST_F(IngestTest, RefusesColumnsThatTheSourceDoesNotHave) {
  const int64_t values[] = {1};
  const std::span<const int64_t> ints(values);
  Batch batch{.users = {1}, .times = {Now()}};
  batch.more = {{"itme", Scalar::kInt64, ints, {}}};
  EXPECT_THAT(Error(batch),
              StatusIs(kInvalid, AllOf(HasSubstr("events[0]"),
                                       HasSubstr("no column \"itme\""),
                                       HasSubstr("item"))));
  batch.more = {{"item", Scalar::kInt64, ints, {}},
                {"item", Scalar::kInt64, ints, {}}};
  EXPECT_THAT(Error(batch), StatusIs(kInvalid, HasSubstr("given twice")));
}

TEST_F(IngestTest, RefusesWrongTypesAndSizes) {
  const int64_t one[] = {1};
  const int64_t two[] = {1, 2};
  Batch batch{.users = {1}, .times = {Now()}};
  batch.more = {{"price", Scalar::kInt64, std::span<const int64_t>(one), {}}};
  EXPECT_THAT(Error(batch),
              StatusIs(kInvalid, AllOf(HasSubstr("\"price\" has INT64 values"),
                                       HasSubstr("declared FLOAT64"))));
  batch.more = {{"item", Scalar::kInt64, std::span<const int64_t>(two), {}}};
  EXPECT_THAT(Error(batch),
              StatusIs(kInvalid, HasSubstr("2 values for 1 rows")));
  EXPECT_THAT(Error({.times = {Now()}}),
              StatusIs(kInvalid, HasSubstr("0 values for 1 rows")));
}

TEST_F(IngestTest, RefusesInfiniteNumbersUnlessNull) {
  const double prices[] = {1, -std::numeric_limits<double>::infinity()};
  const uint32_t null_rows[] = {1};
  Batch batch{.users = {1, 1}, .times = {Now(), Now()}};
  batch.more = {
      {"price", Scalar::kFloat64, std::span<const double>(prices), {}}};
  EXPECT_THAT(Error(batch), StatusIs(kInvalid, HasSubstr("\"price\", row 1")));
  batch.more[0].null_rows = null_rows;
  EXPECT_THAT(Error(batch), IsOk());
}

TEST_F(IngestTest, RefusesOverlongStrings) {
  const std::string longest(size_t{64} << 10, 'x');
  const std::string too_long = longest + "x";
  const absl::string_view fits[] = {longest};
  const absl::string_view beyond[] = {too_long};
  Batch batch{.users = {1}, .times = {Now()}};
  batch.more = {
      {"brand", Scalar::kString, std::span<const absl::string_view>(fits), {}}};
  EXPECT_THAT(Error(batch), IsOk());
  batch.more[0].values = std::span<const absl::string_view>(beyond);
  EXPECT_THAT(Error(batch), StatusIs(kInvalid, HasSubstr("65537 bytes")));
}

TEST_F(IngestTest, RefusesTimesThatAreNoUnixMicroseconds) {
  for (int64_t bad : {int64_t{0}, int64_t{-5}, Now() / 1'000'000, Now() / 1000,
                      Now() * 1000, std::numeric_limits<int64_t>::min(),
                      std::numeric_limits<int64_t>::max()}) {
    EXPECT_THAT(Error({.users = {1, 1}, .times = {Now(), bad}}),
                StatusIs(kInvalid, AllOf(HasSubstr("event_time_us[1] is"),
                                         HasSubstr("Unix microseconds"))))
        << bad;
  }
}

TEST_F(IngestTest, WantsProducerAndSequencesTogether) {
  EXPECT_THAT(Error({.users = {1}, .times = {Now()}, .sequences = {1}}),
              StatusIs(kInvalid, HasSubstr("without producer_id")));
  EXPECT_THAT(Error({.users = {1}, .times = {Now()}, .producer = "p"}),
              StatusIs(kInvalid, HasSubstr("0 values for 1 events")));
  EXPECT_THAT(Error({.users = {1},
                     .times = {Now()},
                     .producer = std::string(129, 'p'),
                     .sequences = {1}}),
              StatusIs(kInvalid, HasSubstr("129 bytes")));
}

TEST_F(IngestTest, AppliesADuplicateOnce) {
  EXPECT_EQ(PushOne(1, Now(), 5), EventStatus::kAccepted);
  EXPECT_EQ(PushOne(1, Now(), 5), EventStatus::kDuplicate);
  EXPECT_EQ(PushOne(1, Now(), 5, "other"), EventStatus::kAccepted);
  EXPECT_EQ(PushOne(1, Now(), 4), EventStatus::kAccepted);  // out of order
  EXPECT_EQ(CountClicks(1), 3u);
  const auto results = Push({.users = {1, 1},
                             .times = {Now(), Now()},
                             .producer = "p",
                             .sequences = {9, 9}});
  EXPECT_EQ(results[0].status, EventStatus::kAccepted);
  EXPECT_EQ(results[1].status, EventStatus::kDuplicate);
  EXPECT_EQ(results[1].sequence, 0u);
  EXPECT_EQ(ingest_->Counters().duplicate, 2u);
}

TEST_F(IngestTest, WithoutAProducerNothingIsADuplicate) {
  for (int i = 0; i < 3; ++i) Push({.users = {1}, .times = {Now()}});
  EXPECT_EQ(CountClicks(1), 3u);
}

TEST_F(IngestTest, ASequenceOlderThanTheWindowIsLate) {
  EXPECT_EQ(PushOne(1, Now(), kWindow + 10), EventStatus::kAccepted);
  EXPECT_EQ(PushOne(1, Now(), 10), EventStatus::kLate);
  EXPECT_EQ(PushOne(1, Now(), 11), EventStatus::kAccepted);
  EXPECT_EQ(ingest_->Counters().late, 1u);
  EXPECT_EQ(ingest_->Counters().outside_window, 1u);
}

TEST_F(IngestTest, AFutureEventIsNotStoredAndMayComeAgain) {
  const int64_t limit = Now() + 300 * kSecond;
  EXPECT_EQ(PushOne(1, limit, 1), EventStatus::kAccepted);
  EXPECT_EQ(PushOne(1, limit + 1, 2), EventStatus::kFuture);
  EXPECT_EQ(CountClicks(1), 1u);
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(PushOne(1, limit + 1, 2), EventStatus::kAccepted);
  EXPECT_EQ(ingest_->Counters().future, 1u);
}

TEST_F(IngestTest, ALateEventIsRefusedAlone) {
  const auto results =
      Push({.users = {1, 1, 1},
            .times = {Now(), Now() - 601 * kSecond, Now() - 599 * kSecond}});
  EXPECT_EQ(results[0].status, EventStatus::kAccepted);
  EXPECT_EQ(results[1].status, EventStatus::kLate);
  EXPECT_EQ(results[1].sequence, 0u);
  EXPECT_EQ(results[2].status, EventStatus::kAccepted);
  EXPECT_EQ(results[2].sequence, 2u);
}

TEST_F(IngestTest, AnExhaustedEventMayComeAgain) {
  Make({}, {.keys_max = 1});
  EXPECT_EQ(PushOne(1, Now(), 1), EventStatus::kAccepted);
  EXPECT_EQ(PushOne(2, Now(), 2), EventStatus::kExhausted);
  EXPECT_EQ(ingest_->Counters().exhausted, 1u);
  clock_.Advance(std::chrono::hours(2));
  EXPECT_EQ(table_->Sweep(100, Now()), 1u);
  EXPECT_EQ(PushOne(2, Now(), 2), EventStatus::kAccepted);
}

TEST_F(IngestTest, RemembersABoundedNumberOfProducers) {
  Make({.producers_max = 2}, {});
  PushOne(1, Now(), 1, "a");
  PushOne(1, Now(), 1, "b");
  PushOne(1, Now(), 1, "c");
  EXPECT_EQ(ingest_->Counters().producers_evicted, 1u);
  EXPECT_EQ(PushOne(1, Now(), 1, "c"), EventStatus::kDuplicate);
  EXPECT_EQ(PushOne(1, Now(), 1, "a"), EventStatus::kAccepted);
}

TEST_F(IngestTest, CellsStayWithTheirRowsWhenOthersAreLeftOut) {
  // Rows 0, 2, 4, ... are duplicates; every third item is NULL.
  constexpr size_t kRows = 200;
  Batch first{.producer = "p"};
  Batch all{.producer = "p"};
  std::vector<int64_t> items;
  std::vector<uint32_t> null_rows;
  for (uint32_t i = 0; i < kRows; ++i) {
    all.users.push_back(2);
    all.times.push_back(Now() + i);
    all.sequences.push_back(i);
    items.push_back(i);
    if (i % 3 == 0) null_rows.push_back(i);
    if (i % 2 != 0) continue;
    first.users.push_back(1);
    first.times.push_back(Now());
    first.sequences.push_back(i);
  }
  all.more = {
      {"item", Scalar::kInt64, std::span<const int64_t>(items), null_rows}};
  Push(first);
  Push(all);
  EXPECT_TRUE(Clicks(2, [&](const table::EventView& events) {
    ASSERT_EQ(events.size, kRows / 2);
    for (size_t i = 0; i < events.size; ++i) {
      const auto row = static_cast<int64_t>(2 * i + 1);
      EXPECT_EQ(events.event_time_us[i], Now() + row);
      EXPECT_EQ(events.columns[0].is_null(i), row % 3 == 0);
      EXPECT_EQ(events.columns[0].ints[i], row % 3 == 0 ? 0 : row);
    }
  }));
}

TEST_F(IngestTest, TwoDeliveriesAtOnceApplyOnce) {
  constexpr uint64_t kEvents = 2000;
  ingest_ = std::make_unique<EventIngest>(revision_, table_.get(), &clock_,
                                          EventIngest::Options{}, nullptr);
  const auto deliver = [&](uint64_t per_request) {
    for (uint64_t s = 0; s < kEvents; s += per_request) {
      Batch batch{.producer = "p"};
      for (uint64_t i = s; i < s + per_request; ++i) {
        batch.users.push_back(static_cast<int64_t>(i % 7));
        batch.times.push_back(Now());
        batch.sequences.push_back(i);
      }
      const DecodedBatch decoded[] = {batch.Decoded()};
      const auto prepared = ingest_->Prepare(decoded, "events");
      ASSERT_THAT(prepared, IsOk());
      ingest_->Apply(*prepared);
    }
  };
  std::thread one([&] { deliver(50); });
  std::thread two([&] { deliver(20); });
  std::thread three([&] { deliver(1); });
  one.join();
  two.join();
  three.join();
  const IngestCounters counters = ingest_->Counters();
  EXPECT_EQ(counters.accepted, kEvents);
  EXPECT_EQ(counters.duplicate, 2 * kEvents);
  EXPECT_EQ(table_->Stats().events, kEvents);
  EXPECT_EQ(table_->newest_sequence(), kEvents);
}

}  // namespace
}  // namespace freshline::ingest
