// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace freshline::bench {

// How many of successive windows of runs were within what was predicted of
// them, over a stream of any length: windows are all of one size, which doubles
// whenever there are kWindowsMax of them. Not thread-safe.
class CoverageWindows {
 public:
  static constexpr size_t kWindowsMax = 200;
  static constexpr uint64_t kRunsMin = 500;  // of a window, at first

  // Whether the window in hand is full with this run: then Close() it.
  bool Count() { return ++runs_ % window_ == 0; }

  // `within` counts all runs within their prediction since the beginning.
  void Close(uint64_t within) {
    within_.push_back(within - std::exchange(closed_, within));
    if (within_.size() < kWindowsMax) return;
    for (size_t i = 0; i < within_.size() / 2; ++i) {
      within_[i] = within_[2 * i] + within_[2 * i + 1];
    }
    within_.resize(within_.size() / 2);
    window_ *= 2;
  }

  // The share within of each full window, oldest first.
  std::vector<double> Shares() const {
    std::vector<double> shares;
    for (const uint64_t within : within_) {
      shares.push_back(static_cast<double>(within) /
                       static_cast<double>(window_));
    }
    return shares;
  }

 private:
  uint64_t window_ = kRunsMin;
  uint64_t runs_ = 0;
  uint64_t closed_ = 0;
  std::vector<uint64_t> within_;
};

}  // namespace freshline::bench
