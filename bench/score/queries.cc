// SPDX-License-Identifier: Apache-2.0
#include "bench/score/queries.h"

#include <algorithm>
#include <limits>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace freshline::bench {
namespace {

constexpr int64_t kOldUs = 30'000'000;

absl::Status CheckTrace(const ScoringTrace& trace) {
  if (trace.queries_begin > trace.queries_end ||
      trace.queries_end > trace.clicks.size() ||
      trace.clicks.size() > std::numeric_limits<uint32_t>::max()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "queries [", trace.queries_begin, ", ", trace.queries_end,
        ") do not lie in a trace of ", trace.clicks.size(), " clicks"));
  }
  for (size_t i = 1; i < trace.clicks.size(); ++i) {
    if (trace.clicks[i].time_us < trace.clicks[i - 1].time_us) {
      return absl::InvalidArgumentError(
          absl::StrCat("click ", i, " is earlier than the one before it"));
    }
  }
  return absl::OkStatus();
}

// Where the run of equal items begins that ends at `last`.
Prefix RunBegin(std::span<const Click> clicks,
                const std::vector<uint32_t>& timeline, Prefix last) {
  while (last > 0 &&
         clicks[timeline[last - 1]].item == clicks[timeline[last]].item) {
    --last;
  }
  return last;
}

// The query of click `at` of a user's timeline.
Query MakeQuery(const ScoringTrace& trace,
                const std::vector<uint32_t>& timeline, Prefix at) {
  const std::span<const Click> clicks = trace.clicks;
  const Click& click = clicks[timeline[at]];
  Query query;
  query.fresh = at + 1;
  query.without_last = RunBegin(clicks, timeline, at);
  query.without_last_two =
      query.without_last == 0
          ? 0
          : RunBegin(clicks, timeline, query.without_last - 1);
  const auto count = [&](auto is_before) {
    return static_cast<Prefix>(
        std::partition_point(timeline.begin(), timeline.end(), is_before) -
        timeline.begin());
  };
  query.old_30s = count(
      [&](uint32_t i) { return clicks[i].time_us <= click.time_us - kOldUs; });
  query.never = count([&](uint32_t i) { return i < trace.queries_begin; });
  if (query.without_last != at) return query;
  for (size_t i = at + 1; i < timeline.size(); ++i) {
    const Click& next = clicks[timeline[i]];
    if (next.time_us - click.time_us > kTruthHorizonUs) break;
    if (next.item == click.item) continue;
    query.scored = true;
    query.truth = next.item;
    break;
  }
  return query;
}

}  // namespace

absl::StatusOr<QuerySet> FindTruths(const ScoringTrace& trace) {
  FRESHLINE_RETURN_IF_ERROR(CheckTrace(trace));
  QuerySet set;
  absl::flat_hash_map<int64_t, uint32_t> users;
  std::vector<uint32_t> user_of(trace.clicks.size());
  for (uint32_t i = 0; i < trace.clicks.size(); ++i) {
    const auto [it, added] = users.try_emplace(
        trace.clicks[i].user, static_cast<uint32_t>(set.timelines.size()));
    if (added) set.timelines.emplace_back();
    user_of[i] = it->second;
    set.timelines[it->second].push_back(i);
  }
  for (size_t i = trace.queries_begin; i < trace.queries_end; ++i) {
    const std::vector<uint32_t>& timeline = set.timelines[user_of[i]];
    const auto at = static_cast<Prefix>(
        std::lower_bound(timeline.begin(), timeline.end(), i) -
        timeline.begin());
    Query query = MakeQuery(trace, timeline, at);
    query.user = user_of[i];
    set.scored += query.scored ? 1 : 0;
    set.queries.push_back(query);
  }
  return set;
}

}  // namespace freshline::bench
