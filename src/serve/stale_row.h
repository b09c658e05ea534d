// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "base/time.h"
#include "schedule/policy.h"
#include "table/table.h"

namespace freshline::serve {

// A row of an answer that is stale, and where it stands. A key that was given
// twice has two places and one need.
struct StaleRow {
  schedule::Need need;
  uint32_t group = 0;                      // of the plan
  uint32_t row = 0;                        // of the answer
  base::UnixMicros computed_after_us = 0;  // older rows do not satisfy it
  table::Signals signals;                  // as assessed
};

}  // namespace freshline::serve
