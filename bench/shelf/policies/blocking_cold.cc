// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

// A lazily filled cache: the first query for a key blocks on it, later ones are
// answered with what is there.
schedule::PolicyConfig BlockingCold() {
  schedule::PolicyConfig policy;
  policy.name = "blocking_cold";
  policy.summary =
      "a query waits where nothing is stored; else its row is queued";
  policy.trigger = schedule::Trigger::kQueryWaitsCold;
  policy.guard = true;
  return policy;
}

}  // namespace freshline::bench
