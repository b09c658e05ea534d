// SPDX-License-Identifier: Apache-2.0
#include "bench/score/paired.h"

#include <algorithm>
#include <map>

#include "base/check.h"
#include "bench/score/bootstrap.h"

namespace freshline::bench {
namespace {

// What one user adds to the two sums whose ratio is estimated.
struct Cluster {
  double above = 0;
  double below = 0;

  void Add(const Cluster& other) {
    above += other.above;
    below += other.below;
  }
};

template <typename Of>
void ForScored(const ScoringTrace& trace, const QuerySet& set, Of of) {
  for (size_t i = 0; i < set.queries.size(); ++i) {
    if (set.queries[i].scored) {
      of(trace.clicks[trace.queries_begin + i].user, i);
    }
  }
}

std::optional<double> Ratio(const Cluster& sum) {
  if (!(sum.below > 0)) return std::nullopt;
  return sum.above / sum.below;
}

// One cluster for each user over all seeds. `above` maps a run's index and a
// user's index in it to what it adds.
template <typename Above>
std::vector<Cluster> ClustersOf(std::span<const SeedHits> runs, Above above) {
  std::map<int64_t, Cluster> by_user;
  for (size_t r = 0; r < runs.size(); ++r) {
    const SliceUsers& users = *runs[r].users;
    FRESHLINE_CHECK(runs[r].hits.size() == users.user.size());
    for (size_t u = 0; u < users.user.size(); ++u) {
      Cluster& cluster = by_user[users.user[u]];
      cluster.above += above(r, u);
      cluster.below += static_cast<double>(users.infinite[u]) - users.never[u];
    }
  }
  std::vector<Cluster> clusters;
  clusters.reserve(by_user.size());
  for (const auto& [user, cluster] : by_user) clusters.push_back(cluster);
  return clusters;
}

}  // namespace

SliceUsers CountUsers(const ScoringTrace& trace, const QuerySet& set,
                      const Ranks& never, const Ranks& infinite) {
  struct Counts {
    uint32_t scored = 0, never = 0, infinite = 0;
  };
  std::map<int64_t, Counts> counts;
  ForScored(trace, set, [&](int64_t user, size_t query) {
    Counts& c = counts[user];
    ++c.scored;
    c.never += never[query] > 0 ? 1 : 0;
    c.infinite += infinite[query] > 0 ? 1 : 0;
  });
  SliceUsers users;
  for (const auto& [user, c] : counts) {
    users.user.push_back(user);
    users.scored.push_back(c.scored);
    users.never.push_back(c.never);
    users.infinite.push_back(c.infinite);
  }
  return users;
}

std::vector<uint32_t> HitsByUser(const ScoringTrace& trace, const QuerySet& set,
                                 const SliceUsers& users, const Ranks& ranks) {
  FRESHLINE_CHECK(ranks.size() == set.queries.size());
  std::vector<uint32_t> hits(users.user.size());
  ForScored(trace, set, [&](int64_t user, size_t query) {
    const auto it =
        std::lower_bound(users.user.begin(), users.user.end(), user);
    FRESHLINE_CHECK(it != users.user.end() && *it == user);
    hits[static_cast<size_t>(it - users.user.begin())] +=
        ranks[query] > 0 ? 1 : 0;
  });
  return hits;
}

std::optional<Estimate> GapClosed(std::span<const SeedHits> runs,
                                  const BootstrapOptions& options) {
  return Bootstrap(ClustersOf(runs,
                              [&](size_t r, size_t u) {
                                return static_cast<double>(runs[r].hits[u]) -
                                       runs[r].users->never[u];
                              }),
                   options, Ratio);
}

std::optional<Estimate> GapDifference(std::span<const SeedHits> a,
                                      std::span<const SeedHits> b,
                                      const BootstrapOptions& options) {
  FRESHLINE_CHECK(a.size() == b.size());
  for (size_t r = 0; r < a.size(); ++r) {
    FRESHLINE_CHECK(a[r].users == b[r].users &&
                    a[r].hits.size() == b[r].hits.size());
  }
  return Bootstrap(ClustersOf(a,
                              [&](size_t r, size_t u) {
                                return static_cast<double>(a[r].hits[u]) -
                                       b[r].hits[u];
                              }),
                   options, Ratio);
}

}  // namespace freshline::bench
