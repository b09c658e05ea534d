// SPDX-License-Identifier: Apache-2.0
#include "execute/guard.h"

#include <algorithm>

namespace freshline::execute {
namespace {

constexpr uint64_t kRecomputeEvery = 256;

}  // namespace

void Guard::Observe(base::Duration overshoot) {
  current_.Record(overshoot.count());
  if (++since_recompute_ >= kRecomputeEvery) Recompute();
}

void Guard::Recompute() {
  since_recompute_ = 0;
  base::Histogram all;
  all.Merge(previous_);
  all.Merge(current_);
  overshoot_ =
      std::min(base::Duration(all.Quantile(0.999)), options_.overshoot_max);
  if (current_.count() >= options_.window) {
    std::swap(current_, previous_);
    current_.Reset();
  }
}

}  // namespace freshline::execute
