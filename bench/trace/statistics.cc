// SPDX-License-Identifier: Apache-2.0
#include "bench/trace/statistics.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <span>
#include <utility>

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

void DescribeTransitions(const std::vector<Click>& clicks, size_t begin,
                         TraceStatistics* out) {
  absl::flat_hash_map<uint64_t, Session> sessions;
  std::vector<double> gaps;
  uint64_t repeats = 0, others = 0, revisits = 0, same_category = 0;
  for (size_t i = 0; i < clicks.size(); ++i) {
    const Click& click = clicks[i];
    Session& s = sessions[click.session];
    if (i >= begin && !s.items.empty()) {
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

void DescribeSessionLengths(const std::vector<Click>& clicks,
                            TraceStatistics* out) {
  if (clicks.empty()) return;
  // Not from the very start, where sessions under way seem to begin.
  const int64_t first_us = clicks.front().time_us;
  const int64_t span_us = clicks.back().time_us - first_us;
  absl::flat_hash_map<uint64_t, std::pair<int64_t, uint32_t>> sessions;
  for (const Click& click : clicks) {
    const int64_t at_us = click.time_us - first_us;
    ++sessions.try_emplace(click.session, at_us, 0).first->second.second;
  }
  std::vector<uint32_t> sorted;
  for (const auto& [session, state] : sessions) {
    const auto& [begin_us, length] = state;
    if (begin_us >= span_us / 8 && begin_us < span_us / 4) {
      sorted.push_back(length);
    }
  }
  std::sort(sorted.begin(), sorted.end());
  out->session_p50 = Quantile(sorted, 0.5);
  out->session_p80 = Quantile(sorted, 0.8);
  out->session_p90 = Quantile(sorted, 0.9);
  out->session_p99 = Quantile(sorted, 0.99);
}

void DescribeUsers(const std::vector<Click>& clicks, size_t begin,
                   TraceStatistics* out) {
  struct User {
    uint32_t clicks = 0;  // counted ones
    bool known = false;
    int64_t last_us = 0;
  };
  absl::flat_hash_map<int64_t, User> users;
  constexpr int64_t kLimits[] = {1, 5, 10, 30, 60, 300};
  uint64_t within[6] = {};
  for (size_t i = 0; i < clicks.size(); ++i) {
    User& user = users[clicks[i].user];
    const bool first = user.clicks == 0 && !user.known;
    const int64_t age_us = clicks[i].time_us - user.last_us;
    user.last_us = clicks[i].time_us;
    if (i < begin) {
      user.known = true;
      continue;
    }
    ++user.clicks;
    for (size_t k = 0; !first && k < 6; ++k) {
      if (age_us <= kLimits[k] * 1'000'000) ++within[k];
    }
  }
  const uint64_t n = clicks.size() - begin;
  out->previous_within_1s = Share(within[0], n);
  out->previous_within_5s = Share(within[1], n);
  out->previous_within_10s = Share(within[2], n);
  out->previous_within_30s = Share(within[3], n);
  out->previous_within_60s = Share(within[4], n);
  out->previous_within_300s = Share(within[5], n);
  std::vector<uint32_t> counts;
  uint64_t known = 0;
  for (const auto& [name, user] : users) {
    if (user.clicks == 0) continue;
    counts.push_back(user.clicks);
    known += user.known ? 1 : 0;
  }
  std::sort(counts.begin(), counts.end());
  out->users = counts.size();
  out->known_users = Share(known, counts.size());
  out->per_user_mean = Share(n, counts.size());
  out->per_user_p50 = Quantile(counts, 0.5);
  out->per_user_p75 = Quantile(counts, 0.75);
  out->per_user_p90 = Quantile(counts, 0.9);
  out->per_user_p95 = Quantile(counts, 0.95);
  out->per_user_p99 = Quantile(counts, 0.99);
}

void DescribeItems(std::span<const Click> clicks, TraceStatistics* out) {
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

TraceStatistics Describe(const std::vector<Click>& clicks, size_t begin) {
  TraceStatistics out;
  out.clicks = clicks.size() - begin;
  DescribeTransitions(clicks, begin, &out);
  if (begin > 0) DescribeSessionLengths(clicks, &out);
  DescribeUsers(clicks, begin, &out);
  DescribeItems(std::span(clicks).subspan(begin), &out);
  return out;
}

std::string ToText(const TraceStatistics& s) {
  char text[1024];
  std::snprintf(
      text, sizeof(text),
      "clicks %llu, users %llu (%.2f with earlier clicks), items %llu\n"
      "clicks per session: p50/80/90/99 %u/%u/%u/%u\n"
      "clicks per user: mean %.2f, p50/75/90/95/99 %u/%u/%u/%u/%u\n"
      "gap inside a session p50 %.0f s; previous click of the user within "
      "1/5/10/30/60/300 s: %.4f/%.3f/%.3f/%.3f/%.3f/%.3f\n"
      "repeat %.3f, revisit %.3f, same category %.3f\n"
      "share of the top 1/10/100 items %.3f/%.3f/%.3f; "
      "view/cart/purchase %.3f/%.3f/%.3f\n",
      static_cast<unsigned long long>(s.clicks),
      static_cast<unsigned long long>(s.users), s.known_users,
      static_cast<unsigned long long>(s.items), s.session_p50, s.session_p80,
      s.session_p90, s.session_p99, s.per_user_mean, s.per_user_p50,
      s.per_user_p75, s.per_user_p90, s.per_user_p95, s.per_user_p99,
      s.gap_p50_s, s.previous_within_1s, s.previous_within_5s,
      s.previous_within_10s, s.previous_within_30s, s.previous_within_60s,
      s.previous_within_300s, s.repeat, s.revisit, s.same_category, s.top1,
      s.top10, s.top100, s.views, s.carts, s.purchases);
  return text;
}

}  // namespace freshline::bench
