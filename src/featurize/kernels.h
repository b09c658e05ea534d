// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "absl/strings/string_view.h"
#include "featurize/kernel_functions.h"

namespace freshline::featurize {

// The inner loops of scans for one instruction set. All sets give equal
// results, bit for bit: the choice changes time alone.
struct Kernels {
  absl::string_view name;  // "avx512-vnni", "avx2", "portable"
  DotInt8Fn dot_int8;
  CollectFn collect;
  DotFloatFn dot_float;
};

// The fastest that this processor can run; chosen once. Thread-safe.
const Kernels& SelectKernels();

// Every one that this processor can run, fastest first, portable last.
std::span<const Kernels> RunnableKernels();

}  // namespace freshline::featurize
