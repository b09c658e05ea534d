// SPDX-License-Identifier: Apache-2.0
#include "bench/score/quality.h"

#include <array>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "bench/score/bootstrap.h"

namespace freshline::bench {
namespace {

// What one user's scored queries add up to.
struct Sums {
  std::array<double, 3> hits{};
  double scored = 0;

  void Add(const Sums& other) {
    for (size_t i = 0; i < hits.size(); ++i) hits[i] += other.hits[i];
    scored += other.scored;
  }
};

std::vector<Sums> SumByUser(const QuerySet& set,
                            std::array<const Ranks*, 3> rows) {
  std::vector<Sums> users(set.timelines.size());
  for (size_t i = 0; i < set.queries.size(); ++i) {
    const Query& query = set.queries[i];
    if (!query.scored) continue;
    Sums& user = users[query.user];
    user.scored += 1;
    for (size_t r = 0; r < rows.size(); ++r) {
      FRESHLINE_CHECK(rows[r]->size() == set.queries.size());
      user.hits[r] += (*rows[r])[i] > 0 ? 1 : 0;
    }
  }
  std::erase_if(users, [](const Sums& s) { return s.scored == 0; });
  return users;
}

}  // namespace

Quality Summarise(const QuerySet& set, const Ranks& ranks) {
  FRESHLINE_CHECK(ranks.size() == set.queries.size());
  Quality sum;
  for (size_t i = 0; i < ranks.size(); ++i) {
    if (!set.queries[i].scored) continue;
    ++sum.scored;
    if (ranks[i] == 0) continue;
    const double rank = ranks[i];
    sum.hr20 += 1;
    sum.mrr20 += 1 / rank;
    sum.ndcg20 += 1 / std::log2(rank + 1);
  }
  if (sum.scored == 0) return sum;
  const auto n = static_cast<double>(sum.scored);
  return {sum.hr20 / n, sum.mrr20 / n, sum.ndcg20 / n, sum.scored};
}

std::optional<Estimate> GapClosed(const QuerySet& set, const Ranks& policy,
                                  const Ranks& never, const Ranks& infinite,
                                  const BootstrapOptions& options) {
  return Bootstrap(SumByUser(set, {&policy, &never, &infinite}), options,
                   [](const Sums& s) -> std::optional<double> {
                     const double gap = s.hits[2] - s.hits[1];
                     if (!(gap > 0)) return std::nullopt;
                     return (s.hits[0] - s.hits[1]) / gap;
                   });
}

std::optional<Estimate> HitRateGain(const QuerySet& set, const Ranks& a,
                                    const Ranks& b,
                                    const BootstrapOptions& options) {
  return Bootstrap(SumByUser(set, {&a, &b, &b}), options,
                   [](const Sums& s) -> std::optional<double> {
                     if (s.scored == 0) return std::nullopt;
                     return (s.hits[0] - s.hits[1]) / s.scored;
                   });
}

}  // namespace freshline::bench
