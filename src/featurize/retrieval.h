// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/ids.h"
#include "featurize/feature_function.h"
#include "featurize/item_table.h"
#include "featurize/kernels.h"
#include "featurize/recommend.h"
#include "registry/revision.h"

namespace freshline::featurize {

// The items that a key most likely clicks next: Recommender's full model, or
// its cheap one that scans nothing, over the key's last events, as lists of
// ITEMS and SCORES, best first. Without any item in those events both are NULL.
//
// Thread-safety: as FeatureFunction. Cost: a pass over the item table for all
// keys of a batch; Shape() says how many interests a key scans for.
class RetrievalFunction final : public FeatureFunction {
 public:
  enum class Model : uint8_t { kFull, kCoVisitation };

  // REQUIRES: `group` computes a Retrieval, valid for its source.
  RetrievalFunction(const registry::FeatureGroup& group,
                    std::shared_ptr<const ItemTable> table,
                    Model model = Model::kFull,
                    const Kernels& kernels = SelectKernels());

  uint32_t events_needed() const override { return retrieval_.last_events; }
  base::JobShape Shape(const Input& input, Scratch* scratch) const override;
  bool always_inline() const override { return false; }
  std::unique_ptr<Scratch> MakeScratch() const override;
  absl::Status Compute(std::span<const Input> inputs,
                       std::span<registry::RowBytes* const> outputs,
                       Scratch* scratch) const override;

 private:
  class BatchScratch;

  // Fills `out` with the newest clicks, newest first, and returns their number.
  size_t ReadClicks(const table::EventView& events,
                    std::span<ClickedItem> out) const;
  ItemAttributes ReadAttributes(const table::EventView& events, size_t event,
                                int64_t category) const;
  void Write(const RankedList& list, BatchScratch* scratch,
             registry::RowBytes* output) const;

  const base::GroupId group_;
  const uint32_t batch_max_;
  const registry::RowLayout layout_;
  const registry::Retrieval retrieval_;
  const Model model_;
  const Recommender recommender_;
  std::optional<uint32_t> items_feature_;
  std::optional<uint32_t> scores_feature_;
};

}  // namespace freshline::featurize
