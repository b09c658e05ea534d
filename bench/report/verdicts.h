// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/report/summary.h"

// What the scheduler is asked for, beside what was measured.

namespace freshline::bench {

enum class VerdictState : uint8_t { kNotMeasured, kMet, kMissed, kReported };

struct Verdict {
  std::string what;
  std::string target;
  std::string measured;  // with where the worst of it was
  VerdictState state = VerdictState::kNotMeasured;
};

// "met", "MISSED", "reported", "not measured here".
const char* VerdictName(VerdictState state);

// Every target, in a fixed order; those that a summary has no runs for are
// said to be not measured, never met.
std::vector<Verdict> VerdictsOf(const Summary& summary);

// The featurizations per query at which a policy closes `share` of the gap
// under one condition but for the load: between neighbours where needed, the
// least where there are several. nullopt where it never does.
// `curve`: points of one policy, in any order.
std::optional<double> RowsPerQueryAt(double share,
                                     const std::vector<const Point*>& curve);

}  // namespace freshline::bench
