// SPDX-License-Identifier: Apache-2.0
#include "bench/score/states.h"

#include <algorithm>

namespace freshline::bench {

void ListClicks(const ScoringTrace& trace, const StringPool& pool,
                const QuerySet& set, UserState state, uint32_t last_events,
                std::vector<featurize::ClickedItem>* out) {
  out->clear();
  const std::vector<uint32_t>& timeline = set.timelines[state.user];
  const size_t n = std::min<size_t>(state.prefix, last_events);
  for (size_t k = 0; k < n; ++k) {
    const Click& click = trace.clicks[timeline[state.prefix - 1 - k]];
    out->push_back(
        {click.item, featurize::ItemAttributes{
                         click.category, pool.text(click.brand), click.price}});
  }
}

}  // namespace freshline::bench
