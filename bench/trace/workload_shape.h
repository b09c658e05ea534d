// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/time.h"

namespace freshline::bench {

enum class WorkloadKind {
  kPoster,
  kReal,
  kFlashCrowd,
  kHotKeys,
  kLongHistory,
  kFirstSeen,
  kSlowDrift,
  kGap,
  kNoisyTenant,
  kMixedSlo,
  kIngestStorm,
};

// A number that a workload can be given.
struct WorkloadParameter {
  const char* name;
  double value;  // where none is given
  double min, max;
  const char* meaning;
};

// A workload by its name: what a slice is made to differ in from the trace it
// is cut from, whether that is generated or real.
struct NamedWorkload {
  WorkloadKind kind;
  const char* name;
  const char* meaning;
  std::vector<WorkloadParameter> parameters;
};

// All of them, in the order in which people read of them.
const std::vector<NamedWorkload>& NamedWorkloads();

// One of them with its numbers. A value.
class WorkloadShape {
 public:
  // The trace as it is.
  WorkloadShape();

  // Parses "NAME" or "NAME:param=value,param=value"; "" is the trace as it is.
  // Returns: INVALID_ARGUMENT naming the workload or parameter that is
  // unknown, given twice or out of range, and what may stand there.
  static absl::StatusOr<WorkloadShape> Parse(absl::string_view text);

  WorkloadKind kind() const { return kind_; }
  // Whether nothing is changed: poster and real.
  bool plain() const;
  // REQUIRES: a parameter of this workload.
  double value(absl::string_view parameter) const;
  // From a click's push to its query, in milliseconds: the workload's where it
  // is one of a gap, else `otherwise`.
  double GapOr(double otherwise) const;
  // Parse() of it is this; every parameter is named. "" where plain().
  std::string Text() const;

 private:
  WorkloadKind kind_;
  std::map<std::string, double> values_;
};

// Uniform in [0, 1), of a user always the same whatever else is in a slice;
// another one for each `salt`.
double UserDraw(int64_t user, uint64_t seed, uint64_t salt);

// Which tenant a user's queries are sent by, where the workload has several: 0,
// or 1, the noisy one, which sends `factor` times as many as 0. Of a user
// always the same.
uint32_t TenantOf(int64_t user, const WorkloadShape& shape, uint64_t seed);

// The SLO of a user's queries: one of kMixedSlos where the workload mixes them,
// of a user always the same; else `otherwise`.
inline constexpr base::Duration kMixedSlos[] = {
    std::chrono::milliseconds(10), std::chrono::milliseconds(30),
    std::chrono::milliseconds(50), std::chrono::milliseconds(100)};
base::Duration SloOf(int64_t user, const WorkloadShape& shape, uint64_t seed,
                     base::Duration otherwise);

// Names, parameters with their defaults, meanings: lines for --help.
std::string WorkloadHelp();

}  // namespace freshline::bench
