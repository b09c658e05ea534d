// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/ids.h"

namespace freshline::base {

// What the cost of computing one row depends on: known before it runs. The
// estimator predicts from it, the feature function declares it.
struct JobShape {
  GroupId group{};
  uint32_t events = 0;  // events that will be read
  uint32_t scans = 0;   // passes over a table (interests); 0: none
  friend bool operator==(const JobShape&, const JobShape&) = default;
};

// The shape of rows of one group that are computed together. Passes over one
// table are shared, so that what counts is how many rows there are, and how
// many scans in all: the scans of an average row, rounded up, and the events
// of the largest.
class BatchShape {
 public:
  void Add(const JobShape& row) {
    group_ = row.group;
    events_ = std::max(events_, row.events);
    scans_ += row.scans;
    ++rows_;
  }
  uint32_t rows() const { return rows_; }
  // REQUIRES: a row.
  JobShape shape() const {
    return {group_, events_,
            static_cast<uint32_t>((scans_ + rows_ - 1) / rows_)};
  }

 private:
  GroupId group_{};
  uint32_t events_ = 0;
  uint64_t scans_ = 0;
  uint32_t rows_ = 0;
};

// How true a computed row is to its definition.
enum class Fidelity : uint8_t { kFull = 1, kApproximate = 2 };

// How a row of an answer was obtained (design: ladder of answers). The values
// are those of the wire.
enum class Obtained : uint8_t {
  kUnset = 0,
  kAlreadyFresh = 1,  // or as fresh as the caller asked for
  kComputedInline = 2,
  kRefreshed = 3,
  kApproximated = 4,
  kWritten = 5,
  kStaleShed = 6,
  kStaleDeadline = 7,
  kStaleError = 8,
  kDefaultCold = 9,
};
inline constexpr int kObtainedCount = 10;

}  // namespace freshline::base
