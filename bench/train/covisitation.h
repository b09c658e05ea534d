// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace freshline::bench {

// What was clicked near what: for two clicks at distance d <= 9 of a session
// without consecutive repeats, the later item weighs 1 / d for the earlier one,
// and the earlier 0.5 / d for the later.
//
// Weights are counted in 5040ths, which are whole for every d, so that the
// table does not depend on the order of additions. Not thread-safe.
class CovisitationCounter {
 public:
  static constexpr uint32_t kUnit = 5040;
  static constexpr size_t kDistanceMax = 9;

  struct Pair {
    uint32_t item = 0;
    uint32_t neighbour = 0;
    uint64_t weight = 0;  // in 5040ths
  };

  // Adds one session: its items in the order of its clicks.
  void AddSession(std::span<const uint32_t> items);

  // All pairs, each once, by (item, neighbour). The counter is empty
  // afterwards.
  std::vector<Pair> Take();

 private:
  void Merge();

  std::vector<uint32_t> sequence_;
  std::vector<Pair> pairs_;
  size_t merge_at_ = size_t{1} << 24;
};

}  // namespace freshline::bench
