// SPDX-License-Identifier: Apache-2.0
#include "featurize/kernels.h"

#include <vector>

#include "featurize/kernel_sets.h"

namespace freshline::featurize {
namespace {

#ifdef FRESHLINE_X86_KERNELS
bool HasAvx512Vnni() {
  return __builtin_cpu_supports("avx512f") &&
         __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512vnni") &&
         __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma");
}

bool HasAvx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}
#endif

std::vector<Kernels> MakeRunnable() {
  std::vector<Kernels> runnable;
#ifdef FRESHLINE_X86_KERNELS
  __builtin_cpu_init();
  if (HasAvx512Vnni()) {
    runnable.push_back(
        {"avx512-vnni", avx512::DotInt8, avx512::Collect, avx512::DotFloat});
  }
  if (HasAvx2()) {
    runnable.push_back({"avx2", avx2::DotInt8, avx2::Collect, avx2::DotFloat});
  }
#endif
  runnable.push_back(
      {"portable", portable::DotInt8, portable::Collect, portable::DotFloat});
  return runnable;
}

}  // namespace

std::span<const Kernels> RunnableKernels() {
  static const auto* const runnable =
      new std::vector<Kernels>(MakeRunnable());  // never destroyed
  return *runnable;
}

const Kernels& SelectKernels() { return RunnableKernels().front(); }

}  // namespace freshline::featurize
