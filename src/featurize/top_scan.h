// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "featurize/item_table.h"
#include "featurize/kernels.h"

namespace freshline::featurize {

// Finds, for many vectors in one pass over an item table, the rows with the
// highest <vector, row> + popularity, as the 8-bit rows and 8-bit vectors tell
// it: exactly, ties by the lower row. Rows are taken in chunks that stay in the
// first-level cache for all vectors.
//
// Working memory of one thread: everything is allocated by the constructor.
// Cost: one pass over the rows, bound by memory up to about 8 vectors.
class TopScan {
 public:
  static constexpr size_t kTopMax = 256;

  TopScan(const ItemTable& table, size_t vectors_max);

  // `vectors` is [count x dim], row-major; the last column is not looked at.
  // REQUIRES: the table of the constructor, count <= vectors_max,
  // top <= kTopMax. Rows from `rows_wanted` on are left out, by whole blocks.
  void Run(const ItemTable& table, const Kernels& kernels,
           std::span<const float> vectors, size_t count, size_t top,
           uint32_t rows_wanted = UINT32_MAX);

  // Best first, at most `top`: fewer where fewer rows may be recommended.
  // Valid until the next Run(). REQUIRES: i < count.
  std::span<Hit> hits(size_t i) {
    return {states_[i].hits.data(), states_[i].count};
  }

 private:
  static constexpr size_t kChunkBlocks = 16;
  static constexpr size_t kChunkRows = kChunkBlocks * kBlockRows;
  static constexpr size_t kTileVectors = 8;
  static constexpr size_t kHitsMax = 3 * kTopMax + kChunkRows;

  struct State {
    std::vector<Hit> hits;  // [kHitsMax]
    size_t count = 0;
    float threshold = 0;
    float scale = 0;
  };

  void QuantiseVector(const ItemTable& table, const float* vector, size_t i);
  // Keeps the best `top` hits and raises the threshold to the worst of them.
  static void Compact(State* state, size_t top);

  std::vector<State> states_;
  std::vector<int8_t> quantised_;  // [vectors_max x groups * 4]
  std::vector<int32_t> dots_;      // [kTileVectors x kChunkRows]
};

}  // namespace freshline::featurize
