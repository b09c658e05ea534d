// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace freshline::test {

// Allocations by operator new in this process so far. Any thread. A test that
// links count_allocations.cc replaces the global operators.
uint64_t AllocationCount();

}  // namespace freshline::test
