// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/time_text.h"

// What the texts of fields stand for, in every file of events: the command line
// and the bench read the same forms.

namespace freshline::csv {

// The text of a field whose type is not STRING, without the spaces around it;
// "" where it is NULL: empty, NULL, \N, NA, N/A, NaN, NaT, None, nil, <NA> and
// #N/A, in any case. In a STRING they are text, which this is not for.
absl::string_view PlainValue(absl::string_view text);

// When an event was, in Unix microseconds: as base::ParseTime() reads it, with
// or without spaces around it, and `shift_us` later.
// Returns: INVALID_ARGUMENT that names the text, where it is no time or lies
// outside of base::kEventTimeMinUs to kEventTimeMaxUs; of a number that is one
// in another unit, which.
absl::StatusOr<int64_t> ParseEventTime(absl::string_view text,
                                       base::TimeUnit unit,
                                       int64_t shift_us = 0);

}  // namespace freshline::csv
