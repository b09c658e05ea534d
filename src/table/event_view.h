// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/ids.h"
#include "base/time.h"
#include "registry/value_type.h"

namespace freshline::table {

// When time alone changes a row that it never does.
inline constexpr base::UnixMicros kHoldsForEver =
    std::numeric_limits<base::UnixMicros>::max();

// One column of events, dense: element i belongs to event i. NULL cells hold 0
// or an empty string.
struct ColumnView {
  registry::Scalar type = registry::Scalar::kInt64;
  const int64_t* ints = nullptr;         // BOOL, INT64, TIMESTAMP
  const double* doubles = nullptr;       // FLOAT64
  const std::string* strings = nullptr;  // STRING
  const uint8_t* nulls = nullptr;        // 1 where NULL; nullptr where none is
  bool is_null(size_t i) const { return nulls != nullptr && nulls[i] != 0; }
};

// The events of one key from one source, ordered by (event time, sequence).
// A view: valid only while its owner says so.
struct EventView {
  size_t size = 0;
  const base::UnixMicros* event_time_us = nullptr;  // [size], ascending
  const base::Seq* sequence = nullptr;              // [size]
  std::span<const ColumnView> columns;  // as Source::columns, in that order
  // Events were dropped by the cap on events per key, not by retention: a
  // window that would hold one of dropped_to_us is TRUNCATED. That may be later
  // than the first event, since one that is ahead may be dropped before it.
  bool truncated = false;
  base::UnixMicros dropped_to_us = 0;  // newest event time so dropped
  // How long the source keeps an event, from the event's time on.
  base::UnixMicros retention_us = kHoldsForEver;

  bool empty() const { return size == 0; }
  // When the retention ends an event of this time.
  base::UnixMicros EndOf(base::UnixMicros time_us) const {
    return retention_us == kHoldsForEver ? kHoldsForEver
                                         : time_us + retention_us;
  }
};

}  // namespace freshline::table
