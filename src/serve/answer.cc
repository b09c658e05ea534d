// SPDX-License-Identifier: Apache-2.0
#include "serve/answer.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "base/check.h"

namespace freshline::serve {

using registry::Scalar;
using registry::ValueStatus;
using registry::ValueType;

namespace {

// Room for more is made when they come: large queries fill other segments.
constexpr uint32_t kRowsReserved = 64;

// On the wire, from above: a row's entries in GroupFreshness, and a feature's
// name, tags and lengths.
constexpr size_t kFreshnessBytes = 50;
constexpr size_t kColumnBytes = 48;

// What a value takes of itself; what stands in the heap comes besides.
size_t FixedWireBytes(const ValueType& type) {
  constexpr size_t kStatus = 1;
  constexpr size_t kLength = 5;
  constexpr size_t kVarint = 10;
  if (type.shape == ValueType::Shape::kVector) {
    return kStatus + type.dim * sizeof(float);
  }
  if (registry::InHeap(type)) return kStatus + kLength;
  switch (type.scalar) {
    case Scalar::kBool:
      return kStatus + 1;
    case Scalar::kFloat64:
      return kStatus + sizeof(double);
    default:
      return kStatus + kVarint;
  }
}

bool IsListOfIntegers(const ValueType& type) {
  return type.shape == ValueType::Shape::kList &&
         (type.scalar == Scalar::kInt64 || type.scalar == Scalar::kTimestamp);
}

}  // namespace

Answer::Answer(std::shared_ptr<const registry::Revision> revision,
               std::shared_ptr<const registry::QueryPlan> plan, uint32_t rows,
               std::vector<bool> shared_groups, size_t bytes_max)
    : revision_(std::move(revision)),
      plan_(std::move(plan)),
      rows_(rows),
      bytes_max_(bytes_max),
      shapes_(MakeShapes()),
      shared_groups_(std::move(shared_groups)) {
  size_t slots = 0;
  size_t bytes = 0;
  for (size_t g = 0; g < plan_->groups.size(); ++g) {
    first_slot_.push_back(slots);
    slots += this->rows(g);
    bytes += std::min(this->rows(g), kRowsReserved) *
             (group(g).layout.fixed_bytes() + 64);
    wire_bytes_.Add(kColumnBytes + group(g).name.size());
  }
  for (const std::string& name : plan_->names) {
    wire_bytes_.Add(kColumnBytes + name.size());
  }
  slots_.resize(slots);
  segments_.resize(1);
  segments_[0].bytes.reserve(std::min(bytes, bytes_max_));
}

std::vector<Answer::Shape> Answer::MakeShapes() const {
  std::vector<Shape> shapes;
  shapes.reserve(plan_->groups.size());
  for (size_t g = 0; g < plan_->groups.size(); ++g) {
    Shape& shape = shapes.emplace_back(group(g));
    const size_t default_bytes = group(g).default_row.size();
    const size_t fixed_bytes = group(g).layout.fixed_bytes();
    shape.wire_fixed =
        kFreshnessBytes + std::max(default_bytes, fixed_bytes) - fixed_bytes;
  }
  for (size_t i = 0; i < plan_->features.size(); ++i) {
    const size_t g = plan_->group_index[i];
    const size_t feature = plan_->features[i].feature;
    const ValueType& type = group(g).layout.type(feature);
    shapes[g].wanted[feature] = true;
    shapes[g].wire_fixed += FixedWireBytes(type);
    shapes[g].wide_heap |= IsListOfIntegers(type);
  }
  for (size_t g = 0; g < plan_->groups.size(); ++g) {
    const registry::RowLayout& layout = group(g).layout;
    for (size_t f = 0; f < layout.size(); ++f) {
      shapes[g].projected |=
          !shapes[g].wanted[f] && registry::InHeap(layout.type(f));
    }
  }
  return shapes;
}

size_t Answer::WireBytes(size_t group, std::span<const std::byte> bytes) const {
  const Shape& shape = shapes_[group];
  if (bytes.empty()) return shape.wire_fixed;
  const size_t heap = bytes.size() - this->group(group).layout.fixed_bytes();
  return shape.wire_fixed + heap + (shape.wide_heap ? heap / 4 : 0);
}

bool Answer::Count(Slot* slot, size_t wire_bytes) {
  const size_t all = wire_bytes_.Add(wire_bytes - slot->wire_bytes);
  slot->wire_bytes = static_cast<uint32_t>(wire_bytes);
  if (all > bytes_max_) overflown_.Add(1);
  return !overflown();
}

void Answer::Put(size_t group, uint32_t row, std::span<const std::byte> bytes,
                 const RowFreshness& freshness, size_t segment) {
  if (overflown()) return;
  if (!bytes.empty() && shapes_[group].projected) {
    registry::ProjectRow(this->group(group).layout, bytes,
                         shapes_[group].wanted, &segments_[segment].projection);
    bytes = segments_[segment].projection;
  }
  Slot& slot = slots_[Index(group, row)];
  if (!Count(&slot, WireBytes(group, bytes))) return;
  slot.freshness = freshness;
  slot.is_default = bytes.empty();
  if (bytes.empty()) return;
  const auto size = static_cast<uint32_t>(bytes.size());
  if (size > slot.capacity) {
    registry::RowBytes& fresh = segments_[segment].bytes;
    slot.segment = static_cast<uint32_t>(segment);
    slot.offset = static_cast<uint32_t>(fresh.size());
    slot.capacity = (size + 7) & ~uint32_t{7};
    fresh.resize(fresh.size() + slot.capacity);
  }
  slot.size = size;
  std::memcpy(segments_[slot.segment].bytes.data() + slot.offset, bytes.data(),
              size);
}

size_t Answer::values() const {
  size_t values = 0;
  for (const uint32_t g : plan_->group_index) values += rows(g);
  return values;
}

void Answer::Repeat(size_t group, uint32_t row, uint32_t as) {
  Slot& from = slots_[Index(group, as)];
  Slot& to = slots_[Index(group, row)];
  Count(&to, from.wire_bytes);
  // What two rows share neither overwrites.
  from.capacity = 0;
  to = from;
}

uint32_t Answer::RowsThatFit() const {
  std::vector<size_t> means;  // by group
  size_t bytes = wire_bytes_.Get();
  for (size_t g = 0; g < plan_->groups.size(); ++g) {
    size_t known = 0;
    size_t sum = 0;
    for (uint32_t row = 0; row < rows(g); ++row) {
      const size_t of_row = slots_[Index(g, row)].wire_bytes;
      known += of_row > 0 ? 1 : 0;
      sum += of_row;
    }
    bytes -= sum;
    means.push_back(known > 0 ? sum / known : shapes_[g].wire_fixed);
  }
  for (uint32_t row = 0; row < rows_; ++row) {
    for (size_t g = 0; g < plan_->groups.size(); ++g) {
      if (row >= rows(g)) continue;  // one for all
      const size_t of_row = slots_[Index(g, row)].wire_bytes;
      bytes += of_row > 0 ? of_row : means[g];
    }
    if (bytes > bytes_max_) return row;
  }
  return rows_;
}

std::span<const std::byte> Answer::bytes(size_t group, uint32_t row) const {
  const Slot& slot = slots_[Index(group, row)];
  if (slot.is_default) return this->group(group).default_row;
  return {segments_[slot.segment].bytes.data() + slot.offset, slot.size};
}

ValueStatus Answer::Value(size_t group, uint32_t row, size_t feature,
                          registry::RowView* view) const {
  const registry::FeatureGroup& definition = this->group(group);
  *view = registry::RowView(definition.layout, bytes(group, row));
  const ValueStatus status = view->status(feature);
  if (status == ValueStatus::kNull &&
      definition.features[feature].has_default) {
    *view = registry::RowView(definition.layout, definition.default_row);
    return ValueStatus::kDefaulted;
  }
  if (status == ValueStatus::kPresent &&
      freshness(group, row).outside_max_age) {
    return ValueStatus::kOutsideMaxAge;
  }
  return status;
}

}  // namespace freshline::serve
