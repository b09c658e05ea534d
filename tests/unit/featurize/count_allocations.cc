// SPDX-License-Identifier: Apache-2.0
#include "tests/unit/featurize/count_allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<uint64_t> allocations{0};
}  // namespace

// In a file of their own: where gcc sees only one of a pair inlined, it takes
// the other for a mismatch.
void* operator new(size_t bytes) {
  ++allocations;
  if (void* const memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace freshline::test {

uint64_t AllocationCount() { return allocations; }

}  // namespace freshline::test
