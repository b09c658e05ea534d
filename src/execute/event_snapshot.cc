// SPDX-License-Identifier: Apache-2.0
#include "execute/event_snapshot.h"

#include <algorithm>

namespace freshline::execute {

using registry::Scalar;
using table::ColumnView;
using table::EventView;

void EventSnapshot::CopyNewest(const EventView& events, uint32_t events_max) {
  const size_t n = std::min<size_t>(events.size, events_max);
  const size_t from = events.size - n;
  size_ = n;
  truncated_ = events.truncated;
  dropped_to_us_ = events.dropped_to_us;
  retention_us_ = events.retention_us;
  if (from > 0) {
    // What the copy leaves out is out of reach of the function as well.
    const base::UnixMicros left_out = events.event_time_us[from - 1];
    dropped_to_us_ = truncated_ ? std::max(dropped_to_us_, left_out) : left_out;
    truncated_ = true;
  }
  event_time_us_.assign(events.event_time_us + from,
                        events.event_time_us + events.size);
  sequence_.assign(events.sequence + from, events.sequence + events.size);
  columns_.resize(events.columns.size());
  column_views_.resize(columns_.size());
  for (size_t c = 0; c < columns_.size(); ++c) {
    const ColumnView& in = events.columns[c];
    Column& out = columns_[c];
    out.type = in.type;
    out.has_nulls = in.nulls != nullptr;
    if (out.has_nulls) out.nulls.assign(in.nulls + from, in.nulls + from + n);
    switch (in.type) {
      case Scalar::kFloat64:
        out.doubles.assign(in.doubles + from, in.doubles + from + n);
        break;
      case Scalar::kString:
        // Assigning into the strings that are there keeps their buffers.
        if (out.strings.size() < n) out.strings.resize(n);
        for (size_t i = 0; i < n; ++i) out.strings[i] = in.strings[from + i];
        break;
      case Scalar::kBool:
      case Scalar::kInt64:
      case Scalar::kTimestamp:
        out.ints.assign(in.ints + from, in.ints + from + n);
        break;
    }
    column_views_[c] = {out.type, out.ints.data(), out.doubles.data(),
                        out.strings.data(),
                        out.has_nulls ? out.nulls.data() : nullptr};
  }
}

void EventSnapshot::Clear() {
  size_ = 0;
  truncated_ = false;
  dropped_to_us_ = 0;
  retention_us_ = table::kHoldsForEver;
}

EventView EventSnapshot::View() const {
  return {size_,      event_time_us_.data(), sequence_.data(), column_views_,
          truncated_, dropped_to_us_,        retention_us_};
}

}  // namespace freshline::execute
