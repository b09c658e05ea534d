// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include <cstring>

#include "featurize/float_dot.inc"
#include "featurize/kernel_sets.h"

namespace freshline::featurize::avx512 {
namespace {

constexpr size_t kGroupBytes = kBlockRows * kGroupColumns;
constexpr size_t kTileQueries = 4;

// VPDPBUSD multiplies unsigned by signed bytes: rows are read with 128 added,
// and the sums begin at what that adds, negated.
__m512i Start(const int8_t* query, size_t groups) {
  int32_t sum = 0;
  for (size_t i = 0; i < groups * kGroupColumns; ++i) sum += query[i];
  return _mm512_set1_epi32(-128 * sum);
}

__m512i LoadRows(const int8_t* at) {
  return _mm512_xor_si512(_mm512_loadu_si512(at),
                          _mm512_set1_epi8(static_cast<char>(-128)));
}

__m512i LoadQuery(const int8_t* at) {
  int32_t four;
  std::memcpy(&four, at, sizeof(four));
  return _mm512_set1_epi32(four);
}

// `kQueries` x `kBlocks` sums in registers hide the latency of VPDPBUSD.
template <size_t kQueries, size_t kBlocks>
void Tile(const int8_t* blocks, size_t block_count, size_t groups,
          const int8_t* queries, int32_t* dots) {
  const size_t query_bytes = groups * kGroupColumns;
  __m512i start[kQueries];
  for (size_t q = 0; q < kQueries; ++q) {
    start[q] = Start(queries + q * query_bytes, groups);
  }
  for (size_t b = 0; b + kBlocks <= block_count; b += kBlocks) {
    __m512i sums[kQueries][kBlocks];
    for (size_t q = 0; q < kQueries; ++q) {
      for (size_t i = 0; i < kBlocks; ++i) sums[q][i] = start[q];
    }
    for (size_t g = 0; g < groups; ++g) {
      __m512i rows[kBlocks];
      for (size_t i = 0; i < kBlocks; ++i) {
        rows[i] = LoadRows(blocks + ((b + i) * groups + g) * kGroupBytes);
      }
      for (size_t q = 0; q < kQueries; ++q) {
        const __m512i query =
            LoadQuery(queries + q * query_bytes + g * kGroupColumns);
        for (size_t i = 0; i < kBlocks; ++i) {
          sums[q][i] = _mm512_dpbusd_epi32(sums[q][i], rows[i], query);
        }
      }
    }
    for (size_t q = 0; q < kQueries; ++q) {
      for (size_t i = 0; i < kBlocks; ++i) {
        _mm512_storeu_si512(dots + (q * block_count + b + i) * kBlockRows,
                            sums[q][i]);
      }
    }
  }
}

template <size_t kQueries>
void AllBlocks(const int8_t* blocks, size_t block_count, size_t groups,
               const int8_t* queries, int32_t* dots) {
  constexpr size_t kBlocks = kQueries == 1 ? 4 : 2;
  // The rows of a query stand block_count blocks apart in `dots`: only whole
  // multiples keep that with one call, so the rest goes one block at a time.
  if (block_count % kBlocks == 0) {
    Tile<kQueries, kBlocks>(blocks, block_count, groups, queries, dots);
  } else {
    Tile<kQueries, 1>(blocks, block_count, groups, queries, dots);
  }
}

}  // namespace

void DotInt8(const int8_t* blocks, size_t block_count, size_t groups,
             const int8_t* queries, size_t query_count, int32_t* dots) {
  const size_t query_bytes = groups * kGroupColumns;
  const size_t rows = block_count * kBlockRows;
  size_t q = 0;
  for (; q + kTileQueries <= query_count; q += kTileQueries) {
    AllBlocks<kTileQueries>(blocks, block_count, groups,
                            queries + q * query_bytes, dots + q * rows);
  }
  if (q + 2 <= query_count) {
    AllBlocks<2>(blocks, block_count, groups, queries + q * query_bytes,
                 dots + q * rows);
    q += 2;
  }
  if (q < query_count) {
    AllBlocks<1>(blocks, block_count, groups, queries + q * query_bytes,
                 dots + q * rows);
  }
}

size_t Collect(const int32_t* dots, const float* scales, const float* biases,
               size_t rows, float query_scale, float threshold,
               uint32_t first_row, Hit* hits) {
  const __m512 query = _mm512_set1_ps(query_scale);
  const __m512 least = _mm512_set1_ps(threshold);
  size_t count = 0;
  for (size_t r = 0; r < rows; r += kBlockRows) {
    const __m512 dot = _mm512_cvtepi32_ps(_mm512_loadu_si512(dots + r));
    const __m512 scaled =
        _mm512_mul_ps(_mm512_mul_ps(dot, _mm512_loadu_ps(scales + r)), query);
    const __m512 score = _mm512_add_ps(scaled, _mm512_loadu_ps(biases + r));
    uint32_t passed = _mm512_cmp_ps_mask(score, least, _CMP_GT_OQ);
    if (passed == 0) [[likely]]
      continue;
    float scores[kBlockRows];
    _mm512_storeu_ps(scores, score);
    for (; passed != 0; passed &= passed - 1) {
      const auto lane = static_cast<uint32_t>(__builtin_ctz(passed));
      hits[count].score = scores[lane];
      hits[count].row = first_row + static_cast<uint32_t>(r) + lane;
      ++count;
    }
  }
  return count;
}

float DotFloat(const float* a, const float* b, size_t n) {
  return SumOfProducts(a, b, n);
}

}  // namespace freshline::featurize::avx512
