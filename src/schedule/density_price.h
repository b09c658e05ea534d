// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "base/time.h"

namespace freshline::schedule {

// The value of worker time now: the density (gain per ns of work) at which the
// work that was offered recently, the densest first, fills all workers. 0
// while everything that is offered fits. It is the dual of the fluid problem
// "which work to do when there is more than time for".
//
// Recent offers count more, by exp(-age / memory). Densities are told apart to
// a quarter of a power of two.
//
// Thread-safety: none. Bounds: 4 KB.
// Cost: Offer O(1); Refresh touches at most 132 counters.
class DensityPrice {
 public:
  explicit DensityPrice(base::Duration memory) : memory_(memory) {}

  // `work` of this density was asked for. REQUIRES: now never decreases.
  void Offer(double density, base::Duration work, base::MonoTime now);

  // Recomputes the price from what was offered until now, for so many workers
  // (a share of one counts).
  void Refresh(double workers, base::MonoTime now);

  // Work offered recently, in workers that it would keep busy.
  double Demand(base::MonoTime now);

  // As of the last Refresh().
  double price() const { return price_; }

 private:
  static constexpr int kSteps = 4;
  static constexpr int kOctaves = 128;

  static int IndexOf(double density);
  static double LowerEdge(int index);
  // What an offer at `now` weighs; rescales everything when that grows large.
  double UnitAt(base::MonoTime now);

  const base::Duration memory_;
  base::MonoTime origin_{};
  double price_ = 0;
  double total_ = 0;  // of the octaves
  // Work in ns times weight.
  std::array<double, kSteps * kOctaves> steps_{};
  std::array<double, kOctaves> octaves_{};
};

}  // namespace freshline::schedule
