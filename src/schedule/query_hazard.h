// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace freshline::schedule {

// How soon a row is asked for again, learned from all rows: queries per second
// of a row by the time since its last event or query (a hazard, constant
// within an age: queries over the seconds watched at that age). Ages are told
// apart by half octaves, from 1 ms to about an hour; old counts fade.
//
// Thread-safety: none. Cost: Rate and Asked O(1), Watched O(ages). Bounds: 1
// KB.
class QueryHazard {
 public:
  // A row was watched until this age.
  void Watched(base::Duration age);
  // At this age a query came.
  void Asked(base::Duration age);

  // Queries per second of a row of this age. Where little was seen, near that
  // of a row that is asked for every half minute.
  double Rate(base::Duration age) const;

 private:
  static constexpr size_t kAges = 46;
  static size_t IndexOf(double seconds);
  static double LowerEdge(size_t index);  // in seconds

  std::array<double, kAges> queries_{};
  std::array<double, kAges> seconds_{};
  uint32_t watched_ = 0;  // since the counts were halved
};

}  // namespace freshline::schedule
