// SPDX-License-Identifier: Apache-2.0
#include "bench/bound/fresh_value.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>
#include <vector>

#include "base/random.h"

namespace freshline::bench {
namespace {

using base::Duration;

BoundEvent Event(uint32_t row, int at, int run) {
  return {row, Duration(at), Duration(run), Duration(run)};
}

// The best that workers can do which start single rows or pairs of rows at
// whole moments and finish what they start: every choice is tried.
class ExactOptimum {
 public:
  ExactOptimum(const BoundInstance& instance, bool pairs)
      : instance_(instance), pairs_(pairs) {
    for (const BoundQuery& q : instance.queries) {
      end_ = std::max(end_, q.deadline.count());
    }
    for (const BoundEvent& e : instance.events) {
      rows_ = std::max(rows_, e.row + 1);
    }
  }

  double Value() { return Best(0, Free(instance_.workers, 0), 0); }

  // Of a pair whose rows alone take so long.
  static int64_t PairTime(int64_t a, int64_t b) {
    return (3 * (a + b) + 3) / 4;
  }

 private:
  using Free = std::vector<int64_t>;  // when each worker is, ascending

  int64_t RunAt(uint32_t row, int64_t now) const {
    int64_t run = 0;
    for (const BoundEvent& e : instance_.events) {
      if (e.row == row && e.at.count() <= now) run = e.run.count();
    }
    return run;
  }
  uint32_t Served(uint32_t row, int64_t begin, int64_t end) const {
    uint32_t served = 0;
    for (size_t i = 0; i < instance_.queries.size(); ++i) {
      const BoundQuery& q = instance_.queries[i];
      const BoundEvent& e = instance_.events[q.event];
      if (e.row == row && e.at.count() <= begin && q.deadline.count() >= end) {
        served |= 1U << i;
      }
    }
    return served;
  }
  double ValueOf(uint32_t served) const {
    double value = 0;
    for (size_t i = 0; i < instance_.queries.size(); ++i) {
      if ((served >> i & 1) != 0) value += instance_.queries[i].value;
    }
    return value;
  }

  double Best(int64_t now, const Free& free, uint32_t served) {
    if (now >= end_) return ValueOf(served);
    const auto key = std::pair(std::pair(now, free), served);
    if (const auto it = known_.find(key); it != known_.end()) return it->second;
    double best = Best(now + 1, free, served);
    const auto start = [&](int64_t time, uint32_t row, uint32_t other) {
      const uint32_t all = served | Served(row, now, now + time) |
                           Served(other, now, now + time);
      if (all == served) return;
      Free then = free;
      then.front() = now + time;
      std::sort(then.begin(), then.end());
      best = std::max(best, Best(now, then, all));
    };
    for (uint32_t a = 0; free.front() <= now && a < rows_; ++a) {
      const int64_t alone = RunAt(a, now);
      if (alone == 0) continue;
      start(alone, a, a);
      for (uint32_t b = a + 1; pairs_ && b < rows_; ++b) {
        const int64_t other = RunAt(b, now);
        if (other != 0) start(PairTime(alone, other), a, b);
      }
    }
    return known_[key] = best;
  }

