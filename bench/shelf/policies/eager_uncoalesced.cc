// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

// A stream processor without coalescing: a run for every event, in order, as
// the streaming baseline of RALF (Wooders et al., VLDB 2023) has it.
schedule::PolicyConfig EagerUncoalesced() {
  schedule::PolicyConfig policy;
  policy.name = "eager_uncoalesced";
  policy.summary =
      "each event owes its row a run of its own; in order of arrival";
  policy.trigger = schedule::Trigger::kEventEnqueues;
  policy.coalesce = false;
  return policy;
}

}  // namespace freshline::bench
