// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace freshline::schedule {

// Which work the price of worker time has been told of lately. Whoever asks
// again for what was refused wants the same work, not more of it: else those
// who ask at once and again would make worker time dear while workers idle, be
// refused for its price, and ask again.
//
// Thread-safety: none. Cost: O(1). Bounds: 8,192 rows, 256 KB; two that share a
// place are told of as if each time were the first.
class RecentOffers {
 public:
  // `memory`: that of DensityPrice.
  explicit RecentOffers(base::Duration memory);

  // The share of the work of a row, as of `newest`, that the price does not
  // know of, in [0, 1]: all of it for the first time, then what it has
  // forgotten of it since the last. REQUIRES: now never decreases.
  double Renew(base::RowId row, base::Seq newest, base::MonoTime now);

  // The work was done: whoever asks from now on wants it done again.
  void Done(base::RowId row);

 private:
  struct Offer {
    base::RowId row{};
    base::Seq newest = 0;
    base::MonoTime at = base::kInfinitePast;  // so: no offer
  };
  Offer& PlaceOf(base::RowId row);

  const base::Duration memory_;
  std::vector<Offer> places_;
};

}  // namespace freshline::schedule