  const BoundInstance& instance_;
  const bool pairs_;
  int64_t end_ = 0;
  uint32_t rows_ = 0;
  std::map<std::pair<std::pair<int64_t, Free>, uint32_t>, double> known_;
};

struct Shape {
  uint32_t rows = 4;
  uint32_t queries = 7;
  int span = 10;  // of the events
  int run_max = 4;
  int slo = 6;
  int slo_more = 0;  // some deadlines are so much later
  int gap = 0;
};

// A click with its query each; with a gap, the query wants the newest click
// that came before it.
BoundInstance Draw(uint64_t seed, const Shape& shape) {
  base::Rng rng(seed);
  BoundInstance instance;
  instance.workers = 1 + static_cast<uint32_t>(rng.Below(2));
  const auto below = [&](int n) {
    return static_cast<int>(rng.Below(static_cast<uint64_t>(n)));
  };
  for (uint32_t i = 0; i < shape.queries; ++i) {
    instance.events.push_back(
        Event(static_cast<uint32_t>(rng.Below(shape.rows)), below(shape.span),
              1 + below(shape.run_max)));
  }
  std::sort(instance.events.begin(), instance.events.end(),
            [](const auto& a, const auto& b) { return a.at < b.at; });
  for (uint32_t i = 0; i < shape.queries; ++i) {
    const Duration asked = instance.events[i].at + Duration(shape.gap);
    uint32_t newest = i;
    for (uint32_t k = i; k < shape.queries; ++k) {
      const BoundEvent& e = instance.events[k];
      if (e.row == instance.events[i].row && e.at <= asked) newest = k;
    }
    const int more = rng.Chance(0.5) ? shape.slo_more : 0;
    instance.queries.push_back({newest, asked + Duration(shape.slo + more),
                                static_cast<double>(1 + rng.Below(9))});
  }
  return instance;
}

void ExpectAtLeastTheOptimum(const Shape& shape, bool pairs) {
  double bounds = 0;
  double optima = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    BoundInstance instance = Draw(seed, shape);
    const double optimum = ExactOptimum(instance, pairs).Value();
    if (pairs) {
      const int64_t least =
          std::min_element(
              instance.events.begin(), instance.events.end(),
              [](const auto& a, const auto& b) { return a.run < b.run; })
              ->run.count();
      for (BoundEvent& e : instance.events) {
        const Duration pair(ExactOptimum::PairTime(e.run.count(), least));
        e.work = std::min(e.work, pair / 2);
        e.run = std::min(e.run, pair);
      }
    }
    const double bound = FreshValueBound(instance);
    ASSERT_GE(bound, optimum - 1e-9) << "seed " << seed;
    bounds += bound;
    optima += optimum;
  }
  // Not a bound for being infinite.
  EXPECT_LE(bounds, (pairs ? 2.0 : 1.35) * optima);
}

TEST(FreshValueBoundTest, IsAtLeastTheOptimumOfSeparateRows) {
  ExpectAtLeastTheOptimum({.rows = 50}, false);
}

TEST(FreshValueBoundTest, IsAtLeastTheOptimumOfRepeatedRows) {
  ExpectAtLeastTheOptimum({.rows = 2}, false);
  ExpectAtLeastTheOptimum({.rows = 1, .span = 12, .slo = 9}, false);
}

TEST(FreshValueBoundTest, IsAtLeastTheOptimumWithAGap) {
  ExpectAtLeastTheOptimum({.rows = 3, .slo = 4, .gap = 3}, false);
}

TEST(FreshValueBoundTest, IsAtLeastTheOptimumWithMixedDeadlines) {
  ExpectAtLeastTheOptimum({.rows = 4, .slo = 4, .slo_more = 6}, false);
}

TEST(FreshValueBoundTest, IsAtLeastTheOptimumWithBatches) {
  ExpectAtLeastTheOptimum({.rows = 5, .queries = 6}, true);
  ExpectAtLeastTheOptimum({.rows = 3, .queries = 6, .gap = 2}, true);
}

// Work of length 1 in whole windows: doing parts of it gains nothing.
TEST(FreshValueBoundTest, IsTheOptimumOfUnitWork) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    BoundInstance instance =
        Draw(seed, {.queries = 9, .span = 6, .run_max = 1, .slo = 2});
    for (uint32_t i = 0; i < 9; ++i) instance.events[i].row = i;
    ASSERT_NEAR(FreshValueBound(instance),
                ExactOptimum(instance, false).Value(), 1e-9)
        << "seed " << seed;
  }
}

