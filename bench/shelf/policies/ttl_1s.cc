// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

// A cache with a time to live of a second (RFC 9111's max-age), refreshed
// behind the answer (stale-while-revalidate, RFC 5861).
schedule::PolicyConfig Ttl() {
  schedule::PolicyConfig policy;
  policy.name = "ttl_1s";
  policy.summary =
      "answered at once; queries queue rows refreshed over 1 s ago";
  policy.trigger = schedule::Trigger::kQueryEnqueues;
  policy.ttl = std::chrono::seconds(1);
  policy.history_max = kShelfHistory;
  return policy;
}

}  // namespace freshline::bench
