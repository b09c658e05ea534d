// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

// slo_aware, with answers leaving at their deadline.
schedule::PolicyConfig OursLessGuard() {
  schedule::PolicyConfig policy =
      schedule::PolicyCatalogue::BuiltIn().policies().front();
  policy.name = "slo_aware_less_guard";
  policy.summary = "slo_aware without a guard, for ablation";
  policy.guard = false;
  return policy;
}

}  // namespace freshline::bench
