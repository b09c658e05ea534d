// SPDX-License-Identifier: Apache-2.0
#include "featurize/kernel_sets.h"

#include "featurize/float_dot.inc"

namespace freshline::featurize::portable {

void DotInt8(const int8_t* blocks, size_t block_count, size_t groups,
             const int8_t* queries, size_t query_count, int32_t* dots) {
  const size_t block_bytes = groups * kBlockRows * kGroupColumns;
  for (size_t q = 0; q < query_count; ++q) {
    const int8_t* query = queries + q * groups * kGroupColumns;
    for (size_t b = 0; b < block_count; ++b) {
      const int8_t* block = blocks + b * block_bytes;
      int32_t sums[kBlockRows] = {};
      for (size_t g = 0; g < groups; ++g) {
        const int8_t* rows = block + g * kBlockRows * kGroupColumns;
        const int16_t q0 = query[g * 4];
        const int16_t q1 = query[g * 4 + 1];
        const int16_t q2 = query[g * 4 + 2];
        const int16_t q3 = query[g * 4 + 3];
        for (size_t r = 0; r < kBlockRows; ++r) {
          sums[r] += rows[r * 4] * q0 + rows[r * 4 + 1] * q1 +
                     rows[r * 4 + 2] * q2 + rows[r * 4 + 3] * q3;
        }
      }
      int32_t* out = dots + (q * block_count + b) * kBlockRows;
      for (size_t r = 0; r < kBlockRows; ++r) out[r] = sums[r];
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
