// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "featurize/content.h"
#include "featurize/kernel_functions.h"

namespace freshline::featurize {

// Bounds of a file.
inline constexpr uint32_t kTableDimMax = 1024;
inline constexpr uint64_t kTableRowsMax = uint64_t{1} << 26;
inline constexpr uint64_t kNeighboursMax = 200;  // per item

// The popularity of a row that is never recommended.
inline constexpr float kNeverRecommended =
    -std::numeric_limits<float>::infinity();

// An immutable table of item vectors and co-visitation, mapped from a file that
// WriteItemTable() wrote. A vector has `dim` columns: dim - 1 of content, of
// unit length, and one of popularity, which every user weighs by 1. Popularity
// stands apart from the vectors, as a bias, because one 8-bit scale could not
// hold both.
//
// Rows [0, items) are items; rows [items, rows) are padding: scanned, never
// found, never recommended. Items stand by popularity, most popular first.
//
// Thread-safety: const methods from any thread. Views live as long as the
// table. All pages are populated by Open(). The file must not change in place:
// replace it by rename, as WriteItemTable() does.
class ItemTable {
 public:
  // Maps and checks the file: size, version, dimension, checksums, and every
  // index and number in it, so that no later access can go astray.
  // expected_dim 0 accepts any.
  // Returns: NOT_FOUND; INVALID_ARGUMENT or DATA_LOSS naming the file, what
  // was found and what was expected. Cost: about 0.3 s per GB.
  static absl::StatusOr<std::shared_ptr<const ItemTable>> Open(
      const std::string& path, uint32_t expected_dim);
  ~ItemTable();
  ItemTable(const ItemTable&) = delete;
  ItemTable& operator=(const ItemTable&) = delete;

  uint32_t dim() const { return dim_; }
  size_t content_columns() const { return dim_ - 1; }
  uint32_t rows() const { return rows_; }
  uint32_t items() const { return items_; }
  uint64_t bytes() const { return bytes_; }

  // Row of an item, or nullopt. O(1).
  std::optional<uint32_t> Find(int64_t item) const;
  int64_t item(uint32_t row) const { return ids_[row]; }  // REQUIRES: < items

  // [dim]: the content; the last column is 0.
  const float* vector(uint32_t row) const {
    return vectors_ + size_t{row} * dim_;
  }
  // (log(clicks + .3) - log(most clicks + 1)) / beta, or kNeverRecommended.
  float popularity(uint32_t row) const { return biases_[row]; }
  bool is_candidate(uint32_t row) const {
    return biases_[row] > kNeverRecommended;
  }

  // Items clicked near this one in a session, strongest first, with the weight
  // of each; `total` is the weight of all, kept or not.
  std::span<const uint32_t> neighbours(uint32_t row) const {
    return {neighbours_ + offsets_[row], neighbours_ + offsets_[row + 1]};
  }
  std::span<const float> weights(uint32_t row) const {
    return {weights_ + offsets_[row], weights_ + offsets_[row + 1]};
  }
  float total(uint32_t row) const { return totals_[row]; }

  // The sharpness of the softmax over scores.
  float beta() const { return beta_; }
  const ContentProjection& projection() const { return projection_; }

  // What is scanned: blocks as in kernel_functions.h, with a scale and a bias
  // per row. Rows beyond rows() fill the last block; their bias is
  // kNeverRecommended.
  size_t blocks() const { return (rows_ + kBlockRows - 1) / kBlockRows; }
  size_t groups() const {
    return (content_columns() + kGroupColumns - 1) / kGroupColumns;
  }
  const int8_t* block(size_t i) const {
    return quantised_ + i * groups() * kBlockRows * kGroupColumns;
  }
  const float* scales() const { return scales_; }
  const float* biases() const { return biases_; }

 private:
  ItemTable() = default;
  absl::Status Bind(const std::string& path, uint32_t expected_dim);
  absl::Status CheckContents(const std::string& path) const;

  const std::byte* data_ = nullptr;
  uint64_t bytes_ = 0;
  uint32_t dim_ = 0;
  uint32_t rows_ = 0;
  uint32_t items_ = 0;
  uint32_t neighbour_count_ = 0;
  float beta_ = 0;
  ContentProjection projection_;
  const int64_t* ids_ = nullptr;     // [items]
  const uint32_t* index_ = nullptr;  // [index_mask_ + 1], open addressing
  uint64_t index_mask_ = 0;
  const uint32_t* offsets_ = nullptr;  // [items + 1]
  const uint32_t* neighbours_ = nullptr;
  const float* weights_ = nullptr;
  const float* totals_ = nullptr;  // [items]
  const float* biases_ = nullptr;  // [blocks * 16]
  const float* scales_ = nullptr;  // "
  const int8_t* quantised_ = nullptr;
  const float* vectors_ = nullptr;  // [rows x dim]
};

// What a file is made of, in the order of its rows.
struct ItemTableContents {
  uint32_t dim = 64;
  float beta = 30;
  uint64_t hash_seed = 0;
  std::vector<float> projection;  // [4 x (dim - 1)], DrawProjection()
  std::vector<int64_t> ids;       // [items], distinct
  std::vector<float> vectors;     // [rows x dim], last column 0
  std::vector<float> popularity;  // [rows]; padding: kNeverRecommended
  std::vector<uint32_t> offsets;  // [items + 1], of neighbours
  std::vector<uint32_t> neighbours;
  std::vector<float> weights;
  std::vector<float> totals;  // [items]
};

// Writes a file beside `path` and renames it, so that readers see the old one
// or the whole new one.
// Returns: INVALID_ARGUMENT for contents that do not fit together; the errors
// of base::CheckReplaceable(), or UNAVAILABLE for a file that cannot be
// written, naming it.
absl::Status WriteItemTable(const std::string& path,
                            const ItemTableContents& contents);

}  // namespace freshline::featurize
