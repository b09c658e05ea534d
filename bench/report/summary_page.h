// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/status.h"
#include "bench/report/page.h"
#include "bench/report/summary.h"

namespace freshline::bench {

// A summary as a page: latency, staleness, compute and hit rates first, in the
// form of an SLO-aware scheduler's own published figure; then curves over load,
// the other workloads and settings, what each ingredient is worth, and every
// target beside what was measured.
Page SummaryPage(const Summary& summary);

// Renders it. Returns: UNAVAILABLE naming `path`.
absl::Status WriteSummaryPage(const Summary& summary, const std::string& path);

}  // namespace freshline::bench
