// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/time.h"

namespace freshline::base {

// Parses "14d", "30m", "1h30m", "250ms", "10us": a sum of whole numbers with
// units d, h, m, s, ms, us. Definitions write durations so.
// Returns: INVALID_ARGUMENT naming the text and the units that are known, when
// it is empty, has another unit, or exceeds 100 years.
absl::StatusOr<Duration> ParseDuration(absl::string_view text);

// The shortest text that ParseDuration() reads back: "14d", "1h30m", "0s".
std::string FormatDuration(Duration duration);

}  // namespace freshline::base
