// SPDX-License-Identifier: Apache-2.0
#include "bench/score/states.h"

#include <algorithm>

namespace freshline::bench {

using featurize::RankedItem;
using featurize::RankedList;

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

uint8_t PessimisticRank(const RankedList& list, int64_t truth) {
  const auto found =
      std::find_if(list.begin(), list.end(),
                   [&](const RankedItem& r) { return r.item == truth; });
  if (found == list.end()) return 0;
  const auto tied_end = std::find_if(
      found, list.end(),
      [&](const RankedItem& r) { return r.score != found->score; });
  const auto rank = static_cast<size_t>(tied_end - list.begin());
  return rank <= kListLength ? static_cast<uint8_t>(rank) : uint8_t{0};
}

}  // namespace freshline::bench
