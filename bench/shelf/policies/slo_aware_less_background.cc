// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

// slo_aware, with workers idle where nobody waits.
schedule::PolicyConfig OursLessBackground() {
  schedule::PolicyConfig policy =
      schedule::PolicyCatalogue::BuiltIn().policies().front();
  policy.name = "slo_aware_less_background";
  policy.summary = "slo_aware without background refresh, for ablation";
  policy.background = false;
  return policy;
}

}  // namespace freshline::bench
