// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

namespace freshline::featurize {

// The file of an item table: this header, and then the sections of
// ItemTableLayout, each at a multiple of 64 bytes, little-endian. Offsets are
// computed from the counts, so no file can make them wrong.
struct ItemTableHeader {
  static constexpr char kMagic[8] = {'F', 'R', 'S', 'H', 'L', 'T', 'A', 'B'};
  static constexpr uint32_t kVersion = 1;

  char magic[8];
  uint32_t version;
  uint32_t dim;
  uint64_t rows;
  uint64_t items;
  uint64_t neighbours;
  uint64_t index_slots;  // a power of two
  uint64_t hash_seed;
  float beta;
  uint32_t contents_crc;  // CRC-32 of everything after the header
  uint32_t reserved;      // 0
  uint32_t header_crc;    // CRC-32 of the header with this field 0
};
static_assert(sizeof(ItemTableHeader) == 72);

// A free slot of the index of ids.
inline constexpr uint32_t kNoRow = UINT32_MAX;

// Byte offsets of the sections.
struct ItemTableLayout {
  // REQUIRES: counts within the bounds of item_table.h.
  explicit ItemTableLayout(const ItemTableHeader& header);

  uint64_t projection;  // float [4 x (dim - 1)]
  uint64_t ids;         // int64 [items]
  uint64_t index;       // uint32 [index_slots]: rows, by SlotOf() and onwards
  uint64_t offsets;     // uint32 [items + 1]
  uint64_t neighbours;  // uint32 [neighbours]
  uint64_t weights;     // float [neighbours]
  uint64_t totals;      // float [items]
  uint64_t biases;      // float [blocks * 16]
  uint64_t scales;      // float [blocks * 16]
  uint64_t quantised;   // int8 [blocks * 16 x groups * 4], interleaved
  uint64_t vectors;     // float [rows x dim]
  uint64_t file_bytes;
};

// Where the search for an id begins.
uint64_t SlotOf(int64_t id, uint64_t slots);

uint32_t Crc32(uint32_t crc, const void* data, size_t bytes);
uint32_t HeaderCrc(ItemTableHeader header);

}  // namespace freshline::featurize
