// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

// slo_aware, with all flows as one.
schedule::PolicyConfig OursLessFairness() {
  schedule::PolicyConfig policy =
      schedule::PolicyCatalogue::BuiltIn().policies().front();
  policy.name = "slo_aware_less_fairness";
  policy.summary = "slo_aware without shares of flows, for ablation";
  policy.fairness = false;
  return policy;
}

}  // namespace freshline::bench
