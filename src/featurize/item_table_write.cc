// SPDX-License-Identifier: Apache-2.0
#include <zlib.h>

#include <cmath>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "featurize/item_table.h"
#include "featurize/item_table_file.h"

namespace freshline::featurize {
namespace {

absl::Status Invalid(absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("cannot write an item table: ", what));
}

absl::Status CheckSizes(const ItemTableContents& c) {
  const size_t items = c.ids.size();
  if (c.vectors.size() % kVectorDim != 0 ||
      c.vectors.size() / kVectorDim < items) {
    return Invalid(absl::StrCat("vectors hold ", c.vectors.size(),
                                " floats, not 64 for each row and a row for "
                                "each of ",
                                items, " items"));
  }
  if (c.vectors.size() / kVectorDim > kItemRowsMax) {
    return Invalid(absl::StrCat("it has ", c.vectors.size() / kVectorDim,
                                " rows; at most ", kItemRowsMax,
                                " are supported"));
  }
  if (c.popularity.size() != items || c.totals.size() != items ||
      c.neighbour_begin.size() != items + 1) {
    return Invalid(
        absl::StrCat("popularity, totals and neighbour_begin must "
                     "have an element per item, and one more: ",
                     items, " items, ", c.popularity.size(), ", ",
                     c.totals.size(), " and ", c.neighbour_begin.size()));
  }
  if (c.neighbours.size() != c.weights.size() ||
      c.neighbour_begin.front() != 0 ||
      c.neighbour_begin.back() != c.neighbours.size()) {
    return Invalid("neighbours, their weights and neighbour_begin disagree");
  }
  if (!(std::isfinite(c.beta) && c.beta > 0)) {
    return Invalid(absl::StrCat("beta is ", c.beta, ", not above 0"));
  }
  return absl::OkStatus();
}

absl::Status CheckRows(const ItemTableContents& c) {
  for (size_t i = 0; i < c.ids.size(); ++i) {
    if (!std::isfinite(c.popularity[i])) {
      return Invalid(
          absl::StrCat("the popularity of item ", c.ids[i], " is not finite"));
    }
    if (i > 0 && (c.popularity[i] > c.popularity[i - 1] ||
                  (c.popularity[i] == c.popularity[i - 1] &&
                   c.ids[i] <= c.ids[i - 1]))) {
      return Invalid(absl::StrCat("item ", c.ids[i], " comes after item ",
                                  c.ids[i - 1],
                                  ": order by falling popularity, then id"));
    }
    if (c.neighbour_begin[i + 1] < c.neighbour_begin[i] ||
        c.neighbour_begin[i + 1] - c.neighbour_begin[i] > kNeighboursMax) {
      return Invalid(absl::StrCat("item ", c.ids[i], " has more than ",
                                  kNeighboursMax, " neighbours"));
    }
  }
  return absl::OkStatus();
}

// Streams sections to a file, with the checksum of all of them.
class PayloadWriter {
 public:
  explicit PayloadWriter(std::FILE* file) : file_(file) {}

  template <typename T>
  void Write(const std::vector<T>& values) {
    WriteBytes(values.data(), values.size() * sizeof(T));
  }
  void WriteBytes(const void* data, size_t bytes) {
    Append(data, bytes);
    static constexpr char kZeros[64] = {};
    Append(kZeros, (64 - bytes % 64) % 64);
  }
  bool ok() const { return ok_; }
  uint64_t bytes() const { return bytes_; }
  uint32_t crc() const { return static_cast<uint32_t>(crc_); }

