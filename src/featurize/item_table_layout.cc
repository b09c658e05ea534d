// SPDX-License-Identifier: Apache-2.0
#include "featurize/item_table_layout.h"

#include <zlib.h>

#include "base/random.h"
#include "featurize/kernel_functions.h"

namespace freshline::featurize {
namespace {

constexpr uint64_t kAlign = 64;

// Takes the next section, and returns where it begins.
uint64_t Take(uint64_t* at, uint64_t count, uint64_t element_bytes) {
  const uint64_t begin = (*at + kAlign - 1) / kAlign * kAlign;
  *at = begin + count * element_bytes;
  return begin;
}

}  // namespace

ItemTableLayout::ItemTableLayout(const ItemTableHeader& header) {
  const uint64_t columns = header.dim - 1;
  const uint64_t padded_rows =
      (header.rows + kBlockRows - 1) / kBlockRows * kBlockRows;
  const uint64_t padded_columns =
      (columns + kGroupColumns - 1) / kGroupColumns * kGroupColumns;
  uint64_t at = sizeof(ItemTableHeader);
  projection = Take(&at, 4 * columns, sizeof(float));
  ids = Take(&at, header.items, sizeof(int64_t));
  index = Take(&at, header.index_slots, sizeof(uint32_t));
  offsets = Take(&at, header.items + 1, sizeof(uint32_t));
  neighbours = Take(&at, header.neighbours, sizeof(uint32_t));
  weights = Take(&at, header.neighbours, sizeof(float));
  totals = Take(&at, header.items, sizeof(float));
  biases = Take(&at, padded_rows, sizeof(float));
  scales = Take(&at, padded_rows, sizeof(float));
  quantised = Take(&at, padded_rows, padded_columns);
  vectors = Take(&at, header.rows, header.dim * sizeof(float));
  file_bytes = at;
}

uint64_t SlotOf(int64_t id, uint64_t slots) {
  return base::MixBits(static_cast<uint64_t>(id)) & (slots - 1);
}

uint32_t Crc32(uint32_t crc, const void* data, size_t bytes) {
  // For no data at no address zlib returns the checksum of nothing instead.
  if (bytes == 0) return crc;
  return static_cast<uint32_t>(
      crc32_z(crc, static_cast<const Bytef*>(data), bytes));
}

uint32_t HeaderCrc(ItemTableHeader header) {
  header.header_crc = 0;
  return Crc32(0, &header, sizeof(header));
}

}  // namespace freshline::featurize
