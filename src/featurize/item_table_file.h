// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/random.h"
#include "featurize/content.h"
#include "featurize/kernels/scan.h"

// The file format of item tables: a header, then sections whose places follow
// from the header's counts, each 64-aligned and padded with zeros. Integers
// and floats as the machine has them; only little-endian ones are supported.

namespace freshline::featurize {

inline constexpr char kItemTableMagic[8] = {'F', 'R', 'S', 'H',
                                            'I', 'T', 'E', 'M'};
inline constexpr uint32_t kItemTableVersion = 1;
inline constexpr uint32_t kEmptySlot = 0xffffffffU;

struct ItemTableHeader {
  char magic[8] = {};
  uint32_t version = 0;
  uint32_t dim = 0;
  uint32_t items = 0;
  uint32_t rows = 0;         // items and padding
  uint32_t index_slots = 0;  // a power of two, more than items
  uint32_t neighbours = 0;
  float beta = 0;
  uint32_t payload_crc = 0;  // CRC-32 (zlib) of all after the header
  uint64_t payload_bytes = 0;
  uint32_t reserved[3] = {};
  uint32_t header_crc = 0;  // CRC-32 of the header before this field
};
static_assert(sizeof(ItemTableHeader) == 64);

// Byte offsets of the sections from the start of the file.
struct ItemTableSections {
  // REQUIRES: items <= rows <= kItemRowsMax, index_slots <= 2^27: no sum
  // overflows.
  explicit ItemTableSections(const ItemTableHeader& h) {
    const uint64_t blocks = (uint64_t{h.rows} + kBlockRows - 1) / kBlockRows;
    const uint64_t items = h.items;
    constants = Take(sizeof(ContentConstants));
    ids = Take(items * sizeof(int64_t));
    index = Take(uint64_t{h.index_slots} * sizeof(uint32_t));
    biases = Take(blocks * kBlockRows * sizeof(float));
    scales = Take(blocks * kBlockRows * sizeof(float));
    codes = Take(blocks * kBlockBytes);
    vectors = Take(items * kVectorDim * sizeof(float));
    totals = Take(items * sizeof(float));
    neighbour_begin = Take((items + 1) * sizeof(uint32_t));
    neighbours = Take(uint64_t{h.neighbours} * sizeof(uint32_t));
    weights = Take(uint64_t{h.neighbours} * sizeof(float));
  }

  uint64_t end = sizeof(ItemTableHeader);
  uint64_t constants, ids, index, biases, scales, codes, vectors, totals,
      neighbour_begin, neighbours, weights;

 private:
  uint64_t Take(uint64_t bytes) {
    const uint64_t at = end;
    end += (bytes + 63) / 64 * 64;
    return at;
  }
};

// The first slot to look at for an id; the next ones follow, wrapping.
inline uint32_t FirstSlot(int64_t id, uint32_t index_mask) {
  return static_cast<uint32_t>(base::MixBits(static_cast<uint64_t>(id))) &
         index_mask;
}

}  // namespace freshline::featurize
