// SPDX-License-Identifier: Apache-2.0
#include "featurize/kernels.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <vector>

#include "base/random.h"

namespace freshline::featurize {
namespace {

constexpr uint64_t kSeed = 4;

std::vector<int8_t> Bytes(size_t count, int8_t least, base::Rng* rng) {
  std::vector<int8_t> bytes(count);
  for (int8_t& b : bytes) {
    // Extremes often: sums of them are what overflows.
    b = rng->Chance(0.3)
            ? (rng->Chance(0.5) ? int8_t{127} : least)
            : static_cast<int8_t>(static_cast<int>(rng->Below(255)) - 127);
  }
  return bytes;
}

std::vector<int32_t> NaiveDots(const std::vector<int8_t>& blocks,
                               size_t block_count, size_t groups,
                               const std::vector<int8_t>& queries,
                               size_t query_count) {
  std::vector<int32_t> dots(query_count * block_count * kBlockRows);
  for (size_t q = 0; q < query_count; ++q) {
    for (size_t row = 0; row < block_count * kBlockRows; ++row) {
      int32_t sum = 0;
      for (size_t d = 0; d < groups * kGroupColumns; ++d) {
        const size_t at =
            ((row / kBlockRows * groups + d / kGroupColumns) * kBlockRows +
             row % kBlockRows) *
                kGroupColumns +
            d % kGroupColumns;
        sum += blocks[at] * queries[q * groups * kGroupColumns + d];
      }
      dots[q * block_count * kBlockRows + row] = sum;
    }
  }
  return dots;
}

TEST(KernelsTest, EndWithThePortableSetAndSelectTheFirst) {
  ASSERT_FALSE(RunnableKernels().empty());
  EXPECT_EQ(RunnableKernels().back().name, "portable");
  EXPECT_EQ(SelectKernels().name, RunnableKernels().front().name);
}

TEST(KernelsTest, AllGiveExactIntegerProducts) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  base::Rng rng(kSeed);
  for (const size_t groups : {1U, 5U, 16U, 256U}) {
    for (const size_t block_count : {1U, 2U, 3U, 8U}) {
      for (size_t query_count = 1; query_count <= 17; ++query_count) {
        const auto blocks = Bytes(
            block_count * groups * kBlockRows * kGroupColumns, -128, &rng);
        const auto queries =
            Bytes(query_count * groups * kGroupColumns, -127, &rng);
        const auto expected =
            NaiveDots(blocks, block_count, groups, queries, query_count);
        for (const Kernels& kernels : RunnableKernels()) {
          std::vector<int32_t> dots(expected.size(), -1);
          kernels.dot_int8(blocks.data(), block_count, groups, queries.data(),
                           query_count, dots.data());
          ASSERT_EQ(dots, expected)
              << std::string(kernels.name.data(), kernels.name.size()) << " "
              << groups << " " << block_count << " " << query_count;
        }
      }
    }
  }
}

TEST(KernelsTest, AllCollectTheSameRowsAndBits) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  base::Rng rng(kSeed);
  constexpr size_t kRows = 64;
  for (int round = 0; round < 200; ++round) {
    std::vector<int32_t> dots(kRows);
    std::vector<float> scales(kRows);
    std::vector<float> biases(kRows);
    for (size_t r = 0; r < kRows; ++r) {
      dots[r] = static_cast<int32_t>(rng.Below(200'000)) - 100'000;
      scales[r] = static_cast<float>(rng.Uniform() * 0.01);
      biases[r] = rng.Chance(0.2) ? -std::numeric_limits<float>::infinity()
                                  : static_cast<float>(-rng.Uniform());
    }
    const auto scale = static_cast<float>(rng.Uniform() * 0.01);
    const float threshold = round % 4 == 0
                                ? -std::numeric_limits<float>::infinity()
                                : static_cast<float>(rng.Normal());
    std::vector<Hit> expected;
    for (size_t r = 0; r < kRows; ++r) {
      volatile float score = static_cast<float>(dots[r]) * scales[r];
      score = score * scale;  // volatile: rounded after every step
      score = score + biases[r];
      if (score > threshold) {
        expected.push_back({score, static_cast<uint32_t>(r) + 1000});
      }
    }
    for (const Kernels& kernels : RunnableKernels()) {
      std::vector<Hit> hits(kRows);
      hits.resize(kernels.collect(dots.data(), scales.data(), biases.data(),
                                  kRows, scale, threshold, 1000, hits.data()));
      ASSERT_EQ(hits.size(), expected.size());
      for (size_t i = 0; i < hits.size(); ++i) {
        EXPECT_EQ(hits[i].row, expected[i].row);
        EXPECT_EQ(hits[i].score, expected[i].score);
      }
    }
  }
}

TEST(KernelsTest, AllAddFloatsInOneOrder) {
  SCOPED_TRACE(testing::Message() << "seed " << kSeed);
  base::Rng rng(kSeed);
  for (size_t n = 0; n <= 130; ++n) {
    std::vector<float> a(n);
    std::vector<float> b(n);
    double exact = 0;
    for (size_t i = 0; i < n; ++i) {
      a[i] = static_cast<float>(rng.Normal());
      b[i] = static_cast<float>(rng.Normal());
      exact += double{a[i]} * double{b[i]};
    }
    const float portable =
        RunnableKernels().back().dot_float(a.data(), b.data(), n);
    EXPECT_NEAR(double{portable}, exact, 1e-4);
    for (const Kernels& kernels : RunnableKernels()) {
      EXPECT_EQ(kernels.dot_float(a.data(), b.data(), n), portable) << n;
    }
  }
}

}  // namespace
}  // namespace freshline::featurize
