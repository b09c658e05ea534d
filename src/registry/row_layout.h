// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/strings/string_view.h"
#include "registry/value_type.h"

namespace freshline::registry {

// One packed feature row: what a feature function writes, the table stores, an
// answer carries and the wire encoder reads. Layout, little-endian, 8-aligned:
//
//   [status byte per feature, padded to 8]
//   [slot per feature: scalars 8 bytes; vectors dim x float32, padded to 8;
//    strings and lists {uint32 offset, uint32 bytes} into the heap]
//   [heap, every entry padded to 8]
//
// List elements are 8 bytes each; a list of strings is a sequence of
// {uint32 length, bytes} padded to 4. Offsets are from the start of the row.
// A row is at most 4 GiB. The bytes are aligned as operator new aligns, so that
// vectors and lists are read in place.
using RowBytes = std::vector<std::byte>;

// Where writers of strings and lists of any length stop.
inline constexpr size_t kRowBytesMax = size_t{8} << 20;

// What a string of `bytes` takes as an element of a list.
constexpr size_t StringElementBytes(size_t bytes) {
  return sizeof(uint32_t) + ((bytes + 3) & ~size_t{3});
}

// Where the features of one group stand in its rows. Immutable.
class RowLayout {
 public:
  RowLayout() = default;
  explicit RowLayout(std::vector<ValueType> types);

  size_t size() const { return types_.size(); }
  const ValueType& type(size_t feature) const { return types_[feature]; }
  size_t slot(size_t feature) const { return slots_[feature]; }
  // Bytes of statuses and slots: where the heap begins.
  size_t fixed_bytes() const { return fixed_bytes_; }

 private:
  std::vector<ValueType> types_;
  std::vector<size_t> slots_;
  size_t fixed_bytes_ = 0;
};

// Whether values of this type stand in the heap of a row.
inline bool InHeap(const ValueType& type) {
  return type.shape == ValueType::Shape::kList ||
         (type.shape == ValueType::Shape::kScalar &&
          type.scalar == Scalar::kString);
}

// Writes `row` into `out`, without the strings and lists of features that are
// not `wanted`: those are NULL there. Cost: a copy of what is wanted.
// REQUIRES: `row` was written with this layout; `out` is another buffer.
void ProjectRow(const RowLayout& layout, std::span<const std::byte> row,
                const std::vector<bool>& wanted, RowBytes* out);

// Reads a packed row. A view: valid while the bytes are.
// REQUIRES: the row was written with this layout and begins 8-aligned, as
// RowBytes do. Of each getter: status(i) is one that has a value, and the type
// of feature i is the getter's.
// Cost: every getter is O(1); AppendStringList is O(strings).
class RowView {
 public:
  RowView(const RowLayout& layout, std::span<const std::byte> row)
      : layout_(&layout), row_(row) {}

  ValueStatus status(size_t i) const {
    return static_cast<ValueStatus>(row_[i]);
  }
  bool has_value(size_t i) const {
    return status(i) != ValueStatus::kNull &&
           status(i) != ValueStatus::kNotFound &&
           status(i) != ValueStatus::kError;
  }
  bool Bool(size_t i) const { return Int64(i) != 0; }
  int64_t Int64(size_t i) const;  // INT64 and TIMESTAMP
  double Float64(size_t i) const;
  absl::string_view String(size_t i) const;
  std::span<const float> Vector(size_t i) const;       // [dim]
  std::span<const int64_t> Int64List(size_t i) const;  // BOOL, INT64, TIMESTAMP
  std::span<const double> Float64List(size_t i) const;
  void AppendStringList(size_t i, std::vector<absl::string_view>* out) const;

 private:
  const RowLayout* layout_;
  std::span<const std::byte> row_;
};

// Writes a packed row into a buffer that it clears first. Features that are
// not set are NULL; one that is set is PRESENT until SetStatus() says
// otherwise. Each feature is set at most once. Allocates only when the row
// outgrows the buffer's capacity.
//
// Thread-safety: none. The layout and the buffer outlive the writer.
class RowWriter {
 public:
  RowWriter(const RowLayout& layout, RowBytes* out);

  // What the row takes so far.
  size_t bytes() const { return out_->size(); }

  void SetStatus(size_t i, ValueStatus status);
  void SetBool(size_t i, bool v) { SetInt64(i, v ? 1 : 0); }
  void SetInt64(size_t i, int64_t v);  // INT64, TIMESTAMP
  void SetFloat64(size_t i, double v);
  void SetString(size_t i, absl::string_view v);
  void SetVector(size_t i, std::span<const float> v);  // REQUIRES: size == dim
  // Returns the floats of the slot, zeros, to be filled in place. Valid until
  // the next SetString() or Set...List().
  std::span<float> MutableVector(size_t i);
  void SetInt64List(size_t i, std::span<const int64_t> v);
  void SetFloat64List(size_t i, std::span<const double> v);
  void SetStringList(size_t i, std::span<const absl::string_view> v);

 private:
  std::byte* AppendHeap(size_t i, size_t bytes);
  const RowLayout* layout_;
  RowBytes* out_;
};

}  // namespace freshline::registry
