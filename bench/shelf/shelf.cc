// SPDX-License-Identifier: Apache-2.0
#include "bench/shelf/shelf.h"

#include "base/check.h"

namespace freshline::bench {

schedule::PolicyCatalogue ShelfCatalogue() {
  schedule::PolicyCatalogue catalogue = schedule::PolicyCatalogue::BuiltIn();
#define FRESHLINE_ADD(policy) FRESHLINE_CHECK(catalogue.Add(policy()).ok());
  FRESHLINE_SHELF(FRESHLINE_ADD)
#undef FRESHLINE_ADD
  return catalogue;
}

}  // namespace freshline::bench
