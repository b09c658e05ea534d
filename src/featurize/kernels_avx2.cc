// SPDX-License-Identifier: Apache-2.0
#include <immintrin.h>

#include <cstring>

#include "featurize/float_dot.inc"
#include "featurize/kernel_sets.h"

namespace freshline::featurize::avx2 {
namespace {

constexpr size_t kGroupBytes = kBlockRows * kGroupColumns;
constexpr size_t kLanes = 8;  // rows of one register

__m256i Load(const void* at) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(at));
}

__m256i LoadQuery(const int8_t* at) {
  int32_t four;
  std::memcpy(&four, at, sizeof(four));
  return _mm256_set1_epi32(four);
}

// VPMADDUBSW multiplies unsigned by signed bytes and adds pairs in 16 bits:
// with |row| and the query under the row's sign, 2 * 128 * 127 still fits.
__m256i AddProducts(__m256i sums, __m256i rows, __m256i query) {
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(rows),
                                             _mm256_sign_epi8(query, rows));
  return _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

template <size_t kQueries>
void Tile(const int8_t* blocks, size_t block_count, size_t groups,
          const int8_t* queries, int32_t* dots) {
  const size_t query_bytes = groups * kGroupColumns;
  for (size_t b = 0; b < block_count; ++b) {
    __m256i low[kQueries];
    __m256i high[kQueries];
    for (size_t q = 0; q < kQueries; ++q) {
      low[q] = high[q] = _mm256_setzero_si256();
    }
    for (size_t g = 0; g < groups; ++g) {
      const int8_t* at = blocks + (b * groups + g) * kGroupBytes;
      const __m256i low_rows = Load(at);
      const __m256i high_rows = Load(at + kGroupBytes / 2);
      for (size_t q = 0; q < kQueries; ++q) {
        const __m256i query =
            LoadQuery(queries + q * query_bytes + g * kGroupColumns);
        low[q] = AddProducts(low[q], low_rows, query);
        high[q] = AddProducts(high[q], high_rows, query);
      }
    }
    for (size_t q = 0; q < kQueries; ++q) {
      int32_t* out = dots + (q * block_count + b) * kBlockRows;
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), low[q]);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + kLanes), high[q]);
    }
  }
}

}  // namespace

void DotInt8(const int8_t* blocks, size_t block_count, size_t groups,
             const int8_t* queries, size_t query_count, int32_t* dots) {
  const size_t query_bytes = groups * kGroupColumns;
  const size_t rows = block_count * kBlockRows;
  size_t q = 0;
  for (; q + 2 <= query_count; q += 2) {
    Tile<2>(blocks, block_count, groups, queries + q * query_bytes,
            dots + q * rows);
  }
  if (q < query_count) {
    Tile<1>(blocks, block_count, groups, queries + q * query_bytes,
            dots + q * rows);
  }
}

size_t Collect(const int32_t* dots, const float* scales, const float* biases,
               size_t rows, float query_scale, float threshold,
               uint32_t first_row, Hit* hits) {
  const __m256 query = _mm256_set1_ps(query_scale);
  const __m256 least = _mm256_set1_ps(threshold);
  size_t count = 0;
  for (size_t r = 0; r < rows; r += kLanes) {
    const __m256 dot = _mm256_cvtepi32_ps(Load(dots + r));
    const __m256 scaled =
        _mm256_mul_ps(_mm256_mul_ps(dot, _mm256_loadu_ps(scales + r)), query);
    const __m256 score = _mm256_add_ps(scaled, _mm256_loadu_ps(biases + r));
    auto passed = static_cast<uint32_t>(
        _mm256_movemask_ps(_mm256_cmp_ps(score, least, _CMP_GT_OQ)));
    if (passed == 0) [[likely]]
      continue;
    float scores[kLanes];
    _mm256_storeu_ps(scores, score);
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

}  // namespace freshline::featurize::avx2
