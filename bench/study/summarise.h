// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bench/report/summary.h"
#include "bench/study/runner.h"

namespace freshline::bench {

// Points with the gap closed by all seeds' users together; ours against the
// baseline that closes most of the gap at that very condition; and what is
// lost without each ingredient, against ours. Differences are of the seeds
// that both have.
// Deterministic. Cost: options.resamples * users for each point and
// difference.
Summary SummariseStudy(const std::string& name, const ReportHeader& header,
                       const std::map<std::string, PolicyFacts>& policies,
                       const std::vector<StudyResult>& results,
                       const BootstrapOptions& options);

}  // namespace freshline::bench
