// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "bench/report/run_report.h"
#include "bench/score/models.h"
#include "bench/score/queries.h"

namespace freshline::bench {

// The quality of a run whose answers have the ranks `served`, beside that of
// every model on the same queries, with the gap closed and its interval.
// REQUIRES: `models` and `served` are of `set`.
RunReport::Quality QualityOf(const QuerySet& set,
                             const std::array<Ranks, kModelRows>& models,
                             const Ranks& served);

}  // namespace freshline::bench
