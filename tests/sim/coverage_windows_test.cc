// SPDX-License-Identifier: Apache-2.0
#include "bench/sim/coverage_windows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace freshline::bench {
namespace {

using ::testing::ElementsAre;

// Runs of which every `miss`th is not within; 0: all are.
void Feed(uint64_t runs, uint64_t miss, uint64_t* within,
          CoverageWindows* windows) {
  for (uint64_t i = 1; i <= runs; ++i) {
    if (miss == 0 || i % miss != 0) ++*within;
    if (windows->Count()) windows->Close(*within);
  }
}

TEST(CoverageWindowsTest, EachWindowTellsOfItself) {
  CoverageWindows windows;
  uint64_t within = 0;
  Feed(500, 100, &within, &windows);
  Feed(500, 2, &within, &windows);
  Feed(499, 0, &within, &windows);  // not full
  EXPECT_THAT(windows.Shares(), ElementsAre(0.99, 0.5));
}

TEST(CoverageWindowsTest, NoStreamIsTooLong) {
  CoverageWindows windows;
  uint64_t within = 0;
  Feed(1'000'000, 4, &within, &windows);
  const std::vector<double> shares = windows.Shares();
  EXPECT_LT(shares.size(), CoverageWindows::kWindowsMax);
  EXPECT_GE(shares.size(), CoverageWindows::kWindowsMax / 2);
  for (const double share : shares) EXPECT_NEAR(share, 0.75, 1e-12);
}

}  // namespace
}  // namespace freshline::bench
