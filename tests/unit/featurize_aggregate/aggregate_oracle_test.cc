// SPDX-License-Identifier: Apache-2.0
// Random groups over random events against what the SQL text of the aggregate
// means, written the slow way:
//   SELECT fn(column) FROM (SELECT * FROM events WHERE filters AND time in
//   (t - over, t] ORDER BY time DESC, sequence DESC LIMIT last_events)

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/random.h"
#include "tests/unit/featurize_aggregate/aggregate_fixture.h"

namespace freshline::featurize {
namespace {

using Fn = Aggregate::Fn;
using Value = std::variant<std::monostate, int64_t, double, std::string>;

Value CellOf(const Row& row, uint32_t column) {
  const auto of = [](const auto& v) -> Value {
    if (!v) return {};
    return *v;
  };
  switch (column) {
    case kItem:
      return of(row.item);
    case kPrice:
      return of(row.price);
    case kBrand:
      return of(row.brand);
    case kSold:
      return row.sold ? Value(int64_t{*row.sold}) : Value();
    default:
      return of(row.at);
  }
}

bool Holds(const Filter& filter, const Row& row) {
  const Value cell = CellOf(row, filter.column);
  if (cell.index() == 0) return false;
  Value operand;
  std::visit([&](const auto& v) { operand = v; }, filter.value.value);
  if (std::holds_alternative<double>(cell) &&
      std::holds_alternative<int64_t>(operand)) {
    operand = static_cast<double>(std::get<int64_t>(operand));
  }
  switch (filter.op) {
    case Filter::Op::kEq:
      return cell == operand;
    case Filter::Op::kNe:
      return cell != operand;
    case Filter::Op::kLt:
      return cell < operand;
    case Filter::Op::kLe:
      return cell <= operand;
    case Filter::Op::kGt:
      return cell > operand;
    case Filter::Op::kGe:
      return cell >= operand;
  }
  return false;
}

// The non-NULL cells that the aggregate sees, newest first; `*events` counts
// the events, `*complete` whether dropped ones could not have been among them.
std::vector<Value> Seen(const Aggregate& a, const std::vector<Row>& rows,
                        base::UnixMicros dropped_to_us, int64_t* events,
                        bool* complete) {
  const int64_t over_us = a.over.count() / 1000;
  std::vector<Value> seen;
  *events = 0;
  *complete =
      dropped_to_us == 0 || (over_us > 0 && dropped_to_us <= kT - over_us);
  for (size_t i = rows.size(); i-- > 0;) {
    const Row& row = rows[i];
    if (over_us > 0 && row.time_us <= kT - over_us) continue;
    if (!std::all_of(a.filters.begin(), a.filters.end(),
                     [&](const Filter& f) { return Holds(f, row); })) {
      continue;
    }
    ++*events;
    if (a.column) {
      const Value cell = CellOf(row, *a.column);
      if (cell.index() != 0) seen.push_back(cell);
    }
    if (a.last_events > 0 && *events == a.last_events) {
      *complete = true;
      break;
    }
  }
  return seen;
}

double Number(const Value& v) {
  return std::holds_alternative<double>(v)
             ? std::get<double>(v)
             : static_cast<double>(std::get<int64_t>(v));
}

class Oracle {
 public:
  explicit Oracle(uint64_t seed) : rng_(seed) {}

