// SPDX-License-Identifier: Apache-2.0
#include "http2/memory_return.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

namespace freshline::http2 {
namespace {

// A sanitizer's allocator gives nothing back.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kOwnAllocator = true;
#else
constexpr bool kOwnAllocator = false;
#endif

class MemoryReturnTest : public ::testing::Test {
 protected:
  // Small pieces, which the allocator keeps when they are freed.
  using Pieces = std::vector<std::unique_ptr<char[]>>;
  static Pieces Take() {
    constexpr size_t kPiece = 4096;
    Pieces held(3 * MemoryReturn::kGrowthBytes / kPiece);
    for (auto& piece : held) {
      piece = std::make_unique<char[]>(kPiece);
      std::memset(piece.get(), 1, kPiece);
    }
    return held;
  }
  // All but one of ten are free; the rest keeps the heap from shrinking.
  static void FreeMost(Pieces* pieces) {
    for (size_t i = 0; i < pieces->size(); ++i) {
      if (i % 10 != 0) (*pieces)[i].reset();
    }
  }
  uint64_t Sweep(bool closed) { return memory_.AfterSweep(closed, now_); }

  MemoryReturn memory_;
  base::MonoTime now_{std::chrono::hours(1)};
};

TEST_F(MemoryReturnTest, GivesNothingBackWhereNothingWasClosedOrLittleIsHeld) {
  EXPECT_EQ(Sweep(false), 0U);
  EXPECT_EQ(Sweep(true), 0U);
  EXPECT_EQ(Sweep(false), 0U);
}

TEST_F(MemoryReturnTest, GivesBackAfterTheSweepThatSawClosedConnections) {
  if (kOwnAllocator) GTEST_SKIP();
  Pieces held = Take();
  FreeMost(&held);
  EXPECT_EQ(Sweep(true), 0U);
  EXPECT_GT(Sweep(false), MemoryReturn::kGrowthBytes);
  EXPECT_EQ(Sweep(true), 0U) << "it has not grown since";
}

TEST_F(MemoryReturnTest, AGrowthThatStaysIsAcceptedInTheEnd) {
  if (kOwnAllocator) GTEST_SKIP();
  const Pieces held = Take();
  Sweep(true);
  for (int i = 0; i < 100; ++i, now_ += MemoryReturn::kPause) {
    EXPECT_LT(Sweep(false), MemoryReturn::kWorthwhileBytes);
  }
  Pieces more = Take();
  more.clear();
  EXPECT_EQ(Sweep(false), 0U) << "nothing was closed since";
}

TEST_F(MemoryReturnTest, TriesAgainWhereTheMemoryWasStillHeld) {
  if (kOwnAllocator) GTEST_SKIP();
  Pieces held = Take();
  Sweep(true);
  EXPECT_LT(Sweep(true), MemoryReturn::kWorthwhileBytes);
  FreeMost(&held);
  EXPECT_EQ(Sweep(false), 0U) << "not so soon";
  now_ += MemoryReturn::kPause;
  EXPECT_GT(Sweep(false), MemoryReturn::kGrowthBytes);
}

}  // namespace
}  // namespace freshline::http2
