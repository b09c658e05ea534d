// SPDX-License-Identifier: Apache-2.0
#include "execute/profile.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "table/event_view.h"

namespace freshline::execute {

using registry::Scalar;

namespace {

constexpr uint32_t kEventsMax = 64;

// Made-up events of one key, and the view of them.
class SampleEvents {
 public:
  SampleEvents(const registry::Source& source, uint32_t events,
               const std::function<int64_t(base::Rng*)>& sample_item,
               base::UnixMicros now_us, base::Rng* rng)
      : columns_(source.columns.size()) {
    for (uint32_t i = 0; i < events; ++i) {
      times_.push_back(now_us - (events - i) * int64_t{30'000'000});
      sequences_.push_back(i + 1);
    }
    for (size_t c = 0; c < columns_.size(); ++c) {
      Column& column = columns_[c];
      const Scalar type = source.columns[c].type;
      for (uint32_t i = 0; i < events; ++i) {
        const bool item = type == Scalar::kInt64 && sample_item;
        column.ints.push_back(
            item ? sample_item(rng)
                 : static_cast<int64_t>(
                       rng->Below(type == Scalar::kBool ? 2 : 1'000'000)));
        column.doubles.push_back(rng->LogNormal(4, 1));
        column.strings.push_back(absl::StrCat("sample-", rng->Below(100)));
      }
      views_.push_back({type, column.ints.data(), column.doubles.data(),
                        column.strings.data(), nullptr});
    }
  }
  table::EventView View() const {
    return {times_.size(), times_.data(), sequences_.data(), views_, false, 0};
  }

 private:
  struct Column {
    std::vector<int64_t> ints;
    std::vector<double> doubles;
    std::vector<std::string> strings;
  };
  std::vector<base::UnixMicros> times_;
  std::vector<base::Seq> sequences_;
  std::vector<Column> columns_;
  std::vector<table::ColumnView> views_;
};

}  // namespace

absl::Status ProfileGroup(const registry::FeatureGroup& group,
                          const registry::Source& source,
                          const featurize::FeatureFunction& function,
                          const std::function<int64_t(base::Rng*)>& sample_item,
                          const ProfileOptions& options,
                          const base::Clock& clock,
                          estimate::Estimator* estimator,
                          estimate::InlineCosts* inline_costs) {
  base::Rng rng(options.seed);
  const std::unique_ptr<featurize::Scratch> scratch = function.MakeScratch();
  const base::UnixMicros now_us = clock.WallNowMicros();
  const uint32_t events_max =
      std::min({kEventsMax, function.events_needed(), source.events_max});
  std::vector<uint32_t> batches = {1};
  const uint32_t batch_max = std::min(group.batch_max, options.batch_max);
  for (uint32_t b = 2; b <= batch_max; b *= 2) batches.push_back(b);
  std::vector<registry::RowBytes> rows(batches.back());
  for (const uint32_t batch : batches) {
    for (uint32_t run = 0; run < options.runs; ++run) {
      for (uint32_t events = 1; events <= events_max; events *= 2) {
        std::vector<std::unique_ptr<SampleEvents>> keys;
        std::vector<featurize::Input> inputs;
        std::vector<registry::RowBytes*> outputs;
        base::BatchShape shape;
        for (uint32_t i = 0; i < batch; ++i) {
          keys.push_back(std::make_unique<SampleEvents>(
              source, events, sample_item, now_us, &rng));
          inputs.push_back({keys.back()->View(), now_us});
          outputs.push_back(&rows[i]);
          shape.Add(function.Shape(inputs.back(), scratch.get()));
        }
        const base::MonoTime begin = clock.Now();
        FRESHLINE_RETURN_IF_ERROR(
            function.Compute(inputs, outputs, scratch.get()));
        const base::Duration time = clock.Now() - begin;
        estimator->Seed(shape.shape(), batch, time);
        if (batch > 1) continue;
        // The first run finds nothing in the caches, the second says more.
        run == 0 ? inline_costs->Set(group.id, events, time)
                 : inline_costs->Observe(group.id, events, time);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace freshline::execute
