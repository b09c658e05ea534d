// SPDX-License-Identifier: Apache-2.0
#include "bench/trace/statistics.h"

#include <algorithm>
#include <cstdio>
#include <functional>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"

namespace freshline::bench {
namespace {

// What was seen of one session so far.
struct Session {
  int64_t time_us = 0;
  int64_t item = 0;
  int64_t category = 0;
  absl::flat_hash_set<int64_t> items;
};

double Share(uint64_t part, uint64_t whole) {
  return whole == 0 ? 0
                    : static_cast<double>(part) / static_cast<double>(whole);
}

template <typename T>
T Quantile(const std::vector<T>& sorted, double q) {
  if (sorted.empty()) return T{};
  const auto i = static_cast<size_t>(q * static_cast<double>(sorted.size()));
  return sorted[std::min(i, sorted.size() - 1)];
}

void DescribeTransitions(const std::vector<Click>& clicks,
                         TraceStatistics* out) {
  absl::flat_hash_map<uint64_t, Session> sessions;
  std::vector<double> gaps;
  uint64_t repeats = 0, others = 0, revisits = 0, same_category = 0;
  for (const Click& click : clicks) {
    Session& s = sessions[click.session];
    if (!s.items.empty()) {
      gaps.push_back(static_cast<double>(click.time_us - s.time_us) / 1e6);
      if (s.item == click.item) {
        ++repeats;
      } else {
        ++others;
        if (s.items.contains(click.item)) ++revisits;
        if (s.category == click.category) ++same_category;
      }
    }
    s.time_us = click.time_us;
    s.item = click.item;
    s.category = click.category;
    s.items.insert(click.item);
  }
  std::sort(gaps.begin(), gaps.end());
  out->gap_p50_s = Quantile(gaps, 0.5);
  out->repeat = Share(repeats, repeats + others);
  out->revisit = Share(revisits, others);
  out->same_category = Share(same_category, others);
}

void DescribeUsers(const std::vector<Click>& clicks, TraceStatistics* out) {
  absl::flat_hash_map<int64_t, std::pair<uint32_t, int64_t>> users;
  constexpr int64_t kLimits[] = {1, 5, 10, 30, 60, 300};
  uint64_t within[6] = {};
  for (const Click& click : clicks) {
    auto& [count, last_us] = users[click.user];
    for (size_t i = 0; count > 0 && i < 6; ++i) {
      if (click.time_us - last_us <= kLimits[i] * 1'000'000) ++within[i];
    }
    ++count;
    last_us = click.time_us;
  }
  const uint64_t n = clicks.size();
  out->previous_within_1s = Share(within[0], n);
  out->previous_within_5s = Share(within[1], n);
  out->previous_within_10s = Share(within[2], n);
  out->previous_within_30s = Share(within[3], n);
  out->previous_within_60s = Share(within[4], n);
  out->previous_within_300s = Share(within[5], n);
  std::vector<uint32_t> counts;
  for (const auto& [user, state] : users) counts.push_back(state.first);
  std::sort(counts.begin(), counts.end());
  out->users = counts.size();
  out->per_user_mean = Share(n, counts.size());
  out->per_user_p50 = Quantile(counts, 0.5);
  out->per_user_p75 = Quantile(counts, 0.75);
  out->per_user_p90 = Quantile(counts, 0.9);
  out->per_user_p95 = Quantile(counts, 0.95);
  out->per_user_p99 = Quantile(counts, 0.99);
}

void DescribeItems(const std::vector<Click>& clicks, TraceStatistics* out) {
  absl::flat_hash_map<int64_t, uint64_t> items;
  uint64_t types[4] = {};
  for (const Click& click : clicks) {
    ++items[click.item];
    ++types[static_cast<size_t>(click.type)];
  }
  std::vector<uint64_t> counts;
  for (const auto& [item, count] : items) counts.push_back(count);
  std::sort(counts.begin(), counts.end(), std::greater<>());
  uint64_t sum = 0;
  for (size_t i = 0; i < counts.size() && i < 100; ++i) {
    sum += counts[i];
    if (i == 0) out->top1 = Share(sum, clicks.size());
    if (i < 10) out->top10 = Share(sum, clicks.size());
    out->top100 = Share(sum, clicks.size());
  }
  out->items = counts.size();
  out->views = Share(types[0], clicks.size());
  out->carts = Share(types[1], clicks.size());
  out->purchases = Share(types[2], clicks.size());
}

}  // namespace

TraceStatistics Describe(const std::vector<Click>& clicks) {
  TraceStatistics out;
  out.clicks = clicks.size();
  DescribeTransitions(clicks, &out);
  DescribeUsers(clicks, &out);
  DescribeItems(clicks, &out);
  return out;
}

std::string ToText(const TraceStatistics& s) {
  char text[1024];
  std::snprintf(
      text, sizeof(text),
      "clicks %llu, users %llu, items %llu\n"
      "clicks per user: mean %.2f, p50/75/90/95/99 %u/%u/%u/%u/%u\n"
      "gap inside a session p50 %.0f s; previous click of the user within "
      "1/5/10/30/60/300 s: %.4f/%.3f/%.3f/%.3f/%.3f/%.3f\n"
      "repeat %.3f, revisit %.3f, same category %.3f\n"
      "share of the top 1/10/100 items %.3f/%.3f/%.3f; "
      "view/cart/purchase %.3f/%.3f/%.3f\n",
      static_cast<unsigned long long>(s.clicks),
      static_cast<unsigned long long>(s.users),
      static_cast<unsigned long long>(s.items), s.per_user_mean, s.per_user_p50,
      s.per_user_p75, s.per_user_p90, s.per_user_p95, s.per_user_p99,
      s.gap_p50_s, s.previous_within_1s, s.previous_within_5s,
      s.previous_within_10s, s.previous_within_30s, s.previous_within_60s,
      s.previous_within_300s, s.repeat, s.revisit, s.same_category, s.top1,
      s.top10, s.top100, s.views, s.carts, s.purchases);
  return text;
}

}  // namespace freshline::bench
