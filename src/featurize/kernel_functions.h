// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

// What the inner loops of a scan exchange. Included by files that are compiled
// for one instruction set: it must define no inline function, or the linker may
// keep the copy that an older processor cannot run.

namespace freshline::featurize {

// Rows stand in blocks of 16, interleaved by groups of 4 columns, so that one
// register holds the same 4 columns of 16 rows and no sum ever crosses lanes:
//   [blocks][groups of 4 columns][16 rows][4 columns], int8
inline constexpr size_t kBlockRows = 16;
inline constexpr size_t kGroupColumns = 4;

// A row that passed a threshold.
struct Hit {
  float score = 0;
  uint32_t row = 0;
};

// dots[q * block_count * 16 + r] = <queries[q], row r>, exactly.
// `queries` is [query_count x groups * 4], row-major, each in [-127, 127].
// REQUIRES: groups <= 256, so that no sum overflows.
using DotInt8Fn = void (*)(const int8_t* blocks, size_t block_count,
                           size_t groups, const int8_t* queries,
                           size_t query_count, int32_t* dots);

// Appends to `hits`, in order of rows, those with
//   (dots[r] * scales[r]) * query_scale + biases[r] > threshold
// and returns their number. NaN never passes.
// REQUIRES: rows is a multiple of 16; room for `rows` hits.
using CollectFn = size_t (*)(const int32_t* dots, const float* scales,
                             const float* biases, size_t rows,
                             float query_scale, float threshold,
                             uint32_t first_row, Hit* hits);

// <a, b> over n floats, added in one order on every machine.
using DotFloatFn = float (*)(const float* a, const float* b, size_t n);

}  // namespace freshline::featurize
