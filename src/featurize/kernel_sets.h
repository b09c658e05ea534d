// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "featurize/kernel_functions.h"

// The kernels by instruction set; see kernel_functions.h. Calling one that the
// processor cannot run ends the process: take them from kernels.h.

#define FRESHLINE_DECLARE_KERNELS(set)                                    \
  namespace freshline::featurize::set {                                   \
  void DotInt8(const int8_t* blocks, size_t block_count, size_t groups,   \
               const int8_t* queries, size_t query_count, int32_t* dots); \
  size_t Collect(const int32_t* dots, const float* scales,                \
                 const float* biases, size_t rows, float query_scale,     \
                 float threshold, uint32_t first_row, Hit* hits);         \
  float DotFloat(const float* a, const float* b, size_t n);               \
  }
FRESHLINE_DECLARE_KERNELS(portable)
FRESHLINE_DECLARE_KERNELS(avx2)
FRESHLINE_DECLARE_KERNELS(avx512)
#undef FRESHLINE_DECLARE_KERNELS
