// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

// The floor: the state at the start, frozen. What a gap closed is counted from.
schedule::PolicyConfig Never() {
  schedule::PolicyConfig policy;
  policy.name = "never";
  policy.summary = "nothing is ever refreshed";
  policy.trigger = schedule::Trigger::kNever;
  return policy;
}

}  // namespace freshline::bench
