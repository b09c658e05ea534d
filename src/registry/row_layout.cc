// SPDX-License-Identifier: Apache-2.0
#include "registry/row_layout.h"

#include <cstring>
#include <limits>
#include <utility>

#include "base/check.h"

namespace freshline::registry {
namespace {

struct HeapEntry {
  uint32_t offset = 0;
  uint32_t bytes = 0;
};
static_assert(sizeof(HeapEntry) == 8);

constexpr size_t PadTo8(size_t bytes) { return (bytes + 7) & ~size_t{7}; }

size_t SlotBytes(const ValueType& type) {
  if (type.shape == ValueType::Shape::kVector) {
    return PadTo8(type.dim * sizeof(float));
  }
  return 8;
}

template <typename T>
T Load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

template <typename T>
void Store(std::byte* to, const T& value) {
  std::memcpy(to, &value, sizeof(value));
}

// An empty span has no bytes to copy and may have no address.
void CopyBytes(std::byte* to, const void* from, size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

std::span<const std::byte> HeapBytes(std::span<const std::byte> row,
                                     size_t slot) {
  const auto entry = Load<HeapEntry>(row.data() + slot);
  FRESHLINE_DCHECK(size_t{entry.offset} + entry.bytes <= row.size());
  return row.subspan(entry.offset, entry.bytes);
}

template <typename T>
std::span<const T> HeapSpan(std::span<const std::byte> row, size_t slot) {
  const auto bytes = HeapBytes(row, slot);
  return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
}

}  // namespace

RowLayout::RowLayout(std::vector<ValueType> types) : types_(std::move(types)) {
  slots_.reserve(types_.size());
  size_t at = PadTo8(types_.size());
  for (const ValueType& type : types_) {
    slots_.push_back(at);
    at += SlotBytes(type);
  }
  fixed_bytes_ = at;
}

void ProjectRow(const RowLayout& layout, std::span<const std::byte> row,
                const std::vector<bool>& wanted, RowBytes* out) {
  out->assign(row.begin(),
              row.begin() + static_cast<std::ptrdiff_t>(layout.fixed_bytes()));
  for (size_t i = 0; i < layout.size(); ++i) {
    if (!InHeap(layout.type(i))) continue;
    HeapEntry entry;
    if (!wanted[i]) {
      (*out)[i] = static_cast<std::byte>(ValueStatus::kNull);
    } else if (const auto heap = HeapBytes(row, layout.slot(i));
               !heap.empty()) {
      entry = {static_cast<uint32_t>(out->size()),
               static_cast<uint32_t>(heap.size())};
      out->resize(out->size() + PadTo8(heap.size()));
      CopyBytes(out->data() + entry.offset, heap.data(), heap.size());
    }
    Store(out->data() + layout.slot(i), entry);
  }
}

int64_t RowView::Int64(size_t i) const {
  return Load<int64_t>(row_.data() + layout_->slot(i));
}

double RowView::Float64(size_t i) const {
  return Load<double>(row_.data() + layout_->slot(i));
}

absl::string_view RowView::String(size_t i) const {
  const auto bytes = HeapBytes(row_, layout_->slot(i));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const float> RowView::Vector(size_t i) const {
  return {reinterpret_cast<const float*>(row_.data() + layout_->slot(i)),
          layout_->type(i).dim};
}

std::span<const int64_t> RowView::Int64List(size_t i) const {
  return HeapSpan<int64_t>(row_, layout_->slot(i));
}

std::span<const double> RowView::Float64List(size_t i) const {
  return HeapSpan<double>(row_, layout_->slot(i));
}

void RowView::AppendStringList(size_t i,
                               std::vector<absl::string_view>* out) const {
  auto left = HeapBytes(row_, layout_->slot(i));
  while (!left.empty()) {
    const auto size = Load<uint32_t>(left.data());
    const size_t used = StringElementBytes(size);
    FRESHLINE_DCHECK(used <= left.size());
    out->emplace_back(reinterpret_cast<const char*>(left.data() + sizeof(size)),
                      size);
    left = left.subspan(used);
  }
}

RowWriter::RowWriter(const RowLayout& layout, RowBytes* out)
    : layout_(&layout), out_(out) {
  out_->clear();
  out_->resize(layout.fixed_bytes());
  for (size_t i = 0; i < layout.size(); ++i) {
    (*out_)[i] = static_cast<std::byte>(ValueStatus::kNull);
  }
}

void RowWriter::SetStatus(size_t i, ValueStatus status) {
  (*out_)[i] = static_cast<std::byte>(status);
}

void RowWriter::SetInt64(size_t i, int64_t v) {
  Store(out_->data() + layout_->slot(i), v);
  SetStatus(i, ValueStatus::kPresent);
}

void RowWriter::SetFloat64(size_t i, double v) {
  Store(out_->data() + layout_->slot(i), v);
  SetStatus(i, ValueStatus::kPresent);
}

void RowWriter::SetString(size_t i, absl::string_view v) {
  CopyBytes(AppendHeap(i, v.size()), v.data(), v.size());
}

void RowWriter::SetVector(size_t i, std::span<const float> v) {
  FRESHLINE_DCHECK(v.size() == layout_->type(i).dim);
  CopyBytes(out_->data() + layout_->slot(i), v.data(), v.size_bytes());
  SetStatus(i, ValueStatus::kPresent);
}

std::span<float> RowWriter::MutableVector(size_t i) {
  SetStatus(i, ValueStatus::kPresent);
  return {reinterpret_cast<float*>(out_->data() + layout_->slot(i)),
          layout_->type(i).dim};
}

void RowWriter::SetInt64List(size_t i, std::span<const int64_t> v) {
  CopyBytes(AppendHeap(i, v.size_bytes()), v.data(), v.size_bytes());
}

void RowWriter::SetFloat64List(size_t i, std::span<const double> v) {
  CopyBytes(AppendHeap(i, v.size_bytes()), v.data(), v.size_bytes());
}

void RowWriter::SetStringList(size_t i, std::span<const absl::string_view> v) {
  size_t bytes = 0;
  for (absl::string_view s : v) bytes += StringElementBytes(s.size());
  std::byte* to = AppendHeap(i, bytes);
  for (absl::string_view s : v) {
    Store(to, static_cast<uint32_t>(s.size()));
    CopyBytes(to + sizeof(uint32_t), s.data(), s.size());
    to += StringElementBytes(s.size());
  }
}

std::byte* RowWriter::AppendHeap(size_t i, size_t bytes) {
  const size_t offset = out_->size();
  FRESHLINE_CHECK(offset + bytes <= std::numeric_limits<uint32_t>::max());
  out_->resize(offset + PadTo8(bytes));
  Store(out_->data() + layout_->slot(i),
        HeapEntry{static_cast<uint32_t>(offset), static_cast<uint32_t>(bytes)});
  SetStatus(i, ValueStatus::kPresent);
  return out_->data() + offset;
}

}  // namespace freshline::registry
