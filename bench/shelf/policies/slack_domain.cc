// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

namespace {

double HighestGain(const schedule::RowFacts& row, base::MonoTime /*now*/) {
  return row.gain;
}

}  // namespace

// The SLO-aware successor of RALF: a query's slack is spent on the row that is
// stalest, by its gain, which is the value curve that the service configures.
schedule::PolicyConfig SlackDomain() {
  schedule::PolicyConfig policy;
  policy.name = "slack_domain";
  policy.summary = "a query waits; the stalest by domain first";
  policy.index.function = HighestGain;
  policy.guard = true;
  return policy;
}

}  // namespace freshline::bench
