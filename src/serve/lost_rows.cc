// SPDX-License-Identifier: Apache-2.0
#include "serve/lost_rows.h"

#include <algorithm>

namespace freshline::serve {
namespace {

constexpr size_t kPartRows = 8;

}  // namespace

bool LostRows::RunPart() {
  const base::UnixMicros now_us = rooms_.clock->WallNowMicros();
  const size_t end = std::min(rows_.size(), next_ + kPartRows);
  RowsMade made = rooms_.maker->Begin(0, {});
  for (; next_ < end; ++next_) {
    const base::RowId row = rows_[next_];
    rooms_.table->Read(row.key, [&](const table::KeyView& key) {
      rooms_.maker->Refresh(now_us, key, rooms_.revision->group(row.group),
                            &made);
    });
  }
  made.Store(rooms_.table);
  return next_ < rows_.size();
}

}  // namespace freshline::serve
