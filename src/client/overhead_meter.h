// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>

#include "base/time.h"

namespace freshline::client {

// What answers from one target cost beyond the server's part, for telling the
// server with the next request: the most since it was last told, so that it
// learns of the tail though not of every answer.
//
// Thread-safety: any thread. Cost: a few ns.
class OverheadMeter {
 public:
  // An answer is in hand `round_trip` after its request was sent; the server
  // says that its part was `server_us` (0: it does not say).
  void Answered(base::Duration round_trip, int64_t server_us) {
    if (server_us <= 0) return;
    const int64_t seen =
        std::max<int64_t>(0, round_trip.count() / 1000 - server_us);
    int64_t most = most_us_.load(std::memory_order_relaxed);
    while (seen > most && !most_us_.compare_exchange_weak(
                              most, seen, std::memory_order_relaxed)) {
    }
  }

  // What to tell, once; none where no answer came since the last time.
  std::optional<int64_t> TakeMicros() {
    const int64_t most = most_us_.exchange(-1, std::memory_order_relaxed);
    return most < 0 ? std::nullopt : std::optional<int64_t>(most);
  }

 private:
  std::atomic<int64_t> most_us_{-1};
};

}  // namespace freshline::client
