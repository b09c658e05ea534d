// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

namespace {

double GainTimesAge(const schedule::RowFacts& row, base::MonoTime now) {
  return row.gain * base::ToMillis(now - row.pending_since);
}

}  // namespace

// Max-weight over age (Kadota et al., IEEE/ACM ToN 2018): the weight of a row,
// here its gain, times how long its first unseen event has been waiting.
schedule::PolicyConfig MaxWeightAge() {
  schedule::PolicyConfig policy;
  policy.name = "max_weight_age";
  policy.summary = "rows with events: the highest gain times age first";
  policy.trigger = schedule::Trigger::kEventEnqueues;
  policy.index = {GainTimesAge, /*moves=*/true};
  return policy;
}

}  // namespace freshline::bench