  void Run() {
    const std::vector<Row> rows = AnyRows();
    std::vector<Aggregate> aggregates(1 + rng_.Below(8));
    for (Aggregate& a : aggregates) a = AnyAggregate();
    // Windows are shared among features that have the same.
    if (rng_.Chance(0.5)) {
      aggregates.push_back(aggregates[0]);
      aggregates.back().fn = Fn::kCount;
    }
    const Events events(rows);
    table::EventView view = events.View();
    const base::UnixMicros oldest = rows.empty() ? kT : rows[0].time_us;
    const base::UnixMicros dropped =
        rng_.Chance(0.3) ? oldest - static_cast<int64_t>(rng_.Below(5)) : 0;
    view.truncated = dropped != 0;
    view.dropped_to_us = dropped;
    if (rng_.Chance(0.7)) {
      view.retention_us = 100 + static_cast<int64_t>(rng_.Below(60));
    }
    const Computed computed(aggregates, {view, kT});
    ASSERT_TRUE(computed.ok());
    CheckHolds(aggregates, rows, view, computed);
    for (size_t i = 0; i < aggregates.size(); ++i) {
      SCOPED_TRACE(testing::Message() << "feature " << i << " fn "
                                      << static_cast<int>(aggregates[i].fn));
      Check(aggregates[i], rows, dropped, computed.row(), i);
    }
  }

 private:
  // Until then, and no event later, time changes nothing.
  void CheckHolds(const std::vector<Aggregate>& aggregates,
                  const std::vector<Row>& rows, const table::EventView& view,
                  const Computed& at_t) {
    const base::UnixMicros until = at_t.holds_until_us();
    ASSERT_GT(until, kT);
    for (int i = 0; i < 5; ++i) {
      const base::UnixMicros last = std::min<base::UnixMicros>(until, kT + 200);
      const base::UnixMicros t =
          i == 0 ? last - 1
                 : kT + static_cast<base::UnixMicros>(
                            rng_.Below(static_cast<uint64_t>(last - kT)));
      const auto ended = [&](base::UnixMicros time_us) {
        return view.EndOf(time_us) <= t;
      };
      std::vector<Row> kept = rows;
      std::erase_if(kept, [&](const Row& row) { return ended(row.time_us); });
      const Events events(kept);
      table::EventView at = events.View();
      at.truncated = view.truncated && !ended(view.dropped_to_us);
      at.dropped_to_us = at.truncated ? view.dropped_to_us : 0;
      ASSERT_EQ(Computed(aggregates, {at, t}).bytes(), at_t.bytes())
          << "at " << t - kT << ", which holds until " << until - kT;
    }
  }

  std::vector<Row> AnyRows() {
    std::vector<Row> rows(rng_.Below(40));
    const double null_share = rng_.Chance(0.5) ? 0 : 0.4;
    base::UnixMicros time = kT - 60;
    for (Row& row : rows) {
      time += static_cast<int64_t>(rng_.Below(4));
      row.time_us = time;
      const auto filled = [&] { return !rng_.Chance(null_share); };
      if (filled()) row.item = static_cast<int64_t>(rng_.Below(5)) - 2;
      if (filled()) row.price = static_cast<double>(rng_.Below(9)) / 4 - 1;
      if (filled()) row.brand = std::string(rng_.Below(3), 'b');
      if (filled()) row.sold = rng_.Chance(0.5);
      if (filled()) row.at = static_cast<int64_t>(rng_.Below(9));
    }
    return rows;
  }

  Aggregate AnyAggregate() {
    Aggregate a;
    a.fn = static_cast<Fn>(rng_.Below(7));
    const bool number = a.fn == Fn::kSum || a.fn == Fn::kMean;
    const bool ordered = a.fn == Fn::kMin || a.fn == Fn::kMax;
    if (number) {
      a.column = static_cast<uint32_t>(rng_.Below(2));
    } else if (ordered) {
      const uint32_t columns[] = {kItem, kPrice, kAt};
      a.column = columns[rng_.Below(3)];
    } else if (a.fn != Fn::kCount || rng_.Chance(0.7)) {
      a.column = static_cast<uint32_t>(rng_.Below(5));
    }
    a.over = std::chrono::microseconds(rng_.Chance(0.6) ? rng_.Below(90) : 0);
    a.last_events =
        static_cast<uint32_t>(rng_.Chance(0.5) ? rng_.Below(12) : 0);
    a.n = static_cast<uint32_t>(1 + rng_.Below(6));
    while (rng_.Chance(0.4)) a.filters.push_back(AnyFilter());
    return a;
  }

