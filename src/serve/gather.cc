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
  size_t cells = 0;
  for (size_t g = 0; g < answer_.plan().groups.size(); ++g) {
    first_cell_.push_back(cells);
    cells += answer_.rows(g);
  }
  first_cell_.push_back(cells);
}

Gather::Cell Gather::CellAt(size_t i) const {
  const auto after =
      std::upper_bound(first_cell_.begin(), first_cell_.end(), i);
  const auto group = static_cast<size_t>(after - first_cell_.begin()) - 1;
  return {group, static_cast<uint32_t>(i - first_cell_[group])};
}

bool Gather::FillCell(const Cell& cell, registry::EntityKeyBuilder* builder,
                      RowsMade* made) {
  if (answer_.overflown()) return true;
  const std::vector<uint32_t>& first_rows =
      keys_.first_rows[keys_.entity_of_group[cell.group]];
  if (!first_rows.empty() && first_rows[cell.row] != cell.row) return true;
  const absl::string_view key =
      keys_.of_entity[keys_.entity_of_group[cell.group]].Key(cell.row, builder);
  bool filled = true;
  const bool found = table_->Read(
      answer_.group(cell.group).entity, key, [&](const table::KeyView& view) {
        filled =
            maker_->Fill(wanted_, view, cell.group, cell.row, &answer_, made);
      });
  if (!found) {
    answer_.Put(cell.group, cell.row, {}, RowFreshness::Cold(), made->segment);
  }
  return filled;
}

void Gather::Keep(RowsMade* made) {
  for (RowsMade::Computed& row : made->computed) {
    row.stored.bytes = row.bytes;
    // Refused where a later computation was stored meanwhile: as it should be.
    table_->Commit(row.row, row.stored);
  }
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
  const size_t cells = first_cell_.back();
  for (Cell cell = CellAt(0); begin_ < cells; ++begin_) {
    while (begin_ == first_cell_[cell.group + 1]) ++cell.group;
    cell.row = static_cast<uint32_t>(begin_ - first_cell_[cell.group]);
    const bool spent = made.limits.here_left < base::Duration::zero();
    if (spent || !FillCell(cell, &builder, &made)) break;
  }
  Keep(&made);
  if (begin_ < cells) return false;
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
  for (; begin_ < first_cell_.back(); ++begin_) {
    FillCell(CellAt(begin_), &builder, &made);
  }
  Keep(&made);
  RepeatRows();
}

void Gather::Divide(uint32_t width) {
  const size_t cells = first_cell_.back() - begin_;
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
  const size_t end = std::min(begin + part_cells_, first_cell_.back());
  for (size_t i = begin; i < end; ++i) FillCell(CellAt(i), &builder, &made);
  Keep(&made);
  if (parts_ended_.fetch_add(1, std::memory_order_acq_rel) + 1 == parts_) {
    RepeatRows();
    then_(this);
  }
  return part + 1 < parts_;
}

}  // namespace freshline::serve
