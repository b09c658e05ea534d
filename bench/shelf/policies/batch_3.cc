// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

// Batch-N, N = 3: as a pipeline that recomputes a key every few events.
schedule::PolicyConfig Batch3() {
  schedule::PolicyConfig policy;
  policy.name = "batch_3";
  policy.summary = "a row is queued once three of its events are pending";
  policy.trigger = schedule::Trigger::kEventEnqueues;
  policy.pending_min = 3;
  return policy;
}

}  // namespace freshline::bench
