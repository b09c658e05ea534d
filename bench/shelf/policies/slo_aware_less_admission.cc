// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

// slo_aware without admission, and so without a price.
schedule::PolicyConfig OursLessAdmission() {
  schedule::PolicyConfig policy =
      schedule::PolicyCatalogue::BuiltIn().policies().front();
  policy.name = "slo_aware_less_admission";
  policy.summary = "slo_aware without admission and price, for ablation";
  policy.admission = policy.price = false;
  return policy;
}

}  // namespace freshline::bench
