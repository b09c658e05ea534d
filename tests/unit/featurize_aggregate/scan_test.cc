// SPDX-License-Identifier: Apache-2.0
#include "featurize/aggregate/scan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"

namespace freshline::featurize {
namespace {

using Op = registry::Filter::Op;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double DrawDouble(base::Rng* rng) {
  const double sign = rng->Below(2) == 0 ? 1 : -1;
  return sign * std::ldexp(static_cast<double>(rng->Below(1 << 20)) / 3,
                           static_cast<int>(rng->Below(120)) - 60);
}

std::vector<double> DrawDoubles(size_t n, base::Rng* rng) {
  std::vector<double> cells;
  for (size_t i = 0; i < n; ++i) cells.push_back(DrawDouble(rng));
  return cells;
}

// As the header says, cell after cell: every instruction set gives these bits.
FloatScan ScanSlowly(const std::vector<double>& cells) {
  constexpr size_t kLanes = 8;
  struct Lane {
    double sum = 0;
    double error = 0;
  };
  std::array<Lane, kLanes> lanes;
  FloatScan scan{{}, kInfinity, -kInfinity};
  const size_t dealt = cells.size() - cells.size() % kLanes;
  for (size_t i = 0; i < dealt; ++i) {
    Lane& lane = lanes[i % kLanes];
    const double sum = lane.sum + cells[i];
    const double of_term = sum - lane.sum;
    lane.error += (lane.sum - (sum - of_term)) + (cells[i] - of_term);
    lane.sum = sum;
  }
  if (dealt > 0) {
    for (const Lane& lane : lanes) scan.sum.Add(lane.sum, lane.error);
  }
  for (size_t i = dealt; i < cells.size(); ++i) scan.sum.Add(cells[i]);
  for (const double cell : cells) {
    scan.least = std::min(scan.least, cell);
    scan.most = std::max(scan.most, cell);
  }
  return scan;
}

TEST(ScanTest, FloatsGiveTheSameBitsOnEveryProcessor) {
  base::Rng rng(7);
  for (size_t n = 0; n < 200; ++n) {
    const std::vector<double> cells = DrawDoubles(n, &rng);
    const FloatScan fast = ScanFloats(cells);
    const FloatScan slow = ScanSlowly(cells);
    EXPECT_EQ(fast.sum.total(), slow.sum.total()) << n;
    EXPECT_EQ(fast.least, slow.least) << n;
    EXPECT_EQ(fast.most, slow.most) << n;
  }
}

TEST(ScanTest, WhatCancelsInOtherSumsIsNotLost) {
  std::vector<double> cells(1000, 0.0);
  cells[3] = 1e16;
  cells[500] = 1;
  cells[998] = -1e16;
  EXPECT_EQ(ScanFloats(cells).sum.total(), 1);
}

TEST(ScanTest, AnOverflowIsSeen) {
  const std::vector<double> cells(24, std::numeric_limits<double>::max());
  EXPECT_FALSE(std::isfinite(ScanFloats(cells).sum.total()));
}

template <typename T>
bool Compare(Op op, T a, T b) {
  switch (op) {
    case Op::kEq:
      return a == b;
    case Op::kNe:
      return a != b;
    case Op::kLt:
      return a < b;
    case Op::kLe:
      return a <= b;
    case Op::kGt:
      return a > b;
    case Op::kGe:
      return a >= b;
  }
  return false;
}

constexpr Op kOps[] = {Op::kEq, Op::kNe, Op::kLt, Op::kLe, Op::kGt, Op::kGe};

template <typename T>
void ExpectNarrowed(const std::vector<T>& cells, T operand, base::Rng* rng) {
  for (const Op op : kOps) {
    std::vector<uint8_t> mask;
    std::vector<uint8_t> expected;
    for (const T cell : cells) {
      mask.push_back(static_cast<uint8_t>(rng->Below(2)));
      expected.push_back(mask.back() != 0 && Compare(op, cell, operand) ? 1
                                                                        : 0);
    }
    Narrow(op, cells, operand, mask.data());
    EXPECT_EQ(mask, expected) << static_cast<int>(op) << " " << cells.size();
  }
}

TEST(ScanTest, NarrowsByEveryComparison) {
  base::Rng rng(8);
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const int64_t ints[] = {kMin, -1, 0, 1, int64_t{1} << 32, kMax};
  const double doubles[] = {-kInfinity, -1.5, -0.0, 0.0, 2e300};
  for (size_t n = 0; n < 70; ++n) {
    std::vector<int64_t> i;
    std::vector<double> d;
    while (i.size() < n) i.push_back(ints[rng.Below(std::size(ints))]);
    while (d.size() < n) d.push_back(doubles[rng.Below(std::size(doubles))]);
    ExpectNarrowed<int64_t>(i, ints[rng.Below(std::size(ints))], &rng);
    ExpectNarrowed<double>(d, doubles[rng.Below(std::size(doubles))], &rng);
  }
}

TEST(ScanTest, FlagsAreCountedAndTheirCellsKeptInOrder) {
  base::Rng rng(9);
  for (size_t n = 0; n < 100; ++n) {
    const std::vector<double> cells = DrawDoubles(n, &rng);
    std::vector<uint8_t> flags;
    std::vector<uint8_t> nulls;
    std::vector<double> expected;
    for (size_t i = 0; i < n; ++i) {
      flags.push_back(static_cast<uint8_t>(rng.Below(2)));
      nulls.push_back(static_cast<uint8_t>(rng.Below(2)));
      if (flags[i] != 0 && nulls[i] == 0) expected.push_back(cells[i]);
    }
    NarrowByNulls(nulls.data(), n, flags.data());
    EXPECT_EQ(CountOnes(flags), expected.size());
    std::vector<double> kept(n);
    kept.resize(Compress(cells, flags.data(), kept.data()));
    EXPECT_EQ(kept, expected);
  }
  EXPECT_EQ(CountOnes(std::vector<uint8_t>(4096, 1)), 4096U);
}

}  // namespace
}  // namespace freshline::featurize
