// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

// slo_aware, with background work by gain per expected time, whoever asks.
schedule::PolicyConfig OursDensityBackground() {
  schedule::PolicyConfig policy =
      schedule::PolicyCatalogue::BuiltIn().policies().front();
  policy.name = "slo_aware_density_background";
  policy.summary = "slo_aware, idle workers refresh the highest density";
  policy.background_index.function = schedule::Density;
  return policy;
}

}  // namespace freshline::bench
