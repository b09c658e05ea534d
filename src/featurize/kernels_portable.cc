// SPDX-License-Identifier: Apache-2.0
#ifdef __SSE2__  // of every x86-64
#include <emmintrin.h>
#endif

#include "featurize/kernel_sets.h"

#include "featurize/float_dot.inc"

namespace freshline::featurize::portable {

namespace {

#ifdef __SSE2__

// PMADDWD adds the products of two pairs of 16 bits: of 4 columns of a row it
// leaves two sums, which only the end of the block adds up.
void DotBlock(const int8_t* block, size_t groups, const int8_t* query,
              int32_t* dots) {
  constexpr size_t kRegisters = kBlockRows / 4;  // bytes of 4 rows in each
  __m128i sums[2 * kRegisters];                  // [2 rows x 2 pairs] each
  for (__m128i& sum : sums) sum = _mm_setzero_si128();
  for (size_t g = 0; g < groups; ++g) {
    const int8_t* q = query + g * kGroupColumns;
    const __m128i columns =
        _mm_setr_epi16(q[0], q[1], q[2], q[3], q[0], q[1], q[2], q[3]);
    for (size_t i = 0; i < kRegisters; ++i) {
      const __m128i rows = _mm_loadu_si128(reinterpret_cast<const __m128i*>(
          block + (g * kRegisters + i) * sizeof(__m128i)));
      // Each byte twice, shifted down with its sign: SSE2 has no PMOVSXBW.
      const __m128i low = _mm_srai_epi16(_mm_unpacklo_epi8(rows, rows), 8);
      const __m128i high = _mm_srai_epi16(_mm_unpackhi_epi8(rows, rows), 8);
      sums[2 * i] = _mm_add_epi32(sums[2 * i], _mm_madd_epi16(low, columns));
      sums[2 * i + 1] =
          _mm_add_epi32(sums[2 * i + 1], _mm_madd_epi16(high, columns));
    }
  }
  int32_t pairs[2 * kBlockRows];
  for (size_t i = 0; i < 2 * kRegisters; ++i) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(pairs + 4 * i), sums[i]);
  }
  for (size_t r = 0; r < kBlockRows; ++r) {
    dots[r] = pairs[2 * r] + pairs[2 * r + 1];
  }
}

#else

void DotBlock(const int8_t* block, size_t groups, const int8_t* query,
              int32_t* dots) {
  for (size_t r = 0; r < kBlockRows; ++r) dots[r] = 0;
  for (size_t g = 0; g < groups; ++g) {
    const int8_t* rows = block + g * kBlockRows * kGroupColumns;
    const int8_t* q = query + g * kGroupColumns;
    for (size_t r = 0; r < kBlockRows; ++r, rows += kGroupColumns) {
      dots[r] +=
          rows[0] * q[0] + rows[1] * q[1] + rows[2] * q[2] + rows[3] * q[3];
    }
  }
}

#endif

}  // namespace

void DotInt8(const int8_t* blocks, size_t block_count, size_t groups,
             const int8_t* queries, size_t query_count, int32_t* dots) {
  for (size_t q = 0; q < query_count; ++q) {
    for (size_t b = 0; b < block_count; ++b) {
      DotBlock(blocks + b * groups * kBlockRows * kGroupColumns, groups,
               queries + q * groups * kGroupColumns,
               dots + (q * block_count + b) * kBlockRows);
    }
  }
}

size_t Collect(const int32_t* dots, const float* scales, const float* biases,
               size_t rows, float query_scale, float threshold,
               uint32_t first_row, Hit* hits) {
  size_t count = 0;
  for (size_t r = 0; r < rows; ++r) {
    const float score =
        (static_cast<float>(dots[r]) * scales[r]) * query_scale + biases[r];
    hits[count].score = score;
    hits[count].row = first_row + static_cast<uint32_t>(r);
    // No branch: which rows pass is hard to predict while few have.
    count += score > threshold ? 1 : 0;
  }
  return count;
}

float DotFloat(const float* a, const float* b, size_t n) {
  return SumOfProducts(a, b, n);
}

}  // namespace freshline::featurize::portable
