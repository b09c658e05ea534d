// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/time.h"
#include "bench/load/open_loop.h"
#include "bench/trace/click.h"

namespace freshline::bench {

// Encoded requests of a replay: the bytes and what the load runner is told.
struct EncodedQueries {
  std::vector<std::string> bytes;
  std::vector<std::string> push_bytes;    // empty without a gap
  std::vector<std::string> storm_bytes;   // empty without a storm
  std::vector<std::string> report_bytes;  // empty without reports
  std::vector<LoadRequest> requests;      // views of the above, by offset
};

struct EncodeOptions {
  // The services that queries are for, by what service_of says of the user;
  // the first where it is not set.
  std::vector<std::string> services = {"recommend"};
  std::function<uint32_t(int64_t user)> service_of;
  // The SLO of a user's queries, where it is not that of the run.
  std::function<base::Duration(int64_t user)> slo_of;
  // The click is pushed by itself before the query, instead of in it.
  bool push_first = false;
  // Clicks in order of time that are pushed beside the queries, each with the
  // next one, and no query follows.
  std::span<const Click> storm = {};
  // Callers report, with their next click on another item, whether the list of
  // the query before held it.
  bool report_outcomes = false;
  // Wall time of offset 0.
  int64_t origin_us = 0;
  // Empty: events are not deduplicated. The daemon tells duplicates only among
  // a producer's last few thousand events, so that bulk loads, which overtake
  // each other, must go without.
  std::string producer = "freshline-bench";
  uint64_t first_sequence = 1;  // the producer's number of clicks[0]
};

// One query per click, which carries its click.
EncodedQueries EncodeQueries(const std::vector<Click>& clicks,
                             const StringPool& pool,
                             const EncodeOptions& options);

// A PushEventsRequest of clicks[begin, end).
std::string EncodePush(std::span<const Click> clicks, size_t begin, size_t end,
                       const StringPool& pool, const EncodeOptions& options);

// A query without a click. Without a budget it is due by the service's SLO.
std::string EncodeProbe(int64_t user, const std::string& service,
                        std::optional<int64_t> budget_us = {});

}  // namespace freshline::bench
