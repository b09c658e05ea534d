// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include <cstring>

#include "featurize/float_dot.inc"
#include "featurize/kernel_sets.h"

namespace freshline::featurize::avx512 {
namespace {

constexpr size_t kGroupBytes = kBlockRows * kGroupColumns;

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

// One block at a time: rows then come from memory in one stream, which the
// processor fetches ahead. Two streams took twice as long.
template <size_t kQueries>
void Tile(const int8_t* blocks, size_t block_count, size_t groups,
          const int8_t* queries, int32_t* dots) {
  const size_t query_bytes = groups * kGroupColumns;
  __m512i start[kQueries];
  for (size_t q = 0; q < kQueries; ++q) {
    start[q] = Start(queries + q * query_bytes, groups);
  }
  for (size_t b = 0; b < block_count; ++b) {
    const int8_t* block = blocks + b * groups * kGroupBytes;
    __m512i sums[kQueries];
    for (size_t q = 0; q < kQueries; ++q) sums[q] = start[q];
    for (size_t g = 0; g < groups; ++g) {
      const __m512i rows = LoadRows(block + g * kGroupBytes);
      for (size_t q = 0; q < kQueries; ++q) {
        sums[q] = _mm512_dpbusd_epi32(
            sums[q], rows,
            LoadQuery(queries + q * query_bytes + g * kGroupColumns));
      }
    }
    for (size_t q = 0; q < kQueries; ++q) {
      _mm512_storeu_si512(dots + (q * block_count + b) * kBlockRows, sums[q]);
    }
  }
}

using TileFn = void (*)(const int8_t*, size_t, size_t, const int8_t*, int32_t*);
constexpr TileFn kTiles[] = {Tile<1>, Tile<2>, Tile<3>, Tile<4>,
                             Tile<5>, Tile<6>, Tile<7>, Tile<8>};
constexpr size_t kTileQueries = sizeof(kTiles) / sizeof(kTiles[0]);

}  // namespace

void DotInt8(const int8_t* blocks, size_t block_count, size_t groups,
             const int8_t* queries, size_t query_count, int32_t* dots) {
  for (size_t q = 0; q < query_count; q += kTileQueries) {
    const size_t left = query_count - q;
    const size_t tile = left < kTileQueries ? left : kTileQueries;
    kTiles[tile - 1](blocks, block_count, groups,
                     queries + q * groups * kGroupColumns,
                     dots + q * block_count * kBlockRows);
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
