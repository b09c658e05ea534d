// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <limits>

#include "schedule/slack_policy.h"

namespace freshline::schedule {

using base::Duration;
using base::MonoTime;

namespace {

// Behind every DescendingRank().
constexpr int64_t kWeakRank = int64_t{1} << 62;

// Smaller for higher values; NaN comes last. Doubles of one sign compare as
// their bits do; the two lowest bits of the mantissa make room for kWeakRank.
int64_t DescendingRank(double value) {
  constexpr double kLowest = -std::numeric_limits<double>::infinity();
  const auto bits = std::bit_cast<int64_t>(value == value ? value : kLowest);
  const int64_t ascending =
      bits >= 0 ? bits : bits ^ std::numeric_limits<int64_t>::max();
  return -(ascending >> 2);
}

}  // namespace

RowFacts SlackPolicy::FactsOf(const Row& row, double gain, MonoTime now) const {
  RowFacts facts;
  facts.row = row.id;
  facts.order = row.order;
  facts.gain = gain;
  facts.tickets = row.needs.count;
  facts.answer_by =
      row.needs.count == 0
          ? base::kInfiniteFuture
          : MonoTime(Duration(needs_[row.needs.root].answer_by)) - row.early;
  facts.newest = row.newest;
  facts.pending = row.pending;
  facts.pending_since = row.pending_since;
  facts.refreshed_at = row.refreshed_at;
  facts.refreshes = row.refreshes;
  facts.queries = row.queries;
  facts.queries_since = row.queries_since;
  facts.asked_at = row.asked_at;
  facts.lost = row.lost;
  if (row.active_at > base::kInfinitePast) {
    const Duration since = now - row.active_at;
    facts.lost +=
        row.background_gain * static_cast<double>(since.count()) / 1e9;
    facts.query_rate = hazard_.Rate(since);
  }
  facts.regret = row.regret;
  facts.shape = row.shape;
  facts.costs = costs_;
  return facts;
}

SlackPolicy::Key SlackPolicy::KeyOf(const Row& row, const Call& call) const {
  if (config_.index.function == nullptr) return {0, row.order};
  const double gain =
      std::max(row.gain, row.changed_gain * std::max(row.needs.count, 1U));
  const int64_t rank = DescendingRank(
      config_.index.function(FactsOf(row, gain, call.now), call.now));
  return {row.weak && row.needs.count > 0 ? rank + kWeakRank : rank, row.order};
}

SlackPolicy::Key SlackPolicy::BackgroundKeyOf(const Row& row,
                                              const Call& call) const {
  const RowFacts facts = FactsOf(row, row.background_gain, call.now);
  const IndexFunction index = config_.background_index.function;
  return {DescendingRank(index == nullptr ? ExpectedLoss(facts, call.now)
                                          : index(facts, call.now)),
          row.order};
}

void SlackPolicy::RerankForeground(const Call& call) {
  for (uint32_t g = 0; g < queues_.size(); ++g) {
    queues_[g].CopySlots(&visited_);
    for (const uint32_t slot : visited_) {
      queues_[g].Set(slot, KeyOf(rows_[slot], call));
    }
    SyncGroup(base::GroupId{g});
  }
}

void SlackPolicy::RerankBackground(const Call& call) {
  background_.CopySlots(&visited_);
  for (const uint32_t slot : visited_) {
    if (!rows_[slot].probe) {
      background_.Set(slot, BackgroundKeyOf(rows_[slot], call));
    }
  }
}

void SlackPolicy::RenewBackgroundKeys(const Call& call) {
  constexpr Duration kInterval = std::chrono::milliseconds(1);
  constexpr uint32_t kRenewals = 16;
  constexpr uint32_t kSlots = 256;
  if (call.now < renew_at_) return;
  renew_at_ = call.now + kInterval;
  const auto renew = [&](uint32_t slot) {
    if (rows_[slot].probe) return;
    background_.Set(slot, BackgroundKeyOf(rows_[slot], call));
  };
  uint32_t renewed = 0;
  for (uint32_t i = 0; i < kSlots && renewed < kRenewals; ++i) {
    if (++renew_next_ >= rows_.size()) renew_next_ = 0;
    if (!background_.contains(renew_next_)) continue;
    renew(renew_next_);
    ++renewed;
  }
  renew(background_.top());
}

void SlackPolicy::NoteActivity(Row* row, bool query, MonoTime now) {
  if (!config_.background) return;
  // A query that comes with its event was to be expected before the event.
  constexpr Duration kTogether = std::chrono::milliseconds(1);
  if (row->active_at > base::kInfinitePast) {
    const Duration since = now - row->active_at;
    row->lost +=
        row->background_gain * static_cast<double>(since.count()) / 1e9;
    hazard_.Watched(since);
    if (query) {
      hazard_.Asked(since < kTogether ? row->active_after : since);
    }
    if (since >= kTogether) row->active_after = since;
  }
  row->active_at = now;
}

void SlackPolicy::LeaveForeground(uint32_t slot) {
  Row& row = rows_[slot];
  if (row.place != Place::kForeground) return;
  row.place = Place::kNowhere;
  --queued_;
  QueueOf(row.id.group).Remove(slot);
  SyncGroup(row.id.group);
  Unadmit(slot);
  Unaccount(slot);
}

uint32_t SlackPolicy::FlowOf(const Row& row) const {
  return row.needs.count == 0 ? row.asked_by
                              : tickets_[needs_[row.needs.root].ticket].flow;
}

void SlackPolicy::Account(uint32_t slot, Duration work) {
  Row& row = rows_[slot];
  const uint32_t flow = FlowOf(row);
  // Before it leaves the old account, lest its flow seem to have paused.
  if (flow != FlowShares::kNone) flows_.Queued(flow, work);
  Unaccount(slot);
  row.flow = flow;
  row.work = work;
}

void SlackPolicy::Unaccount(uint32_t slot) {
  Row& row = rows_[slot];
  if (row.flow == FlowShares::kNone || row.charged) return;
  flows_.Unqueued(row.flow, row.work);
  row.flow = FlowShares::kNone;
}

void SlackPolicy::Admit(uint32_t slot, const AdmissionTree::Entry& entry) {
  Unadmit(slot);
  admitted_.Insert(slot, entry);
  if (!config_.fairness || flows_.size() == 1) return;
  if (!shares_) {
    // The first row of a second flow: from now on rows stand by flow as well.
    shares_ = true;
    std::vector<uint32_t> queued;
    for (const SlotHeap<Key>& queue : queues_) {
      queue.CopySlots(&queued);
      for (const uint32_t other : queued) {
        if (other != slot && admitted_.contains(other)) AdmitOf(other);
      }
    }
  }
  AdmitOf(slot);
}

void SlackPolicy::AdmitOf(uint32_t slot) {
  AdmissionTree::Entry entry = admitted_.entry(slot);
  entry.flow = rows_[slot].flow;
  admitted_of_.Insert(slot, entry);
}

void SlackPolicy::Unadmit(uint32_t slot) {
  if (!admitted_.contains(slot)) return;
  admitted_.Erase(slot);
  if (shares_) admitted_of_.Erase(slot);
}

void SlackPolicy::LeaveBackground(uint32_t slot) {
  Row& row = rows_[slot];
  if (row.place != Place::kBackground) return;
  row.place = Place::kNowhere;
  background_.Remove(slot);
  if (row.probe) health_.ProbeAbandoned(row.id.group);
  row.probe = false;
}

void SlackPolicy::ToBackground(uint32_t slot, const Call& call) {
  Row& row = rows_[slot];
  if (row.probe) return;
  const bool wanted = config_.background && row.background_gain > 0 &&
                      call.now >= row.retry_at &&
                      !health_.quarantined(row.id.group);
  if (!wanted) {
    LeaveBackground(slot);
    return;
  }
  if (row.place != Place::kBackground) row.order = ++sequence_;
  const Key key = BackgroundKeyOf(row, call);
  if (row.place != Place::kBackground) {
    if (background_.size() >= config_.background_max) {
      // Some leaf is among the worse half; finding the worst would cost O(n).
      const uint32_t leaf = background_.some_leaf();
      ++stats_.rows_refused;
      if (background_.key_of(leaf).rank <= key.rank) return;
      LeaveBackground(leaf);
      DropIfUnused(leaf);
    }
    row.place = Place::kBackground;
  }
  background_.Set(slot, key);
}

void SlackPolicy::ProbeIfStarved(uint32_t slot, const Call& call) {
  if (health_.ProbeDueWhenShed(rows_[slot].shape, call.now)) {
    QueueProbe(slot);
  }
}

void SlackPolicy::QueueProbe(uint32_t slot) {
  Row& row = rows_[slot];
  if (row.running || row.place == Place::kForeground || row.probe) return;
  LeaveBackground(slot);
  health_.ProbeQueued(row.id.group);
  row.probe = true;
  row.place = Place::kBackground;
  row.order = ++sequence_;
  background_.Set(slot, {std::numeric_limits<int64_t>::min(), row.order});
}

}  // namespace freshline::schedule
