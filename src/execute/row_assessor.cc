// SPDX-License-Identifier: Apache-2.0
#include "execute/row_assessor.h"

#include <algorithm>

namespace freshline::execute {

using table::KeyView;
using table::Signals;
using table::StoredRow;

base::Duration AgeOf(const StoredRow& row, base::UnixMicros now_us) {
  if (row.as_of.time_us == 0) return base::Duration::zero();
  return std::chrono::microseconds(
      std::max<base::UnixMicros>(0, now_us - row.as_of.time_us));
}

base::Duration WaitOf(const Signals& signals, base::UnixMicros now_us) {
  if (signals.first_pending_us == 0) return base::Duration::zero();
  return std::chrono::microseconds(
      std::max<base::UnixMicros>(0, now_us - signals.first_pending_us));
}

bool IsFresh(const registry::FeatureGroup& group, const StoredRow& row,
             const Signals& signals, base::UnixMicros now_us) {
  if (!row.exists() || signals.pending > 0) return false;
  if (now_us >= row.holds_until_us) return false;
  return group.max_age == base::Duration::zero() ||
         AgeOf(row, now_us) <= group.max_age;
}

base::UnixMicros HoldsUntil(const featurize::FeatureFunction& function,
                            const featurize::Input& input,
                            base::UnixMicros now_us) {
  const base::UnixMicros holds = function.HoldsUntil(input);
  if (holds == table::kHoldsForEver || input.events.empty()) return holds;
  const base::UnixMicros first = input.events.event_time_us[0];
  return first > now_us ? std::min(holds, first) : holds;
}

Assessment Assess(const registry::FeatureGroup& group,
                  const featurize::FeatureFunction& function,
                  const staleness::StalenessMetric& metric, const KeyView& key,
                  base::UnixMicros now_us, featurize::Scratch* scratch) {
  Assessment result;
  const StoredRow row = key.row(group.id);
  result.signals = key.signals(group.id);
  result.fresh = IsFresh(group, row, result.signals, now_us);
  result.want = std::max(result.signals.newest, row.as_of.sequence);
  if (result.fresh) return result;
  if (row.exists() && now_us >= row.holds_until_us) {
    result.signals.pending = std::max(result.signals.pending, 1U);
  }
  result.gain = metric.Gain({result.signals.pending, result.signals.seen,
                             AgeOf(row, now_us), WaitOf(result.signals, now_us),
                             result.signals.regret});
  const table::EventView events = key.events(group.source, now_us);
  result.shape = function.Shape(
      {events, key.window_time_us(group.source, now_us)}, scratch);
  return result;
}

}  // namespace freshline::execute
