// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/trace/click.h"

namespace freshline::bench {

// The shape of a window of clicks, in the terms in which real traces are
// published. Shares are in [0, 1].
struct TraceStatistics {
  uint64_t clicks = 0;
  uint64_t users = 0;
  uint64_t items = 0;
  double per_user_mean = 0;
  uint32_t per_user_p50 = 0, per_user_p75 = 0, per_user_p90 = 0,
           per_user_p95 = 0, per_user_p99 = 0;
  double known_users = 0;    // users with a click in the history
  double gap_p50_s = 0;      // between the clicks of a session
  double repeat = 0;         // transitions to the same item
  double revisit = 0;        // of the others: to one seen in the session
  double same_category = 0;  // of the others: inside the category
  double top1 = 0, top10 = 0, top100 = 0;  // shares of the most clicked items
  double views = 0, carts = 0, purchases = 0;
  // Clicks of the sessions that begin in the second eighth of the time, where
  // there is a history: a window alone cuts sessions. Else 0.
  uint32_t session_p50 = 0, session_p80 = 0, session_p90 = 0, session_p99 = 0;
  // Clicks whose user's previous click, history included, is at most so old.
  double previous_within_1s = 0, previous_within_5s = 0,
         previous_within_10s = 0, previous_within_30s = 0,
         previous_within_60s = 0, previous_within_300s = 0;
};

// Describes clicks[begin, end). What stands before is their history: it makes
// gaps, repeats and revisits of sessions under way, and is not counted.
// REQUIRES: `clicks` in order of time; begin <= clicks.size().
TraceStatistics Describe(const std::vector<Click>& clicks, size_t begin = 0);

// A table for people.
std::string ToText(const TraceStatistics& statistics);

}  // namespace freshline::bench
