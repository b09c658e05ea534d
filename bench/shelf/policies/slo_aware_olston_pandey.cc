// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

namespace freshline::bench {

// slo_aware, with background work by the index of Olston & Pandey 2005.
schedule::PolicyConfig OursOlstonPandey() {
  schedule::PolicyConfig policy =
      schedule::PolicyCatalogue::BuiltIn().policies().front();
  policy.name = "slo_aware_olston_pandey";
  policy.summary = "slo_aware, idle workers refresh by t*D - the integral of D";
  policy.background_index = {schedule::OlstonPandey, true};
  return policy;
}

}  // namespace freshline::bench
