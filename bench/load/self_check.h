// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "bench/load/open_loop.h"

namespace freshline::bench {

// What the instrument measured of one daemon, in turns: left alone, frozen
// once in every block, and beside a spinning thread on every core.
struct SelfCheckRuns {
  LoadResult calm;
  LoadResult frozen;
  LoadResult crowded;
  base::Duration frozen_span{};  // time in which `frozen` was sent
  int freezes = 0;               // in that time
  base::Duration freeze{};       // length of each
  base::Duration slo{};
};

struct Verdict {
  bool passed = false;
  std::string what;     // that is claimed
  std::string figures;  // that it rests on, with the bound
};

// Judges whether the instrument can be trusted:
// 1. A freeze moves p99 by half its length at least, against the calm blocks.
// 2. Of the queries meant to be sent while the daemon was frozen for longer
//    than the SLO yet, half at least count as late: none is omitted.
// 3. The client goes on sending meanwhile: its dispatch lag stays below 1 ms,
//    or twice that of the calm blocks.
// 4. Spinning neighbours do not break the guard: at most half a point more of
//    the queries are late than in the calm blocks.
// Each is compared with what the same machine did a few seconds before, so
// that a noisy one does not fail for its noise.
std::vector<Verdict> JudgeSelfCheck(const SelfCheckRuns& runs);

}  // namespace freshline::bench
