// SPDX-License-Identifier: Apache-2.0
#include "featurize/retrieval.h"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "registry/row_layout.h"

namespace freshline::featurize {

class RetrievalFunction::BatchScratch final : public Scratch {
 public:
  BatchScratch(const Recommender& recommender, size_t batch_max)
      : recommending(recommender.MakeScratch(batch_max)),
        clicks(batch_max * Recommender::kClicksMax),
        users(batch_max),
        lists(batch_max) {}

  std::unique_ptr<Scratch> recommending;
  std::vector<ClickedItem> clicks;  // [batch_max x kClicksMax]
  std::vector<Clicks> users;
  std::vector<RankedList> lists;
  std::array<int64_t, kRankedMax> items{};
  std::array<double, kRankedMax> scores{};
};

RetrievalFunction::RetrievalFunction(const registry::FeatureGroup& group,
                                     std::shared_ptr<const ItemTable> table,
                                     Model model, const Kernels& kernels)
    : group_(group.id),
      batch_max_(std::max(1U, group.batch_max)),
      layout_(group.layout),
      retrieval_(std::get<registry::Retrieval>(group.computation)),
      model_(model),
      recommender_(std::move(table), kernels) {
  FRESHLINE_CHECK(retrieval_.last_events <= Recommender::kClicksMax);
  FRESHLINE_CHECK(retrieval_.top >= 1 && retrieval_.top <= kRankedMax);
  for (uint32_t i = 0; i < group.features.size(); ++i) {
    (group.features[i].output == registry::RetrievalOutput::kItems
         ? items_feature_
         : scores_feature_) = i;
  }
}

std::unique_ptr<Scratch> RetrievalFunction::MakeScratch() const {
  return std::make_unique<BatchScratch>(recommender_, batch_max_);
}

base::JobShape RetrievalFunction::Shape(const Input& input,
                                        Scratch* scratch) const {
  auto* const batch = static_cast<BatchScratch*>(scratch);
  const std::span<ClickedItem> clicks(batch->clicks.data(),
                                      Recommender::kClicksMax);
  const size_t count = ReadClicks(input.events, clicks);
  const size_t interests =
      model_ == Model::kCoVisitation
          ? 0
          : recommender_.CountInterests(clicks.first(count),
                                        batch->recommending.get());
  return {group_, static_cast<uint32_t>(count),
          static_cast<uint32_t>(interests)};
}

size_t RetrievalFunction::ReadClicks(const table::EventView& events,
                                     std::span<ClickedItem> out) const {
  const size_t used = std::min<size_t>(events.size, retrieval_.last_events);
  size_t count = 0;
  for (size_t k = 0; k < used; ++k) {
    const size_t event = events.size - 1 - k;
    const table::ColumnView& items = events.columns[retrieval_.item_column];
    if (items.is_null(event)) continue;
    ClickedItem& click = out[count++];
    click.item = items.ints[event];
    click.attributes.reset();
    if (!retrieval_.category_column.has_value()) continue;
    const auto& categories = events.columns[*retrieval_.category_column];
    if (categories.is_null(event)) continue;
    click.attributes = ReadAttributes(events, event, categories.ints[event]);
  }
  return count;
}

ItemAttributes RetrievalFunction::ReadAttributes(const table::EventView& events,
                                                 size_t event,
                                                 int64_t category) const {
  ItemAttributes attributes;
  attributes.category = category;
  if (retrieval_.brand_column.has_value()) {
    const auto& brands = events.columns[*retrieval_.brand_column];
    if (!brands.is_null(event)) {
      const std::string& brand = brands.strings[event];
      attributes.brand = absl::string_view(brand.data(), brand.size());
    }
  }
  if (retrieval_.price_column.has_value()) {
    const auto& prices = events.columns[*retrieval_.price_column];
    if (!prices.is_null(event)) attributes.price = prices.doubles[event];
  }
  return attributes;
}

absl::Status RetrievalFunction::Compute(
    std::span<const Input> inputs, std::span<registry::RowBytes* const> outputs,
    Scratch* scratch) const {
  auto* const batch = static_cast<BatchScratch*>(scratch);
  FRESHLINE_CHECK(inputs.size() == outputs.size() &&
                  inputs.size() <= batch->users.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::span<ClickedItem> clicks(
        batch->clicks.data() + i * Recommender::kClicksMax,
        Recommender::kClicksMax);
    batch->users[i] = clicks.first(ReadClicks(inputs[i].events, clicks));
  }
  if (model_ == Model::kFull) {
    recommender_.Recommend({batch->users.data(), inputs.size()}, retrieval_.top,
                           batch->recommending.get(),
                           {batch->lists.data(), inputs.size()});
  } else {
    for (size_t i = 0; i < inputs.size(); ++i) {
      recommender_.CoVisitation(batch->users[i], Recommender::kCheapOwnWeight,
                                retrieval_.top, batch->recommending.get(),
                                &batch->lists[i]);
    }
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (batch->users[i].empty()) batch->lists[i].clear();
    Write(batch->lists[i], batch, outputs[i]);
  }
  return absl::OkStatus();
}

void RetrievalFunction::Write(const RankedList& list, BatchScratch* scratch,
                              registry::RowBytes* output) const {
  registry::RowWriter writer(layout_, output);
  if (list.empty()) return;  // features that are not set are NULL
  for (size_t i = 0; i < list.size(); ++i) {
    scratch->items[i] = list[i].item;
    scratch->scores[i] = list[i].score;
  }
  if (items_feature_.has_value()) {
    writer.SetInt64List(*items_feature_, {scratch->items.data(), list.size()});
  }
  if (scores_feature_.has_value()) {
    writer.SetFloat64List(*scores_feature_,
                          {scratch->scores.data(), list.size()});
  }
}

}  // namespace freshline::featurize
