// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "execute/fan_out.h"
#include "registry/revision.h"
#include "serve/row_maker.h"
#include "table/table.h"

namespace freshline::serve {

// Refreshes the rows that an answer had to give up for want of time, for
// whoever asks next: idle work for the fan-out.
//
// Straight from the table: most of these rows are computed faster than their
// events are copied for a worker. What has become fresh meanwhile costs a look.
// Not thread-safe: one part after another.
class LostRows final : public execute::FanOut::Work {
 public:
  // What is named outlives it.
  struct Rooms {
    const base::Clock* clock;
    const registry::Revision* revision;
    table::Table* table;
    const RowMaker* maker;
  };
  LostRows(Rooms rooms, std::vector<base::RowId> rows)
      : rooms_(rooms), rows_(std::move(rows)) {}

  // Few rows: whoever is due does not wait for long.
  bool RunPart() override;

 private:
  const Rooms rooms_;
  const std::vector<base::RowId> rows_;
  size_t next_ = 0;
};

}  // namespace freshline::serve