  Filter AnyFilter() {
    Filter f;
    f.column = static_cast<uint32_t>(rng_.Below(5));
    f.op = static_cast<Filter::Op>(rng_.Below(6));
    if (f.column == kBrand) {
      f.value.value = std::string(rng_.Below(3), 'b');
    } else if (f.column == kPrice && rng_.Chance(0.5)) {
      f.value.value = static_cast<double>(rng_.Below(9)) / 4 - 1;
    } else {
      f.value.value = static_cast<int64_t>(rng_.Below(4)) - 1;
    }
    return f;
  }

  static void Check(const Aggregate& a, const std::vector<Row>& rows,
                    base::UnixMicros dropped, registry::RowView row, size_t i) {
    int64_t events = 0;
    bool complete = false;
    std::vector<Value> seen = Seen(a, rows, dropped, &events, &complete);
    if (a.fn == Fn::kCount) {
      const int64_t want =
          a.column ? static_cast<int64_t>(seen.size()) : events;
      ASSERT_EQ(row.Int64(i), want);
      ASSERT_EQ(row.status(i),
                complete ? ValueStatus::kPresent : ValueStatus::kTruncated);
      return;
    }
    if (seen.empty()) {
      ASSERT_EQ(row.status(i), ValueStatus::kNull);
      return;
    }
    const size_t wanted = a.fn == Fn::kLastN ? a.n : 1;
    if (a.fn == Fn::kLast || a.fn == Fn::kLastN) {
      complete = complete || seen.size() >= wanted;
      seen.resize(std::min(seen.size(), wanted));
    }
    ASSERT_EQ(row.status(i),
              complete ? ValueStatus::kPresent : ValueStatus::kTruncated);
    const Scalar type = TestSource().columns[*a.column].type;
    if (a.fn == Fn::kLastN) {
      ASSERT_EQ(ListOf(row, i, type), seen);
    } else if (a.fn == Fn::kMean) {
      // Exact: the values are quarters, their sums have few bits.
      double sum = 0;
      for (const Value& v : seen) sum += Number(v);
      ASSERT_EQ(row.Float64(i), sum / static_cast<double>(seen.size()));
    } else {
      ASSERT_EQ(ScalarOf(row, i, type), Fold(a.fn, seen));
    }
  }

  static Value Fold(Fn fn, const std::vector<Value>& seen) {
    switch (fn) {
      case Fn::kMin:
        return *std::min_element(seen.begin(), seen.end());
      case Fn::kMax:
        return *std::max_element(seen.begin(), seen.end());
      case Fn::kSum: {
        double sum = 0;
        for (const Value& v : seen) sum += Number(v);
        if (std::holds_alternative<double>(seen[0])) return sum;
        return static_cast<int64_t>(sum);
      }
      default:
        return seen[0];
    }
  }

  static Value ScalarOf(registry::RowView row, size_t i, Scalar type) {
    if (type == Scalar::kFloat64) return row.Float64(i);
    if (type != Scalar::kString) return row.Int64(i);
    const absl::string_view text = row.String(i);
    return std::string(text.data(), text.size());
  }

  static std::vector<Value> ListOf(registry::RowView row, size_t i,
                                   Scalar type) {
    std::vector<Value> list;
    if (type == Scalar::kFloat64) {
      for (double v : row.Float64List(i)) list.emplace_back(v);
    } else if (type == Scalar::kString) {
      std::vector<absl::string_view> texts;
      row.AppendStringList(i, &texts);
      for (auto t : texts) list.emplace_back(std::string(t.data(), t.size()));
    } else {
      for (int64_t v : row.Int64List(i)) list.emplace_back(v);
    }
    return list;
  }

  base::Rng rng_;
};

TEST(AggregateOracleTest, AgreesWithTheMeaningOfTheSql) {
  for (uint64_t seed = 1; seed <= 20000; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Oracle(seed).Run();
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace freshline::featurize
