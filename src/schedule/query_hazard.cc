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
  return index == 0
             ? 0
             : kFirstEdge * std::exp2((static_cast<double>(index) - 1) / 2);
}

void QueryHazard::Watched(base::Duration age) {
  if (++watched_ == kHalfLife) {
    watched_ = 0;
    for (double& queries : queries_) queries /= 2;
    for (double& seconds : seconds_) seconds /= 2;
  }
  const double seconds = ToSeconds(age);
  for (size_t i = 0; i < kAges; ++i) {
    const double begin = LowerEdge(i);
    if (begin >= seconds) return;
    const double end = i + 1 < kAges ? LowerEdge(i + 1) : seconds;
    seconds_[i] += std::min(end, seconds) - begin;
  }
}

void QueryHazard::Asked(base::Duration age) {
  queries_[IndexOf(ToSeconds(age))] += 1;
}

double QueryHazard::Rate(base::Duration age) const {
  const size_t i = IndexOf(ToSeconds(age));
  return (queries_[i] + kPriorQueries) / (seconds_[i] + kPriorSeconds);
}

}  // namespace freshline::schedule
