// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "featurize/aggregate/sums.h"
#include "registry/revision.h"

namespace freshline::featurize {

// Loops over the cells of a column, the widest the processor has: what most of
// an aggregate's time goes into. On every processor they give the same bits.

// What a pass over finite doubles finds.
struct FloatScan {
  CompensatedSum sum;
  // Of no cells: infinite, the other way round.
  double least;
  double most;
};

// The cells are dealt to a fixed number of sums in turn, which are added in
// order: the result depends on the cells alone, not on where they stand.
// 0.3 ns a cell.
FloatScan ScanFloats(std::span<const double> cells);

// Clears mask[i] where `op` does not hold between cells[i] and `operand`.
// REQUIRES: mask has as many cells. 0.2 ns a cell.
void Narrow(registry::Filter::Op op, std::span<const double> cells,
            double operand, uint8_t* mask);
void Narrow(registry::Filter::Op op, std::span<const int64_t> cells,
            int64_t operand, uint8_t* mask);

// Clears mask[i] where nulls[i] is 1. Both hold 0 and 1, `size` of them.
void NarrowByNulls(const uint8_t* nulls, size_t size, uint8_t* mask);

// How many of `flags`, each 0 or 1, are 1. Well below 0.1 ns a flag.
size_t CountOnes(std::span<const uint8_t> flags);

// Copies the cells whose flag is 1 to `out`, in order. Returns how many.
// REQUIRES: `out` has room for all of them.
size_t Compress(std::span<const double> cells, const uint8_t* flags,
                double* out);

}  // namespace freshline::featurize
