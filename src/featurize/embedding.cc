// SPDX-License-Identifier: Apache-2.0
#include "featurize/embedding.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "registry/row_layout.h"

namespace freshline::featurize {

EmbeddingFunction::EmbeddingFunction(const registry::FeatureGroup& group,
                                     std::shared_ptr<const ItemTable> table)
    : group_(group.id),
      layout_(group.layout),
      embedding_(std::get<registry::Embedding>(group.computation)),
      table_(std::move(table)) {}

std::unique_ptr<Scratch> EmbeddingFunction::MakeScratch() const {
  return std::make_unique<Scratch>();
}

base::JobShape EmbeddingFunction::Shape(const Input& input, Scratch*) const {
  const size_t events =
      std::min<size_t>(input.events.size, embedding_.last_events);
  return {group_, static_cast<uint32_t>(events), 0};
}

absl::Status EmbeddingFunction::Compute(
    std::span<const Input> inputs, std::span<registry::RowBytes* const> outputs,
    Scratch*) const {
  for (size_t i = 0; i < inputs.size(); ++i) {
    ComputeOne(inputs[i].events, outputs[i]);
  }
  return absl::OkStatus();
}

void EmbeddingFunction::ComputeOne(const table::EventView& events,
                                   registry::RowBytes* output) const {
  registry::RowWriter writer(layout_, output);
  const std::span<float> mean = writer.MutableVector(0);
  const size_t used = std::min<size_t>(events.size, embedding_.last_events);
  double weight = 1;
  for (size_t k = 0; k < used; ++k, weight *= embedding_.decay) {
    const size_t event = events.size - 1 - k;
    const table::ColumnView& items = events.columns[embedding_.item_column];
    if (items.is_null(event)) continue;
    const auto row = table_->Find(items.ints[event]);
    if (!row.has_value()) continue;
    const float* const vector = table_->vector(*row);
    for (size_t d = 0; d < mean.size(); ++d) {
      mean[d] += static_cast<float>(weight) * vector[d];
    }
  }
  if (!Normalise(mean)) {
    std::fill(mean.begin(), mean.end(), 0.0F);
    writer.SetStatus(0, registry::ValueStatus::kNull);
  }
}

}  // namespace freshline::featurize
