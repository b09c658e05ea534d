// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "registry/revision.h"
#include "staleness/metric.h"

namespace freshline::staleness {

// The metrics of a revision by GroupId.
using MetricSet = std::vector<StalenessMetric>;

// Makes the metric of every group: reads curves and compiles expressions. A
// relative curve_file is looked for in `directory`, empty: where we stand.
// Errors name the group, the field and what is wrong with it: those of
// registry::ReadTextFile(), ValueCurve::Parse() and SqlExpression::Compile().
absl::StatusOr<MetricSet> MakeMetrics(const registry::Revision& revision,
                                      const std::string& directory);

// What is allowed and hardly meant, a line each, naming the group and the
// field. REQUIRES: `metrics` are those of `revision`.
std::vector<std::string> Doubts(const registry::Revision& revision,
                                const MetricSet& metrics);

// Makes the metric that a command line names: share, pending, age, curve:FILE,
// learned, learned:FILE (the curve that it begins with) or sql:EXPRESSION.
// Returns: INVALID_ARGUMENT naming the choices, or as MakeMetrics().
absl::StatusOr<StalenessMetric> ParseMetric(const std::string& text);

}  // namespace freshline::staleness
