// SPDX-License-Identifier: Apache-2.0
// Reads, appends and commits of the table, and the aggregates on top of it.
// "hot": few keys; "cold": keys far beyond the caches.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "featurize/aggregate/aggregate.h"
#include "registry/entity_key.h"
#include "registry/revision.h"
#include "table/table.h"

namespace freshline::table {
namespace {

using registry::Scalar;

constexpr base::UnixMicros kNow = 1'704'067'200'000'000;
constexpr int64_t kHotKeys = 64;
constexpr int64_t kColdKeys = 500'000;
constexpr base::GroupId kGroup{0};

registry::Source ClickSource() {
  registry::Source source;
  source.name = "clicks";
  source.columns = {{"item", Scalar::kInt64},
                    {"price", Scalar::kFloat64},
                    {"brand", Scalar::kString},
                    {"type", Scalar::kString}};
  source.retention = std::chrono::hours(1);
  source.allowed_lateness = std::chrono::hours(1);
  source.events_max = 2000;
  return source;
}

std::shared_ptr<const registry::Revision> Definitions() {
  registry::Revision::Contents c;
  c.entities = {{"user", {{"user_id", Scalar::kInt64}}}};
  c.sources = {ClickSource()};
  for (uint32_t g = 0; g < 2; ++g) {
    registry::FeatureGroup group;
    group.name = "group" + std::to_string(g);
    group.id = base::GroupId{g};
    c.groups.push_back(std::move(group));
  }
  return std::make_shared<registry::Revision>(std::move(c));
}

Table::Appended Click(Table* table, int64_t user, base::UnixMicros time_us) {
  registry::EntityKeyBuilder key;
  key.AddInt64(user);
  const Cell cells[] = {user, 9.5, absl::string_view("acme"),
                        absl::string_view("view")};
  return table->Append(0, key.bytes(), {time_us, cells}, kNow);
}

// A table with `keys` keys of `events` events and one row of 256 bytes each.
struct Filled {
  Filled(int64_t keys, int events) : table(Definitions(), {}) {
    const std::vector<std::byte> row(256);
    for (int64_t user = 0; user < keys; ++user) {
      Table::Appended last;
      for (int i = 0; i < events; ++i) {
        last = Click(&table, user, kNow - 1000 + i);
      }
      table.Commit({last.key, kGroup}, {row, {last.sequence, kNow}, kNow});
      ids.push_back(last.key);
    }
  }
  Table table;
  std::vector<base::KeyId> ids;
};

void Look(const KeyView& view) {
  benchmark::DoNotOptimize(view.row(kGroup).bytes.data());
  benchmark::DoNotOptimize(view.signals(kGroup).pending);
  benchmark::DoNotOptimize(view.events(0).size);
}

void BM_ReadByKey(benchmark::State& state) {
  const Filled filled(state.range(0), 4);
  base::Rng rng(1);
  registry::EntityKeyBuilder key;
  for (auto _ : state) {
    key.Clear();
    key.AddInt64(
        static_cast<int64_t>(rng.Below(static_cast<uint64_t>(state.range(0)))));
    benchmark::DoNotOptimize(filled.table.Read(0, key.bytes(), Look));
  }
}
BENCHMARK(BM_ReadByKey)->ArgName("keys")->Arg(kHotKeys)->Arg(kColdKeys);

void BM_ReadById(benchmark::State& state) {
  const Filled filled(state.range(0), 4);
  base::Rng rng(1);
  for (auto _ : state) {
    const base::KeyId id = filled.ids[rng.Below(filled.ids.size())];
    benchmark::DoNotOptimize(filled.table.Read(id, Look));
  }
}
BENCHMARK(BM_ReadById)->ArgName("keys")->Arg(kHotKeys)->Arg(kColdKeys);

void BM_AppendInOrder(benchmark::State& state) {
  Filled filled(state.range(0), 4);
  base::Rng rng(1);
  base::UnixMicros time = kNow;
  for (auto _ : state) {
    const auto user =
        static_cast<int64_t>(rng.Below(static_cast<uint64_t>(state.range(0))));
    benchmark::DoNotOptimize(Click(&filled.table, user, ++time));
  }
}
BENCHMARK(BM_AppendInOrder)->ArgName("keys")->Arg(kHotKeys)->Arg(kColdKeys);

// Into buffers at their cap of 1,000 events, up to 100 ms out of order.
void BM_AppendLate(benchmark::State& state) {
  Filled filled(kHotKeys, 1000);
  base::Rng rng(1);
  base::UnixMicros time = kNow;
  for (auto _ : state) {
    const auto user = static_cast<int64_t>(rng.Below(kHotKeys));
    ++time;
    benchmark::DoNotOptimize(
        Click(&filled.table, user,
              time - static_cast<base::UnixMicros>(rng.Below(100) * 64)));
  }
}
BENCHMARK(BM_AppendLate);

void BM_Commit(benchmark::State& state) {
  Filled filled(kHotKeys, static_cast<int>(state.range(0)));
  const std::vector<std::byte> row(256);
  base::Seq sequence = filled.table.newest_sequence();
  size_t next = 0;
  for (auto _ : state) {
    const base::KeyId id = filled.ids[next++ % filled.ids.size()];
    benchmark::DoNotOptimize(
        filled.table.Commit({id, kGroup}, {row, {++sequence, kNow}, kNow}));
  }
}
BENCHMARK(BM_Commit)->ArgName("events")->Arg(4)->Arg(1000);

// Keys visited per second, none of which has expired.
void BM_Sweep(benchmark::State& state) {
  Filled filled(100'000, 4);
  for (auto _ : state) {
    benchmark::DoNotOptimize(filled.table.Sweep(32, kNow));
  }
  state.SetItemsProcessed(state.iterations() * 32);
}
BENCHMARK(BM_Sweep);

// COUNT, SUM and MAX over all events, a filtered MEAN, LAST: read and compute.
void BM_Aggregates(benchmark::State& state) {
  using registry::Aggregate;
  const Filled filled(kHotKeys, static_cast<int>(state.range(0)));
  registry::FeatureGroup group;
  std::vector<registry::ValueType> types;
  const auto add = [&](Aggregate::Fn fn, uint32_t column, Scalar type) {
    registry::Feature feature;
    feature.aggregate.emplace();
    feature.aggregate->fn = fn;
    feature.aggregate->column = column;
    feature.aggregate->over = std::chrono::minutes(30);
    types.push_back(registry::ValueType::Of(type));
    group.features.push_back(feature);
  };
  add(Aggregate::Fn::kCount, 0, Scalar::kInt64);
  add(Aggregate::Fn::kSum, 1, Scalar::kFloat64);
  add(Aggregate::Fn::kMax, 1, Scalar::kFloat64);
  add(Aggregate::Fn::kLast, 0, Scalar::kInt64);
  add(Aggregate::Fn::kMean, 1, Scalar::kFloat64);
  group.features.back().aggregate->filters = {
      {3, registry::Filter::Op::kEq, {std::string("view")}}};
  group.layout = registry::RowLayout(types);
  const featurize::AggregateFunction function(group, ClickSource());
  const auto scratch = function.MakeScratch();
  registry::RowBytes row;
  registry::RowBytes* const outputs[] = {&row};
  size_t next = 0;
  for (auto _ : state) {
    filled.table.Read(
        filled.ids[next++ % filled.ids.size()], [&](const KeyView& view) {
          const featurize::Input input{view.events(0),
                                       view.window_time_us(0, kNow)};
          benchmark::DoNotOptimize(
              function.Compute({&input, 1}, outputs, scratch.get()).ok());
        });
  }
}
BENCHMARK(BM_Aggregates)
    ->ArgName("events")
    ->Arg(10)
    ->Arg(100)
    ->Arg(1000)
    ->Arg(2000);

}  // namespace
}  // namespace freshline::table
