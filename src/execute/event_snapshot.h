// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "table/event_view.h"

namespace freshline::execute {

// An owned copy of the newest events of a key, for a computation that outlives
// the shard's lock. Keeps its capacity from one use to the next.
// Not thread-safe.
class EventSnapshot {
 public:
  // Copies the newest min(events.size, events_max) events. Cost: a few
  // microseconds for 50 events; allocates only beyond earlier capacity.
  void CopyNewest(const table::EventView& events, uint32_t events_max);
  void Clear();

  // Valid until the next change of this snapshot.
  table::EventView View() const;

 private:
  struct Column {
    registry::Scalar type = registry::Scalar::kInt64;
    bool has_nulls = false;
    std::vector<int64_t> ints;
    std::vector<double> doubles;
    std::vector<std::string> strings;
    std::vector<uint8_t> nulls;
  };
  size_t size_ = 0;
  bool truncated_ = false;
  base::UnixMicros dropped_to_us_ = 0;
  base::UnixMicros retention_us_ = table::kHoldsForEver;
  std::vector<base::UnixMicros> event_time_us_;
  std::vector<base::Seq> sequence_;
  std::vector<Column> columns_;
  std::vector<table::ColumnView> column_views_;
};

}  // namespace freshline::execute
