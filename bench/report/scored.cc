// SPDX-License-Identifier: Apache-2.0
#include "bench/report/scored.h"

#include <optional>

#include "bench/score/quality.h"

namespace freshline::bench {

RunReport::Quality QualityOf(const QuerySet& set,
                             const std::array<Ranks, kModelRows>& models,
                             const Ranks& served) {
  const auto row = [&](ModelRow r) -> const Ranks& {
    return models[static_cast<size_t>(r)];
  };
  const auto hr = [&](ModelRow r) { return Summarise(set, row(r)).hr20; };
  const Quality quality = Summarise(set, served);
  RunReport::Quality q;
  q.hr20 = quality.hr20;
  q.mrr20 = quality.mrr20;
  q.ndcg20 = quality.ndcg20;
  q.scored = quality.scored;
  q.hr20_infinite = hr(ModelRow::kFresh);
  q.hr20_never = hr(ModelRow::kNever);
  q.hr20_minus_one = hr(ModelRow::kWithoutLast);
  q.hr20_covisitation = hr(ModelRow::kCoVisitation);
  q.hr20_cheap = hr(ModelRow::kCheap);
  q.hr20_popularity = hr(ModelRow::kPopularity);
  q.hr20_own_items = hr(ModelRow::kOwnItems);
  const std::optional<Estimate> gap =
      GapClosed(set, served, row(ModelRow::kNever), row(ModelRow::kFresh),
                BootstrapOptions{});
  if (gap.has_value()) {
    q.gap_closed = gap->value;
    q.gap_closed_low = gap->low95;
    q.gap_closed_high = gap->high95;
  }
  return q;
}

}  // namespace freshline::bench
