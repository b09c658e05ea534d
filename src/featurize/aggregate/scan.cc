// SPDX-License-Identifier: Apache-2.0
#include "featurize/aggregate/scan.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>

namespace freshline::featurize {
namespace {

using registry::Filter;

constexpr size_t kLanes = 8;

// A body is compiled once for each instruction set: inlined into a function
// that may use it. Adding and comparing lane by lane rounds the same in all.
#define FRESHLINE_BODY [[gnu::always_inline]] inline
#if defined(__x86_64__)
#define FRESHLINE_AVX2 [[gnu::target("avx2")]]
bool HasAvx2() {
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
}
#else
#define FRESHLINE_AVX2
bool HasAvx2() { return false; }
#endif

// Four doubles side by side; a processor without such registers takes two
// steps. Comparing gives all bits set where it holds, else none.
using Quad = double __attribute__((vector_size(4 * sizeof(double))));
static_assert(kLanes == 2 * sizeof(Quad) / sizeof(double));

struct Lanes {
  Quad sum[2];
  Quad error[2];
  Quad least[2];
  Quad most[2];
};

FRESHLINE_BODY void ScanBody(const double* cells, size_t rounds, Lanes* out) {
  Lanes lanes = *out;
  for (size_t r = 0; r < rounds; ++r) {
    for (size_t half = 0; half < 2; ++half, cells += kLanes / 2) {
      Quad cell;
      std::memcpy(&cell, cells, sizeof(cell));
      const Quad sum = lanes.sum[half] + cell;
      const Quad of_term = sum - lanes.sum[half];
      lanes.error[half] +=
          (lanes.sum[half] - (sum - of_term)) + (cell - of_term);
      lanes.sum[half] = sum;
      lanes.least[half] = cell < lanes.least[half] ? cell : lanes.least[half];
      lanes.most[half] = cell > lanes.most[half] ? cell : lanes.most[half];
    }
  }
  *out = lanes;
}

void ScanPortable(const double* cells, size_t rounds, Lanes* out) {
  ScanBody(cells, rounds, out);
}
FRESHLINE_AVX2 void ScanAvx2(const double* cells, size_t rounds, Lanes* out) {
  ScanBody(cells, rounds, out);
}

template <typename T, typename Compare>
FRESHLINE_BODY void NarrowBody(const T* cells, size_t size, T operand,
                               uint8_t* __restrict mask, Compare compare) {
  for (size_t i = 0; i < size; ++i) {
    mask[i] &= static_cast<uint8_t>(compare(cells[i], operand));
  }
}

template <typename T>
FRESHLINE_BODY void NarrowByOp(Filter::Op op, const T* cells, size_t size,
                               T operand, uint8_t* mask) {
  switch (op) {
    case Filter::Op::kEq:
      return NarrowBody(cells, size, operand, mask, std::equal_to<>());
    case Filter::Op::kNe:
      return NarrowBody(cells, size, operand, mask, std::not_equal_to<>());
    case Filter::Op::kLt:
      return NarrowBody(cells, size, operand, mask, std::less<>());
    case Filter::Op::kLe:
      return NarrowBody(cells, size, operand, mask, std::less_equal<>());
    case Filter::Op::kGt:
      return NarrowBody(cells, size, operand, mask, std::greater<>());
    case Filter::Op::kGe:
      return NarrowBody(cells, size, operand, mask, std::greater_equal<>());
  }
}

template <typename T>
void NarrowPortable(Filter::Op op, const T* cells, size_t size, T operand,
                    uint8_t* mask) {
  NarrowByOp(op, cells, size, operand, mask);
}
template <typename T>
FRESHLINE_AVX2 void NarrowAvx2(Filter::Op op, const T* cells, size_t size,
                               T operand, uint8_t* mask) {
  NarrowByOp(op, cells, size, operand, mask);
}

}  // namespace

FloatScan ScanFloats(std::span<const double> cells) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  FloatScan scan{{}, kInfinity, -kInfinity};
  const size_t rounds = cells.size() / kLanes;
  if (rounds > 0) {
    const Quad none{};
    Lanes lanes{{none, none},
                {none, none},
                {none + kInfinity, none + kInfinity},
                {none - kInfinity, none - kInfinity}};
    (HasAvx2() ? ScanAvx2 : ScanPortable)(cells.data(), rounds, &lanes);
    for (size_t l = 0; l < kLanes; ++l) {
      const size_t half = l / (kLanes / 2);
      const size_t at = l % (kLanes / 2);
      scan.sum.Add(lanes.sum[half][at], lanes.error[half][at]);
      scan.least = std::min(scan.least, lanes.least[half][at]);
      scan.most = std::max(scan.most, lanes.most[half][at]);
    }
  }
  for (const double cell : cells.subspan(rounds * kLanes)) {
    scan.sum.Add(cell);
    scan.least = std::min(scan.least, cell);
    scan.most = std::max(scan.most, cell);
  }
  return scan;
}

void Narrow(Filter::Op op, std::span<const double> cells, double operand,
            uint8_t* mask) {
  (HasAvx2() ? NarrowAvx2<double> : NarrowPortable<double>)(op, cells.data(),
                                                            cells.size(),
                                                            operand, mask);
}

void Narrow(Filter::Op op, std::span<const int64_t> cells, int64_t operand,
            uint8_t* mask) {
  (HasAvx2() ? NarrowAvx2<int64_t> : NarrowPortable<int64_t>)(op, cells.data(),
                                                              cells.size(),
                                                              operand, mask);
}

void NarrowByNulls(const uint8_t* nulls, size_t size,
                   uint8_t* __restrict mask) {
  for (size_t i = 0; i < size; ++i) {
    mask[i] &= static_cast<uint8_t>(nulls[i] ^ 1);
  }
}

size_t CountOnes(std::span<const uint8_t> flags) {
  // Eight flags in a word: a product's top byte is the sum of their bytes.
  size_t ones = 0;
  size_t i = 0;
  for (; i + 8 <= flags.size(); i += 8) {
    uint64_t word;
    std::memcpy(&word, flags.data() + i, sizeof(word));
    ones += (word * 0x0101010101010101) >> 56;
  }
  for (; i < flags.size(); ++i) ones += flags[i];
  return ones;
}

size_t Compress(std::span<const double> cells, const uint8_t* flags,
                double* out) {
  size_t n = 0;
  for (size_t i = 0; i < cells.size(); ++i) {
    // Written whether or not it stays: no branch to guess wrong.
    out[n] = cells[i];
    n += flags[i];
  }
  return n;
}

}  // namespace freshline::featurize