 private:
  void Append(const void* data, size_t bytes) {
    if (bytes == 0) return;
    ok_ = ok_ && std::fwrite(data, 1, bytes, file_) == bytes;
    crc_ = crc32_z(crc_, static_cast<const Bytef*>(data), bytes);
    bytes_ += bytes;
  }
  std::FILE* const file_;
  bool ok_ = true;
  uint64_t bytes_ = 0;
  uLong crc_ = crc32_z(0, nullptr, 0);
};

struct Quantised {
  std::vector<uint8_t> codes;
  std::vector<float> scales;
  std::vector<float> biases;
};

Quantised QuantiseRows(const ItemTableContents& c) {
  const size_t rows = c.vectors.size() / kVectorDim;
  const size_t blocks = (rows + kBlockRows - 1) / kBlockRows;
  Quantised q;
  q.codes.assign(blocks * kBlockBytes, 128);
  q.scales.assign(blocks * kBlockRows, 0);
  q.biases.assign(blocks * kBlockRows, -std::numeric_limits<float>::infinity());
  std::copy(c.popularity.begin(), c.popularity.end(), q.biases.begin());
  int8_t codes[kVectorDim];
  for (size_t i = 0; i < rows; ++i) {
    q.scales[i] = Quantise(&c.vectors[i * kVectorDim], codes);
    uint8_t* block = &q.codes[i / kBlockRows * kBlockBytes];
    for (size_t d = 0; d < kVectorDim; ++d) {
      block[CodeOffset(i % kBlockRows, d)] =
          static_cast<uint8_t>(codes[d] + 128);
    }
  }
  return q;
}

// Empty where an id occurs twice.
std::vector<uint32_t> BuildIndex(const std::vector<int64_t>& ids) {
  size_t slots = 16;
  while (slots < ids.size() * 2) slots *= 2;
  std::vector<uint32_t> index(slots, kEmptySlot);
  const auto mask = static_cast<uint32_t>(slots - 1);
  for (uint32_t row = 0; row < ids.size(); ++row) {
    uint32_t slot = FirstSlot(ids[row], mask);
    while (index[slot] != kEmptySlot) {
      if (ids[index[slot]] == ids[row]) return {};
      slot = (slot + 1) & mask;
    }
    index[slot] = row;
  }
  return index;
}

bool WriteAll(const ItemTableContents& c, const std::vector<uint32_t>& index,
              std::FILE* file) {
  ItemTableHeader header;
  // Holds the place until the checksum is known.
  if (std::fwrite(&header, sizeof(header), 1, file) != 1) return false;
  const Quantised quantised = QuantiseRows(c);
  std::vector<float> item_vectors(
      c.vectors.begin(),
      c.vectors.begin() + static_cast<ptrdiff_t>(c.ids.size() * kVectorDim));
  PayloadWriter out(file);
  out.WriteBytes(&c.constants, sizeof(c.constants));
  out.Write(c.ids);
  out.Write(index);
  out.Write(quantised.biases);
  out.Write(quantised.scales);
  out.Write(quantised.codes);
  out.Write(item_vectors);
  out.Write(c.totals);
  out.Write(c.neighbour_begin);
  out.Write(c.neighbours);
  out.Write(c.weights);
  std::memcpy(header.magic, kItemTableMagic, sizeof(header.magic));
  header.version = kItemTableVersion;
  header.dim = kVectorDim;
  header.items = static_cast<uint32_t>(c.ids.size());
  header.rows = static_cast<uint32_t>(c.vectors.size() / kVectorDim);
  header.index_slots = static_cast<uint32_t>(index.size());
  header.neighbours = static_cast<uint32_t>(c.neighbours.size());
  header.beta = c.beta;
  header.payload_crc = out.crc();
  header.payload_bytes = out.bytes();
  header.header_crc = static_cast<uint32_t>(
      crc32_z(crc32_z(0, nullptr, 0), reinterpret_cast<const Bytef*>(&header),
              offsetof(ItemTableHeader, header_crc)));
  return out.ok() && std::fseek(file, 0, SEEK_SET) == 0 &&
         std::fwrite(&header, sizeof(header), 1, file) == 1;
}

}  // namespace

absl::Status WriteItemTable(const ItemTableContents& contents,
                            const std::string& path) {
  FRESHLINE_RETURN_IF_ERROR(CheckSizes(contents));
  FRESHLINE_RETURN_IF_ERROR(CheckRows(contents));
  const std::vector<uint32_t> index = BuildIndex(contents.ids);
  if (index.empty()) return Invalid("an item id occurs twice");
  const std::string beside = path + ".new";
  std::FILE* file = std::fopen(beside.c_str(), "wb");
  bool ok = file != nullptr;
  if (ok) {
    ok = WriteAll(contents, index, file);
    ok = std::fclose(file) == 0 && ok;
    ok = ok && std::rename(beside.c_str(), path.c_str()) == 0;
    if (!ok) std::remove(beside.c_str());
  }
  if (!ok) {
    return absl::UnavailableError(absl::StrCat(
        "cannot write the item table ", path,
        ": check that the directory exists, is writable and has room"));
  }
  return absl::OkStatus();
}

}  // namespace freshline::featurize
