// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "base/histogram.h"
#include "base/time.h"
#include "bench/whatif/recorded_run.h"
#include "schedule/policies.h"

namespace freshline::bench {

// What is other than it was recorded; absent: as it was.
struct WhatIfSettings {
  std::optional<schedule::PolicyConfig> policy;
  std::optional<uint32_t> workers;    // 1 to 1024
  std::optional<uint32_t> batch_max;  // 1 to 64, of every group
  std::optional<base::Duration> slo;  // of every flow; above its guard
  base::Duration guard_shift{};       // answers leave so much earlier
  // Share of the answers that may be late, in (0, 0.1]: answers leave as much
  // earlier, or later, as the overshoots that were recorded say.
  std::optional<double> budget;
  base::Duration skip{};  // as of LoadRecordedRun()
  uint64_t seed = 1;
};

struct WhatIfResult {
  std::string policy;
  uint32_t workers = 0;
  uint64_t tickets = 0;
  uint64_t needs = 0;
  uint64_t fresh = 0;  // of the needs: refreshed, or stored fresh already
  uint64_t late = 0;   // answered after their deadline
  double gain_offered = 0;
  double gain_captured = 0;
  uint64_t rows_computed = 0;
  uint64_t jobs = 0;
  base::Duration busy{};  // of all workers
  base::Duration span{};
  base::Histogram decision_ns;  // from arrival to answer
  double price_mean = 0;        // over the needs that were settled stale

  double captured() const {
    return gain_offered > 0 ? gain_captured / gain_offered : 1;
  }
  double fraction_fresh() const {
    return needs > 0 ? static_cast<double>(fresh) / static_cast<double>(needs)
                     : 1;
  }
  double utilisation() const {
    const double all = static_cast<double>(span.count()) * workers;
    return all > 0 ? static_cast<double>(busy.count()) / all : 0;
  }
};

// Drives a fresh policy through the recorded queries and events in virtual
// time. Its estimator begins with the recorded profile; run times are drawn
// from the recorded runs (by the quantiles of an estimator that saw them all),
// what starts and ends of jobs took beyond them, and how late answers left,
// from what was recorded of them. The same work takes the same time under all
// settings (common random numbers), but for what runs beside it: a run goes on
// the faster the fewer others there are, as the recorded ones did (Contention).
//
// What it cannot know: gains are those of the rows as they were stored in the
// recorded run; queries that found all rows fresh then are not there; and a
// machine with more workers may compute each row more slowly than any run that
// was recorded. The guard is the recorded one, query by query, but for what
// `budget` and `guard_shift` change of it.
// Deterministic. Cost: about 2 us for each query and event.
// Returns: INVALID_ARGUMENT naming the setting, its value and its range;
// FAILED_PRECONDITION for a budget where the log does not say its own.
absl::StatusOr<WhatIfResult> WhatIf(const RecordedRun& run,
                                    const WhatIfSettings& settings,
                                    const schedule::PolicyCatalogue& catalogue =
                                        schedule::PolicyCatalogue::BuiltIn());

}  // namespace freshline::bench
