// SPDX-License-Identifier: Apache-2.0
#include "serve/answer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace freshline::serve {
namespace {

// Room for more is made when they come: large queries fill other segments.
constexpr uint32_t kRowsReserved = 64;

}  // namespace

Answer::Answer(std::shared_ptr<const registry::Revision> revision,
               std::shared_ptr<const registry::QueryPlan> plan, uint32_t rows,
               std::vector<bool> shared_groups)
    : revision_(std::move(revision)),
      plan_(std::move(plan)),
      rows_(rows),
      shared_groups_(std::move(shared_groups)) {
  size_t slots = 0;
  size_t bytes = 0;
  for (size_t g = 0; g < plan_->groups.size(); ++g) {
    first_slot_.push_back(slots);
    slots += this->rows(g);
    bytes += std::min(this->rows(g), kRowsReserved) *
             (group(g).layout.fixed_bytes() + 64);
  }
  slots_.resize(slots);
  segments_.resize(1);
  segments_[0].reserve(bytes);
}

void Answer::Put(size_t group, uint32_t row, std::span<const std::byte> bytes,
                 const RowFreshness& freshness, size_t segment) {
  Slot& slot = slots_[Index(group, row)];
  slot.freshness = freshness;
  slot.is_default = bytes.empty();
  if (bytes.empty()) return;
  const auto size = static_cast<uint32_t>(bytes.size());
  if (size > slot.capacity) {
    std::vector<std::byte>& fresh = segments_[segment];
    slot.segment = static_cast<uint32_t>(segment);
    slot.offset = static_cast<uint32_t>(fresh.size());
    slot.capacity = (size + 7) & ~uint32_t{7};
    fresh.resize(fresh.size() + slot.capacity);
  }
  slot.size = size;
  std::memcpy(segments_[slot.segment].data() + slot.offset, bytes.data(), size);
}

size_t Answer::values() const {
  size_t values = 0;
  for (const uint32_t g : plan_->group_index) values += rows(g);
  return values;
}

std::span<const std::byte> Answer::bytes(size_t group, uint32_t row) const {
  const Slot& slot = slots_[Index(group, row)];
  if (slot.is_default) return this->group(group).default_row;
  return {segments_[slot.segment].data() + slot.offset, slot.size};
}

}  // namespace freshline::serve
