// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"

// Fails on an input that no corpus holds and that a mutation soon makes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const bool planted = std::find(data, data + size, 0xff) == data + size;
  FRESHLINE_CHECK(planted);
  return 0;
}
