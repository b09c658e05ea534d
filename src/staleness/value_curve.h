// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace freshline::staleness {

// A value-loss curve v(n, j): what is lost by a row that lacks the newest j of
// the n events of its key, in whatever unit it was measured (hit rate, say).
// It is a step function of n and never falls with j.
//
// Its text: the first line is `freshline-value-curve 1`; then one line `n j
// loss` per point, apart by blanks. Empty lines and lines that begin with `#`
// are skipped. Points with the same n stand together and hold from that n up to
// the next one; the first n is 1 and they rise. Within an n, j counts 1, 2, 3,
// ... without a hole, no further than the largest n that the bucket holds
// (the last is open); loss is finite, in [0, kLossMax] and never falls. Beyond
// the last j of an n, the loss stays that of the last.
//
// Thread-safety: immutable. Cost: Loss() is a search in at most kBucketsMax.
class ValueCurve {
 public:
  static constexpr size_t kBucketsMax = 64;
  static constexpr uint32_t kMissingMax = 64;  // j
  static constexpr double kLossMax = 1e9;

  // Returns: INVALID_ARGUMENT naming `where`, the line and the remedy.
  static absl::StatusOr<ValueCurve> Parse(absl::string_view text,
                                          absl::string_view where);

  // 0 where `missing` is 0; `missing` above `events` counts as all of them.
  double Loss(uint64_t events, uint64_t missing) const;

  // What Parse() reads back as the same curve.
  std::string Text() const;

 private:
  struct Bucket {
    uint64_t events_min;
    std::vector<double> losses;  // [j - 1]
  };
  class Parser;
  ValueCurve() = default;

  std::vector<Bucket> buckets_;  // by events_min
};

}  // namespace freshline::staleness
