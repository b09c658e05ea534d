// SPDX-License-Identifier: Apache-2.0
#include "featurize/top_scan.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace freshline::featurize {
namespace {

bool Better(const Hit& a, const Hit& b) {
  return a.score != b.score ? a.score > b.score : a.row < b.row;
}

}  // namespace

TopScan::TopScan(const ItemTable& table, size_t vectors_max)
    : states_(vectors_max),
      quantised_(vectors_max * table.groups() * kGroupColumns),
      dots_(kTileVectors * kChunkRows) {
  for (State& state : states_) state.hits.resize(kHitsMax);
}

void TopScan::QuantiseVector(const ItemTable& table, const float* vector,
                             size_t i) {
  const size_t columns = table.content_columns();
  float largest = 0;
  for (size_t d = 0; d < columns; ++d) {
    largest = std::max(largest, std::fabs(vector[d]));
  }
  const float inverse = largest > 0 ? 127 / largest : 0;
  int8_t* out = quantised_.data() + i * table.groups() * kGroupColumns;
  for (size_t d = 0; d < columns; ++d) {
    out[d] = static_cast<int8_t>(std::lround(vector[d] * inverse));
  }
  states_[i].scale = largest / 127;
  states_[i].count = 0;
  states_[i].threshold = kNeverRecommended;
}

void TopScan::Compact(State* state, size_t top) {
  if (state->count <= top) return;
  const auto begin = state->hits.begin();
  const auto worst = begin + static_cast<std::ptrdiff_t>(top) - 1;
  std::nth_element(begin, worst,
                   begin + static_cast<std::ptrdiff_t>(state->count), Better);
  state->count = top;
  // Rows that tie with the worst come later, and so would lose.
  state->threshold = worst->score;
}

void TopScan::Run(const ItemTable& table, const Kernels& kernels,
                  std::span<const float> vectors, size_t count, size_t top,
                  uint32_t rows_wanted) {
  FRESHLINE_CHECK(count <= states_.size() && top > 0 && top <= kTopMax);
  FRESHLINE_CHECK(vectors.size() >= count * table.dim());
  for (size_t i = 0; i < count; ++i) {
    QuantiseVector(table, vectors.data() + i * table.dim(), i);
  }
  const size_t vector_bytes = table.groups() * kGroupColumns;
  const size_t blocks_wanted = std::min(
      table.blocks(), (size_t{rows_wanted} + kBlockRows - 1) / kBlockRows);
  for (size_t block = 0; block < blocks_wanted; block += kChunkBlocks) {
    const size_t blocks = std::min(kChunkBlocks, blocks_wanted - block);
    const size_t rows = blocks * kBlockRows;
    const size_t first_row = block * kBlockRows;
    for (size_t i = 0; i < count; i += kTileVectors) {
      const size_t tile = std::min(kTileVectors, count - i);
      kernels.dot_int8(table.block(block), blocks, table.groups(),
                       quantised_.data() + i * vector_bytes, tile,
                       dots_.data());
      for (size_t t = 0; t < tile; ++t) {
        State& state = states_[i + t];
        state.count += kernels.collect(
            dots_.data() + t * rows, table.scales() + first_row,
            table.biases() + first_row, rows, state.scale, state.threshold,
            static_cast<uint32_t>(first_row), state.hits.data() + state.count);
        if (state.count > kHitsMax - kChunkRows) Compact(&state, top);
      }
    }
  }
  for (size_t i = 0; i < count; ++i) {
    State& state = states_[i];
    Compact(&state, top);
    std::sort(state.hits.begin(),
              state.hits.begin() + static_cast<std::ptrdiff_t>(state.count),
              Better);
  }
}

}  // namespace freshline::featurize
