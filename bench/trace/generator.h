// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <queue>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "base/random.h"
#include "bench/trace/catalogue.h"

namespace freshline::bench {

struct GenerateOptions {
  uint64_t queries = 110'000;  // wanted in the window; what comes is near it
  uint32_t items = 400'000;    // of the catalogue
  int64_t seconds = 600;       // length of the window
  // Seconds of clicks before the window. Up to 3,600 it does not change the
  // window: sessions are made up for an hour before it, written or not.
  int64_t history = 3600;
  uint64_t seed = 1;              // of the clicks; the shop is always the same
  std::string out = "out/trace";  // directory: trace.csv and catalogue.csv
  std::FILE* progress = nullptr;  // told how far it is, every million clicks
};

// 2019-10-16 18:00:00 UTC: every generated window starts here.
inline constexpr int64_t kWindowStartUs = 1'571'248'800'000'000;

struct GeneratedClick {
  int64_t time_us = 0;
  int64_t user = 0;
  uint64_t session = 0;
  uint32_t position = 0;  // of the item in the catalogue
  uint8_t type = 0;       // a ClickType
};

// Streams the clicks of made-up shoppers in order of time, without end: an
// intent (category, brand, price level) per session, mostly near items, some
// repeats and revisits. Tuned to published statistics of REES46; what is
// clicked is about as predictable as there. Deterministic by seed. Memory: the
// sessions under way and 65,536 ended ones. Cost: below a microsecond a click.
//
// Not thread-safe.
class ClickGenerator {
 public:
  // `catalogue` outlives the generator. `clicks_per_second` is the rate once
  // as many sessions end as begin.
  ClickGenerator(const Catalogue& catalogue, double clicks_per_second,
                 int64_t start_us, uint64_t seed);

  GeneratedClick Next();

 private:
  static constexpr size_t kSeenMax = 20;
  static constexpr size_t kEndedMax = 65'536;

  struct Session {
    int64_t next_us = 0;
    uint64_t number = 0;
    int64_t user = 0;
    uint32_t clicks_left = 0;
    bool started = false;
    uint32_t position = 0;         // last item
    uint32_t shelf = 0;            // the intent
    double price_level = 0;        // " as log price
    uint32_t seen[kSeenMax] = {};  // distinct items, newest first
    uint32_t seen_count = 0;
  };
  struct Ended {
    int64_t user;
    uint32_t position;
    double price_level;
  };

  uint32_t SessionLength();
  void BeginSession();
  void ClickOnce(Session* session);
  uint32_t PickNew(Session* session);
  uint32_t PickNear(const Session& session);
  static bool HasSeen(const Session& session, uint32_t position);
  static void See(Session* session, uint32_t position);
  void EndSession(const Session& session);
  void MoveIntent(Session* session, uint32_t position, bool near);

  const Catalogue& catalogue_;
  const double sessions_per_second_;
  base::Rng rng_;
  int64_t next_session_us_;
  uint64_t sessions_ = 0;
  int64_t users_ = 0;
  std::vector<Session> slots_;
  std::vector<uint32_t> free_slots_;
  // (time, session number, slot): ties have one order.
  using Wake = std::tuple<int64_t, uint64_t, uint32_t>;
  std::priority_queue<Wake, std::vector<Wake>, std::greater<>> wakes_;
  std::vector<Ended> ended_;
};

struct GenerateReport {
  uint64_t history_clicks = 0;
  uint64_t window_clicks = 0;
  uint64_t window_users = 0;
  std::string trace_path;
  std::string catalogue_path;
};

// Writes trace.csv (REES46 columns, whole seconds) and catalogue.csv, each as
// .partial until both are whole: a trace.csv is complete, and so is what
// stands beside it.
// Returns: INVALID_ARGUMENT naming the option; UNAVAILABLE for a file that
// cannot be written.
absl::StatusOr<GenerateReport> RunGenerate(const GenerateOptions& options);

}  // namespace freshline::bench
