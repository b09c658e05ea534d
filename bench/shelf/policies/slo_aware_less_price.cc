// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

// slo_aware, with work admitted at any price.
schedule::PolicyConfig OursLessPrice() {
  schedule::PolicyConfig policy =
      schedule::PolicyCatalogue::BuiltIn().policies().front();
  policy.name = "slo_aware_less_price";
  policy.summary = "slo_aware without a price of worker time, for ablation";
  policy.price = false;
  return policy;
}

}  // namespace freshline::bench