// Whatever an instance is: the densest first, each as far as no interval has
// more work than time, looked at one by one.
TEST(FreshValueBoundTest, IsTheGreedyOverAllIntervals) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const BoundInstance instance = Draw(seed, {.rows = 1'000'000,
                                               .queries = 60,
                                               .span = 120,
                                               .run_max = 9,
                                               .slo = 12});
    std::vector<size_t> order(instance.queries.size());
    std::iota(order.begin(), order.end(), size_t{0});
    const auto cost = [&](size_t i) {
      return static_cast<double>(instance.events[i].run.count());
    };
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return instance.queries[a].value / cost(a) >
             instance.queries[b].value / cost(b);
    });
    std::vector<double> work(order.size(), 0);
    double value = 0;
    for (const size_t k : order) {
      double room = cost(k);
      for (size_t i = 0; i <= k; ++i) {
        for (size_t j = k; j < order.size(); ++j) {
          const Duration time =
              instance.queries[j].deadline - instance.events[i].at;
          double used = 0;
          for (size_t m = i; m <= j; ++m) used += work[m];
          room = std::min(
              room,
              instance.workers * static_cast<double>(time.count()) - used);
        }
      }
      work[k] = std::max(0.0, room);
      value += instance.queries[k].value * work[k] / cost(k);
    }
    ASSERT_NEAR(FreshValueBound(instance), value, 1e-6) << "seed " << seed;
  }
}

TEST(FreshValueBoundTest, SolvesByHand) {
  // Room for 10 of 12: the cheaper value is done in part.
  BoundInstance two{{Event(1, 0, 6), Event(2, 0, 6)},
                    {{0, Duration(10), 1}, {1, Duration(10), 3}},
                    1};
  EXPECT_DOUBLE_EQ(FreshValueBound(two), 3 + 4.0 / 6);
  two.workers = 2;
  EXPECT_DOUBLE_EQ(FreshValueBound(two), 4);
  // One run for two queries of a row, where both can wait for it.
  const BoundInstance shared{{Event(1, 0, 6), Event(1, 3, 6)},
                             {{0, Duration(9), 1}, {1, Duration(12), 3}},
                             1};
  EXPECT_DOUBLE_EQ(FreshValueBound(shared), 4);
  // A later event may make the row cheaper, and a run at it serves both.
  const BoundInstance later{{Event(1, 0, 20), Event(1, 3, 5)},
                            {{0, Duration(9), 1}, {1, Duration(12), 3}},
                            1};
  EXPECT_DOUBLE_EQ(FreshValueBound(later), 4);
  // No number of workers makes a run shorter.
  const BoundInstance too_long{{Event(1, 0, 6)}, {{0, Duration(5), 1}}, 100};
  EXPECT_EQ(FreshValueBound(too_long), 0);
  // What costs nothing, or is worth nothing, is in nobody's way.
  const BoundInstance trivial{
      {Event(1, 0, 0), Event(2, 0, 5), Event(3, 0, 5)},
      {{0, Duration(0), 2}, {1, Duration(5), 0}, {2, Duration(5), 1}},
      1};
  EXPECT_EQ(FreshValueBound(trivial), 3);
  EXPECT_EQ(FreshValueBound({}), 0);
}

TEST(FreshValueBoundTest, GrowsWithWorkersAndDeadlines) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    const Shape shape{.rows = 300, .queries = 1000, .span = 700, .slo = 20};
    BoundInstance instance = Draw(seed, shape);
    const double value = FreshValueBound(instance);
    double all = 0;
    for (BoundQuery& q : instance.queries) {
      q.deadline += Duration(5);
      all += q.value;
    }
    const double more = FreshValueBound(instance);
    EXPECT_GE(more, value * (1 - 1e-12)) << "seed " << seed;
    instance.workers *= 2;
    EXPECT_GE(FreshValueBound(instance), more * (1 - 1e-12));
    instance.workers = 1000;
    EXPECT_DOUBLE_EQ(FreshValueBound(instance), all);
  }
}

}  // namespace
}  // namespace freshline::bench
