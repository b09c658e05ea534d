// SPDX-License-Identifier: Apache-2.0
#include "schedule/query_hazard.h"

#include <algorithm>
#include <cmath>

namespace freshline::schedule {

namespace {

constexpr double kFirstEdge = 1e-3;  // seconds; the first age begins at 0
constexpr uint32_t kHalfLife = 20'000;
// What stands for nothing seen: one query in half a minute of watching.
constexpr double kPriorQueries = 1;
constexpr double kPriorSeconds = 30;

double ToSeconds(base::Duration d) {
  return static_cast<double>(std::max<int64_t>(d.count(), 0)) / 1e9;
}

}  // namespace

size_t QueryHazard::IndexOf(double seconds) {
  if (seconds < kFirstEdge) return 0;
  const double half_octaves = 2 * std::log2(seconds / kFirstEdge);
  return std::min(kAges - 1, 1 + static_cast<size_t>(half_octaves));
}

double QueryHazard::LowerEdge(size_t index) {
  static const std::array<double, kAges> edges = [] {
    std::array<double, kAges> all{};
    for (size_t i = 1; i < kAges; ++i) {
      all[i] = kFirstEdge * std::exp2((static_cast<double>(i) - 1) / 2);
    }
    return all;
  }();
  return edges[index];
}

void QueryHazard::Watched(base::Duration age) {
  if (++watched_ == kHalfLife) {
    watched_ = 0;
    for (double& queries : queries_) queries /= 2;
    for (double& seconds : seconds_) seconds /= 2;
  }
  const double seconds = ToSeconds(age);
  // All ages below are watched to their ends.
  const size_t last = IndexOf(seconds);
  for (size_t i = 0; i < last; ++i) {
    seconds_[i] += LowerEdge(i + 1) - LowerEdge(i);
  }
  seconds_[last] += seconds - LowerEdge(last);
}

void QueryHazard::Asked(base::Duration age) {
  queries_[IndexOf(ToSeconds(age))] += 1;
}

double QueryHazard::Rate(base::Duration age) const {
  const size_t i = IndexOf(ToSeconds(age));
  return (queries_[i] + kPriorQueries) / (seconds_[i] + kPriorSeconds);
}

}  // namespace freshline::schedule
