// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/output_file.h"
#include "base/status_macros.h"
#include "featurize/item_table.h"
#include "featurize/item_table_layout.h"

namespace freshline::featurize {
namespace {

// Writes sections in order, padded, under a running checksum.
class SectionFile {
 public:
  explicit SectionFile(std::FILE* file) : file_(file) {}

  void Append(const void* data, uint64_t bytes) {
    crc_ = Crc32(crc_, data, bytes);
    at_ += bytes;
    if (bytes > 0 && std::fwrite(data, 1, bytes, file_) != bytes) ok_ = false;
  }
  template <typename T>
  void Section(uint64_t offset, const std::vector<T>& values) {
    PadTo(offset);
    Append(values.data(), values.size() * sizeof(T));
  }
  void PadTo(uint64_t offset) {
    static constexpr char kZeros[64] = {};
    while (at_ < offset) Append(kZeros, std::min<uint64_t>(64, offset - at_));
  }
  bool ok() const { return ok_; }
  uint32_t crc() const { return crc_; }

 private:
  std::FILE* const file_;
  uint64_t at_ = sizeof(ItemTableHeader);
  uint32_t crc_ = 0;
  bool ok_ = true;
};

absl::Status CheckSizes(const ItemTableContents& c) {
  const auto check = [](absl::string_view name, uint64_t found,
                        uint64_t expected) {
    if (found == expected) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("item table contents: ", name, " has ", found,
                     " elements, not ", expected));
  };
  if (c.dim < 2 || c.dim > kTableDimMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        "item table contents: dim is ", c.dim, ", not in 2 to ", kTableDimMax));
  }
  const uint64_t rows = c.popularity.size();
  if (rows > kTableRowsMax || c.ids.size() > rows) {
    return absl::InvalidArgumentError(
        absl::StrCat("item table contents: ", c.ids.size(), " items in ", rows,
                     " rows of at most ", kTableRowsMax));
  }
  FRESHLINE_RETURN_IF_ERROR(
      check("projection", c.projection.size(), 4 * (uint64_t{c.dim} - 1)));
  FRESHLINE_RETURN_IF_ERROR(check("vectors", c.vectors.size(), rows * c.dim));
  FRESHLINE_RETURN_IF_ERROR(
      check("offsets", c.offsets.size(), c.ids.size() + 1));
  FRESHLINE_RETURN_IF_ERROR(
      check("neighbours", c.neighbours.size(), c.offsets.back()));
  FRESHLINE_RETURN_IF_ERROR(
      check("weights", c.weights.size(), c.neighbours.size()));
  return check("totals", c.totals.size(), c.ids.size());
}

absl::StatusOr<std::vector<uint32_t>> MakeIndex(
    const std::vector<int64_t>& ids) {
  const uint64_t slots = std::bit_ceil(std::max<uint64_t>(16, 2 * ids.size()));
  std::vector<uint32_t> index(slots, kNoRow);
  for (uint32_t row = 0; row < ids.size(); ++row) {
    uint64_t slot = SlotOf(ids[row], slots);
    for (; index[slot] != kNoRow; slot = (slot + 1) & (slots - 1)) {
      if (ids[index[slot]] == ids[row]) {
        return absl::InvalidArgumentError(
            absl::StrCat("item table contents: item ", ids[row], " stands in ",
                         "rows ", index[slot], " and ", row));
      }
    }
    index[slot] = row;
  }
  return index;
}

