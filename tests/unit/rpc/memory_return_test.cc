// SPDX-License-Identifier: Apache-2.0
#include "rpc/memory_return.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

namespace freshline::rpc {
namespace {

TEST(MemoryReturnTest, GivesNothingBackWhereNothingWasClosedOrLittleIsHeld) {
  MemoryReturn memory;
  EXPECT_FALSE(memory.AfterSweep(false));
  EXPECT_FALSE(memory.AfterSweep(true));
  EXPECT_FALSE(memory.AfterSweep(false));
}

TEST(MemoryReturnTest, GivesBackAfterTheSweepThatSawClosedConnections) {
  MemoryReturn memory;
  // Small pieces, which the allocator keeps when they are freed.
  constexpr size_t kPiece = 4096;
  std::vector<std::unique_ptr<char[]>> held(3 * MemoryReturn::kGrowthBytes /
                                            kPiece);
  for (auto& piece : held) {
    piece = std::make_unique<char[]>(kPiece);
    std::memset(piece.get(), 1, kPiece);
  }
  EXPECT_FALSE(memory.AfterSweep(true));
  EXPECT_TRUE(memory.AfterSweep(false));
  EXPECT_FALSE(memory.AfterSweep(true)) << "it has not grown since";
  EXPECT_FALSE(memory.AfterSweep(false));
}

}  // namespace
}  // namespace freshline::rpc
