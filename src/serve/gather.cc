// SPDX-License-Identifier: Apache-2.0
#include "serve/gather.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace freshline::serve {
namespace {

// So many rows make a part at most, or what takes about so long.
constexpr size_t kPartCells = 32;
// A few parts for each thread, so that they end together.
constexpr size_t kPartsPerThread = 8;

}  // namespace

Gather::Gather(const RowMaker* maker, table::Table* table, QueryKeys keys,
               Answer answer, RowMaker::Wanted wanted, InlineLimits limits,
               Then then)
    : maker_(maker),
      table_(table),
      keys_(std::move(keys)),
      answer_(std::move(answer)),
      wanted_(wanted),
      limits_(limits),
      then_(std::move(then)) {
  for (size_t g = 0; g < answer_.plan().groups.size(); ++g) {
    cells_ += answer_.rows(g);
    if (answer_.rows(g) > 1) in_every_row_.push_back(g);
  }
}

Gather::Cell Gather::CellAt(size_t i) const {
  // The first row has a cell of every group.
  const size_t groups = answer_.plan().groups.size();
  if (i < groups) return {i, 0};
  const size_t width = in_every_row_.size();
  return {in_every_row_[(i - groups) % width],
          static_cast<uint32_t>(1 + (i - groups) / width)};
}

size_t Gather::FillKey(size_t begin, size_t end,
                       registry::EntityKeyBuilder* builder, RowsMade* made) {
  const Cell first = CellAt(begin);
  const size_t entity = keys_.entity_of_group[first.group];
  const auto of_same_key = [&](size_t i) {
    const Cell cell = CellAt(i);
    return cell.row == first.row && keys_.entity_of_group[cell.group] == entity;
  };
  size_t key_end = begin + 1;
  while (key_end < end && of_same_key(key_end)) ++key_end;
  if (answer_.overflown()) return key_end - begin;
  const std::vector<uint32_t>& first_rows = keys_.first_rows[entity];
  if (!first_rows.empty() && first_rows[first.row] != first.row) {
    return key_end - begin;
  }
  size_t filled = 0;
  const bool found = table_->Read(
      answer_.group(first.group).entity,
      keys_.of_entity[entity].Key(first.row, builder),
      [&](const table::KeyView& view) {
        for (size_t i = begin; i < key_end; ++i, ++filled) {
          const bool spent = !made->limits.on_fan_out &&
                             made->limits.here_left < base::Duration::zero();
          if (spent || !maker_->Fill(wanted_, view, CellAt(i).group, first.row,
                                     &answer_, made)) {
            return;
          }
        }
      });
  if (found) return filled;
  for (size_t i = begin; i < key_end; ++i) {
    answer_.Put(CellAt(i).group, first.row, {}, RowFreshness::Cold(),
                made->segment);
  }
  return key_end - begin;
}

void Gather::Keep(RowsMade* made) {
  made->Store(table_);
  base::MutexLock lock(&mu_);
  stale_.insert(stale_.end(), made->stale.begin(), made->stale.end());
  lost_.insert(lost_.end(), made->lost.begin(), made->lost.end());
}

void Gather::RepeatRows() {
  for (size_t g = 0; g < keys_.entity_of_group.size(); ++g) {
    const auto& first_rows = keys_.first_rows[keys_.entity_of_group[g]];
    if (first_rows.empty()) continue;
    std::vector<std::optional<StaleRow>> stale(first_rows.size());
    for (const StaleRow& s : stale_) {
      if (s.group == g) stale[s.row] = s;
    }
    for (uint32_t row = 0; row < first_rows.size(); ++row) {
      const uint32_t first = first_rows[row];
      if (first == row) continue;
      answer_.Repeat(g, row, first);
      if (!stale[first].has_value()) continue;
      stale_.push_back(*stale[first]);
      stale_.back().row = row;
    }
  }
}

bool Gather::RunHere() {
  RowsMade made = maker_->Begin(0, limits_);
  registry::EntityKeyBuilder builder;
  while (begin_ < cells_ && made.limits.here_left >= base::Duration::zero()) {
    const size_t filled = FillKey(begin_, cells_, &builder, &made);
    if (filled == 0) break;
    begin_ += filled;
  }
  Keep(&made);
  if (begin_ < cells_) return false;
  RepeatRows();
  return true;
}

void Gather::FillRest() {
  wanted_.may_compute = false;
  InlineLimits none;
  none.on_fan_out = true;
  none.made_anew_until = none.by_cost_until = base::kInfinitePast;
  RowsMade made = maker_->Begin(0, none);
  registry::EntityKeyBuilder builder;
  while (begin_ < cells_) begin_ += FillKey(begin_, cells_, &builder, &made);
  Keep(&made);
  RepeatRows();
}

void Gather::Divide(uint32_t width) {
  const size_t cells = cells_ - begin_;
  const size_t even =
      (cells + width * kPartsPerThread - 1) / (width * kPartsPerThread);
  part_cells_ = std::max({std::min(even, kPartCells), size_t{1},
                          (cells + kPartsMax - 1) / kPartsMax});
  parts_ = (cells + part_cells_ - 1) / part_cells_;
  answer_.AddSegments(parts_);
}

bool Gather::RunPart() {
  const size_t part = next_part_.fetch_add(1, std::memory_order_relaxed);
  if (part >= parts_) return false;
  InlineLimits limits = limits_;
  limits.on_fan_out = true;
  RowsMade made = maker_->Begin(1 + part, limits);
  registry::EntityKeyBuilder builder;
  const size_t begin = begin_ + part * part_cells_;
  const size_t end = std::min(begin + part_cells_, cells_);
  for (size_t i = begin; i < end;) i += FillKey(i, end, &builder, &made);
  Keep(&made);
  if (parts_ended_.fetch_add(1, std::memory_order_acq_rel) + 1 == parts_) {
    RepeatRows();
    then_(this);
  }
  return part + 1 < parts_;
}

}  // namespace freshline::serve
