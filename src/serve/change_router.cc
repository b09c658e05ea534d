// SPDX-License-Identifier: Apache-2.0
#include "serve/change_router.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

namespace freshline::serve {

using base::GroupId;

ChangeRouter::ChangeRouter(Rooms rooms)
    : rooms_(std::move(rooms)),
      groups_of_source_(rooms_.revision->sources().size()) {
  for (const registry::FeatureGroup& group : rooms_.revision->groups()) {
    if (execute::IsMadeAnew(group,
                            *(*rooms_.functions)[base::ToInt(group.id)]) ||
        group.placement == registry::Placement::kInline) {
      continue;
    }
    groups_of_source_[group.source].push_back(group.id);
  }
}

void ChangeRouter::OnEvents(std::span<const ingest::Change> changes) {
  if (dispatcher_ == nullptr || changes.empty()) return;
  std::vector<std::pair<uint32_t, base::KeyId>> keys;
  keys.reserve(changes.size());
  for (const ingest::Change& c : changes) {
    if (!groups_of_source_[c.source].empty())
      keys.emplace_back(c.source, c.key);
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  if (keys.empty()) return;

  execute::ScratchPool::Loan scratch = rooms_.scratch->Borrow();
  const base::UnixMicros now_us = rooms_.clock->WallNowMicros();
  for (const auto& [source, key_id] : keys) {
    for (const GroupId id : groups_of_source_[source]) {
      const registry::FeatureGroup& group = rooms_.revision->group(id);
      std::optional<execute::Assessment> assessed;
      // clang 14 captures no structured binding.
      const uint32_t events_of = source;
      rooms_.table->Read(key_id, [&](const table::KeyView& key) {
        if (group.placement == registry::Placement::kByCost &&
            rooms_.inline_costs->Predict(id, key.events(events_of).size) <=
                rooms_.inline_cost_max) {
          return;
        }
        assessed = execute::Assess(group, *(*rooms_.functions)[base::ToInt(id)],
                                   (*rooms_.metrics)[base::ToInt(id)], key,
                                   now_us, scratch->of(id));
      });
      if (!assessed.has_value() || assessed->fresh) continue;
      const execute::Assessment& state = *assessed;
      dispatcher_->Changed({key_id, id}, state.signals.newest,
                           {state.signals.pending, state.gain, state.shape,
                            state.signals.regret});
    }
  }
}

}  // namespace freshline::serve