// Quantises all rows, 8 bits and a scale each, into interleaved blocks.
std::vector<int8_t> Quantise(const ItemTableContents& c,
                             std::vector<float>* scales) {
  const size_t columns = c.dim - 1;
  const size_t groups = (columns + kGroupColumns - 1) / kGroupColumns;
  const size_t rows = c.popularity.size();
  const size_t blocks = (rows + kBlockRows - 1) / kBlockRows;
  std::vector<int8_t> out(blocks * groups * kBlockRows * kGroupColumns);
  scales->assign(blocks * kBlockRows, 0.0F);
  for (size_t row = 0; row < rows; ++row) {
    const float* vector = c.vectors.data() + row * c.dim;
    float largest = 0;
    for (size_t d = 0; d < columns; ++d) {
      largest = std::max(largest, std::fabs(vector[d]));
    }
    (*scales)[row] = largest / 127;
    const float inverse = largest > 0 ? 127 / largest : 0;
    int8_t* block =
        out.data() + row / kBlockRows * groups * kBlockRows * kGroupColumns;
    for (size_t d = 0; d < columns; ++d) {
      const size_t group = d / kGroupColumns;
      block[(group * kBlockRows + row % kBlockRows) * kGroupColumns +
            d % kGroupColumns] =
          static_cast<int8_t>(std::lround(vector[d] * inverse));
    }
  }
  return out;
}

bool WriteAll(std::FILE* file, const ItemTableContents& c,
              const std::vector<uint32_t>& index, ItemTableHeader* header) {
  const ItemTableLayout layout(*header);
  std::vector<float> scales;
  const std::vector<int8_t> quantised = Quantise(c, &scales);
  std::vector<float> biases = c.popularity;
  biases.resize(scales.size(), kNeverRecommended);

  if (std::fseek(file, sizeof(*header), SEEK_SET) != 0) return false;
  SectionFile out(file);
  out.Section(layout.projection, c.projection);
  out.Section(layout.ids, c.ids);
  out.Section(layout.index, index);
  out.Section(layout.offsets, c.offsets);
  out.Section(layout.neighbours, c.neighbours);
  out.Section(layout.weights, c.weights);
  out.Section(layout.totals, c.totals);
  out.Section(layout.biases, biases);
  out.Section(layout.scales, scales);
  out.Section(layout.quantised, quantised);
  out.Section(layout.vectors, c.vectors);
  header->contents_crc = out.crc();
  header->header_crc = HeaderCrc(*header);
  return out.ok() && std::fseek(file, 0, SEEK_SET) == 0 &&
         std::fwrite(header, sizeof(*header), 1, file) == 1;
}

}  // namespace

absl::Status WriteItemTable(const std::string& path,
                            const ItemTableContents& contents) {
  FRESHLINE_RETURN_IF_ERROR(CheckSizes(contents));
  FRESHLINE_ASSIGN_OR_RETURN(const std::vector<uint32_t> index,
                             MakeIndex(contents.ids));
  ItemTableHeader header{};
  std::memcpy(header.magic, ItemTableHeader::kMagic, sizeof(header.magic));
  header.version = ItemTableHeader::kVersion;
  header.dim = contents.dim;
  header.rows = contents.popularity.size();
  header.items = contents.ids.size();
  header.neighbours = contents.neighbours.size();
  header.index_slots = index.size();
  header.hash_seed = contents.hash_seed;
  header.beta = contents.beta;

  constexpr base::FileKind kKind = {
      "item table", [](absl::string_view head) {
        return absl::StartsWith(
            head, absl::string_view(ItemTableHeader::kMagic,
                                    sizeof(ItemTableHeader::kMagic)));
      }};
  FRESHLINE_RETURN_IF_ERROR(base::CheckReplaceable(path, kKind));
  const std::string partial = path + ".partial";
  std::FILE* const file = std::fopen(partial.c_str(), "wb");
  bool ok = file != nullptr && WriteAll(file, contents, index, &header);
  if (file != nullptr && std::fclose(file) != 0) ok = false;
  if (!ok || std::rename(partial.c_str(), path.c_str()) != 0) {
    const std::string reason = std::strerror(errno);
    std::remove(partial.c_str());
    return absl::UnavailableError(
        absl::StrCat("item table ", path, ": cannot be written (", reason,
                     "): is the directory there, and the disk not full?"));
  }
  return absl::OkStatus();
}

}  // namespace freshline::featurize
