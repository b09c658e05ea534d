// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "schedule/slack_policy.h"

namespace freshline::schedule {

using base::Duration;
using base::GroupId;
using base::JobShape;
using base::MonoTime;
using base::Obtained;
using base::WorkerId;

namespace {

constexpr int kExpectedTimes = 4;

int64_t Nanos(MonoTime t) { return t.time_since_epoch().count(); }

// Whether a batch is worth the wait of its first rows. Estimates are learned
// by classes of size: the step from one class to the next says nothing.
bool Saves(Duration together, Duration alone) {
  return together < alone - alone / 10;
}

}  // namespace

uint32_t SlackPolicy::BatchMaxOf(GroupId group) const {
  const uint32_t index = base::ToInt(group);
  return index < traits_.size() ? std::max(traits_[index].batch_max, 1U) : 1;
}

SlotHeap<SlackPolicy::Key>& SlackPolicy::QueueOf(GroupId group) {
  const uint32_t index = base::ToInt(group);
  if (index >= queues_.size()) queues_.resize(index + 1);
  return queues_[index];
}

void SlackPolicy::SyncGroup(GroupId group) {
  const uint32_t index = base::ToInt(group);
  const SlotHeap<Key>& queue = queues_[index];
  if (!queue.empty()) {
    group_order_.Set(index, queue.top_key());
  } else if (group_order_.contains(index)) {
    group_order_.Remove(index);
  }
}

uint32_t SlackPolicy::LikelyBatch(const Row& row, Duration time_left) const {
  uint32_t batch = 1;
  const uint32_t index = base::ToInt(row.id.group);
  const size_t waiting = index < queues_.size() ? queues_[index].size() : 0;
  const uint32_t batch_max = BatchMaxOf(row.id.group);
  while (batch * 2 <= batch_max && batch * 2 <= waiting + 1 &&
         costs_->Mean(row.shape, batch * 2) * 2 <= time_left) {
    batch *= 2;
  }
  return batch;
}

const std::vector<int64_t>& SlackPolicy::SortedRemaining(MonoTime now) {
  remaining_.clear();
  for (uint32_t i = 0; i < workers_; ++i) {
    const Running& job = running_[i];
    // A job beyond its time ends any moment, but not now.
    remaining_.push_back(
        job.busy
            ? std::max(job.mean - (now - job.started), job.mean / 8).count()
            : 0);
  }
  if (remaining_.empty()) remaining_.push_back(0);
  std::sort(remaining_.begin(), remaining_.end());
  return remaining_;
}

int64_t SlackPolicy::UseBestWorkers(MonoTime now) {
  // Any number of the workers that are free first bounds when the last of the
  // queue starts. One in the middle of a long job would spoil the average.
  int64_t sum = 0;
  int64_t best = std::numeric_limits<int64_t>::max();
  int64_t begin = 0;
  uint32_t workers = 1;
  uint32_t counted = 0;
  for (const int64_t remaining : SortedRemaining(now)) {
    sum += remaining;
    ++counted;
    const int64_t start = (sum + admitted_.work()) / counted;
    if (start > best) continue;
    best = start;
    begin = sum / counted;
    workers = counted;
  }
  if (workers != admitted_.workers()) admitted_.SetWorkers(workers);
  return begin;
}

void SlackPolicy::ShedUntilFeasible(const Call& call) {
  if (!config_.admission || admitted_.empty()) return;
  const int64_t limit = Nanos(call.now) + UseBestWorkers(call.now);
  while (admitted_.least_margin() < limit) {
    const uint32_t slot = RowToShed(limit);
    CloseFirst(slot, Obtained::kStaleShed, call);
    if (rows_[slot].needs.count == 0) {
      LeaveForeground(slot);
      ProbeIfStarved(slot, call);
    }
    Reposition(slot, call);
  }
}

uint32_t SlackPolicy::RowToShed(int64_t limit) const {
  if (!shares_) return admitted_.Weakest(limit);
  AdmissionTree::Entry last = admitted_.entry(admitted_.FirstBelow(limit));
  uint32_t row = kNone;
  double furthest = 0;
  for (uint32_t f = 0; f < flows_.size(); ++f) {
    if (!flows_.queues(f)) continue;
    const double ahead = flows_.ahead(f);
    if (row != kNone && ahead <= furthest) continue;
    last.flow = f;
    const uint32_t weakest = admitted_of_.WeakestUpTo(last);
    if (weakest == kNone) continue;
    row = weakest;
    furthest = ahead;
  }
  return row;
}

uint32_t SlackPolicy::IdleWorker() const {
  // Those beyond workers_ may still have jobs, and take the place of others.
  if (idle_workers() == 0) return kNone;
  uint32_t best = kNone;
  double best_factor = 0;
  for (uint32_t i = 0; i < workers_; ++i) {
    if (running_[i].busy) continue;
    const double factor = costs_->WorkerFactor(WorkerId{i});
    if (best != kNone && factor >= best_factor) continue;
    best = i;
    best_factor = factor;
  }
  return best;
}

void SlackPolicy::StartJobs(const Call& call) {
  while (true) {
    const uint32_t worker = IdleWorker();
    if (worker == kNone) return;
    const bool probe = !background_.empty() && rows_[background_.top()].probe;
    if (!probe && queued_ > 0) {
      StartForeground(worker, call);
      continue;
    }
    if (!StartBackground(worker, call)) return;
  }
}

void SlackPolicy::StartForeground(uint32_t worker, const Call& call) {
  if (config_.index.moves) RerankForeground(call);
  const GroupId group{group_order_.top()};
  const uint32_t slot = QueueOf(group).top();
  Row& row = rows_[slot];
  if (config_.admission && row.needs.count > 0) {
    const Duration left(needs_[row.needs.root].answer_by - Nanos(call.now));
    if (costs_->ChanceWithin(row.shape, 1, left) < row.chance_asked) {
      CloseFirst(slot, Obtained::kStaleShed, call);
      Reposition(slot, call);
      return;
    }
  }
  FillBatch(group, call);
  Start(worker, false, false, call);
}

void SlackPolicy::FillBatch(GroupId group, const Call& call) {
  SlotHeap<Key>& queue = QueueOf(group);
  const auto idle = idle_workers();
  // Idle workers share the queue before anyone computes two rows at once.
  const auto share =
      static_cast<uint32_t>((queue.size() + idle - 1) / std::max(idle, 1U));
  const uint32_t size_max = std::min(BatchMaxOf(group), share);
  batch_.clear();
  base::BatchShape shape;
  int64_t deadline = base::kInfiniteFuture.time_since_epoch().count();
  Duration alone{};  // the rows one by one
  while (!queue.empty() && batch_.size() < std::max(size_max, 1U)) {
    const uint32_t slot = queue.top();
    const Row& row = rows_[slot];
    const auto size = static_cast<uint32_t>(batch_.size()) + 1;
    if (row.needs.count > 0) {
      deadline = std::min(deadline, needs_[row.needs.root].answer_by);
    }
    base::BatchShape larger = shape;
    larger.Add(row.shape);
    alone += costs_->Mean(row.shape, 1);
    if (size > 1) {
      // A row that failed is computed alone, lest it fail others again.
      if (row.failures > 0 || rows_[batch_[0]].failures > 0) break;
      const Duration together = costs_->Mean(larger.shape(), size);
      if (!Saves(together, alone)) break;
      if (costs_->ChanceWithin(larger.shape(), size,
                               Duration(deadline - Nanos(call.now))) <
          config_.batch_chance_min) {
        break;
      }
    }
    shape = larger;
    batch_.push_back(slot);
    if (row.flow != FlowShares::kNone) {
      flows_.Started(row.flow, row.work);
      rows_[slot].charged = true;
    }
    LeaveForeground(slot);
  }
}

bool SlackPolicy::StartBackground(uint32_t worker, const Call& call) {
  if (background_.empty()) return false;
  if (config_.background_index.moves && !rows_[background_.top()].probe) {
    RerankBackground(call);
  }
  RenewBackgroundKeys(call);
  const uint32_t slot = background_.top();
  Row& row = rows_[slot];
  const bool probe = row.probe;
  if (!probe) {
    const Duration mean = costs_->Mean(row.shape, 1);
    const uint32_t free_after = idle_workers() - 1;
    if (!gate_.MayRun(mean, free_after, call.now)) return false;
    if (workers_ > 1 && free_after == 0 && mean > config_.background_last_max) {
      return false;
    }
  }
  // Kept as a probe until it has run.
  row.probe = false;
  LeaveBackground(slot);
  batch_.assign(1, slot);
  if (!probe && row.failures == 0) FillBackgroundBatch(call);
  Start(worker, true, probe, call);
  return true;
}

void SlackPolicy::FillBackgroundBatch(const Call& call) {
  const GroupId group = rows_[batch_[0]].id.group;
  const uint32_t free_after = idle_workers() - 1;
  base::BatchShape shape;
  shape.Add(rows_[batch_[0]].shape);
  Duration alone = costs_->Mean(shape.shape(), 1);
  while (batch_.size() < BatchMaxOf(group) && !background_.empty()) {
    const uint32_t slot = background_.top();
    const Row& row = rows_[slot];
    if (row.probe || row.failures > 0 || row.id.group != group) return;
    base::BatchShape larger = shape;
    larger.Add(row.shape);
    const auto size = static_cast<uint32_t>(batch_.size()) + 1;
    const Duration together = costs_->Mean(larger.shape(), size);
    alone += costs_->Mean(row.shape, 1);
    if (!Saves(together, alone)) return;
    if (!gate_.MayRun(together, free_after, call.now)) return;
    if (workers_ > 1 && free_after == 0 &&
        together > config_.background_last_max) {
      return;
    }
    shape = larger;
    LeaveBackground(slot);
    batch_.push_back(slot);
  }
}

void SlackPolicy::Start(uint32_t worker, bool background, bool probe,
                        const Call& call) {
  Running& job = running_[worker];
  job.busy = true;
  job.id = base::JobId{next_job_++};
  job.rows = batch_;
  job.started = call.now;
  job.probe = probe;
  base::BatchShape together;
  const auto rows_begin = static_cast<uint32_t>(call.actions->rows.size());
  for (const uint32_t slot : batch_) {
    Row& row = rows_[slot];
    row.running = true;
    if (!row.owed.empty()) {
      row.owed.erase(row.owed.begin());
      --owed_;
    }
    row.again = !row.owed.empty();
    row.covered = row.newest;
    row.pending_covered = row.pending;
    together.Add(row.shape);
    call.actions->rows.push_back(row.id);
  }
  const auto count = static_cast<uint32_t>(batch_.size());
  const JobShape shape = together.shape();
  job.shape = shape;
  const auto mean_ns = static_cast<double>(costs_->Mean(shape, count).count());
  job.mean = Duration(
      static_cast<int64_t>(mean_ns * costs_->WorkerFactor(WorkerId{worker})));
  ++busy_;
  ++stats_.jobs_started;
  stats_.rows_started += count;
  if (background) stats_.background_rows += count;
  if (probe) ++stats_.probes;
  Action action;
  action.kind = Action::Kind::kStart;
  action.job = job.id;
  action.worker = WorkerId{worker};
  action.rows_begin = rows_begin;
  action.rows_count = count;
  action.background = background;
  action.shape = shape;
  call.actions->list.push_back(action);
}

void SlackPolicy::Done(base::JobId id, std::span<const RowResult> results,
                       MonoTime now, Actions* actions) {
  const Call call = Begin(now, actions);
  Running* job = nullptr;
  for (Running& running : running_) {
    if (running.busy && running.id == id) job = &running;
  }
  if (job == nullptr) {
    FRESHLINE_BUG("a job ended that does not run");
    return;
  }
  job->busy = false;
  --busy_;
  bool ok = !results.empty();
  for (const RowResult& result : results) ok = ok && result.ok;
  if (!ok) ++stats_.jobs_failed;
  const GroupId group = rows_[job->rows[0]].id.group;
  health_.JobEnded(job->shape, ok, now);
  if (job->probe) {
    // A probe that the machine kept waiting has not used its time up.
    const Duration expected =
        kExpectedTimes *
        costs_->Mean(job->shape, static_cast<uint32_t>(job->rows.size()));
    health_.ProbeEnded(group, std::min(now - job->started, expected), workers_,
                       now);
  }
  visited_.assign(job->rows.begin(), job->rows.end());
  const Duration share =
      (now - job->started) / static_cast<int64_t>(visited_.size());
  for (const uint32_t slot : visited_) {
    rows_[slot].running = false;
    if (rows_[slot].charged) {
      flows_.Ended(rows_[slot].flow, rows_[slot].work, share);
      rows_[slot].flow = FlowShares::kNone;
      rows_[slot].charged = false;
    }
    const auto found = std::find_if(
        results.begin(), results.end(),
        [&](const RowResult& r) { return r.row == rows_[slot].id; });
    if (found != results.end() && found->ok) {
      RowDone(slot, *found, job->started, call);
    } else {
      RowFailed(slot, call);
    }
    Reposition(slot, call);
  }
  ExpireDue(call);
  End(call);
}

void SlackPolicy::RowDone(uint32_t slot, const RowResult& result,
                          MonoTime started, const Call& call) {
  Row& row = rows_[slot];
  if (row.failures > 0) {
    failed_.Remove(slot);
    row.failures = 0;
    row.retry_at = base::kInfinitePast;
  }
  if (row.newest <= result.as_of) {
    row.background_gain = row.changed_gain = 0;
    row.pending = 0;
    row.pending_since = base::kInfiniteFuture;
    row.lost = 0;
    row.again = !row.owed.empty();
  } else {
    // What came while it ran came after its start.
    row.pending -= std::min(row.pending, row.pending_covered);
    row.pending_since = started;
    row.lost = 0;
  }
  row.refreshed_at = call.now;
  if (config_.price) offers_.Done(row.id);
  ++row.refreshes;
  row.queries_since = 0;
  batch_.clear();
  while (row.needs.count > 0) {
    const uint32_t need = row.needs.root;
    if (needs_[need].want <= result.as_of) {
      CloseNeed(need, Obtained::kRefreshed, call);
    } else {
      needs_.TakeFromRow(need, &row.needs);
      batch_.push_back(need);
    }
  }
  for (const uint32_t need : batch_) needs_.PutBackToRow(need, &row.needs);
}

void SlackPolicy::RowFailed(uint32_t slot, const Call& call) {
  Row& row = rows_[slot];
  // Not tried again before the next event or query asks for it.
  row.again = false;
  owed_ -= row.owed.size();
  row.owed.clear();
  row.background_gain = row.changed_gain = 0;
  while (row.needs.count > 0) CloseFirst(slot, Obtained::kStaleError, call);
  constexpr uint32_t kDoublingsMax = 30;
  row.failures = std::min(row.failures + 1, kDoublingsMax);
  const int64_t factor = int64_t{1} << (row.failures - 1);
  row.retry_at =
      call.now + (config_.backoff_max / factor > config_.backoff_min
                      ? config_.backoff_min * factor
                      : std::max(config_.backoff_min, config_.backoff_max));
  RememberFailure(slot);
}

void SlackPolicy::RememberFailure(uint32_t slot) {
  failed_.Set(slot, {Nanos(rows_[slot].retry_at), ++sequence_});
  if (failed_.size() <= config_.rows_max) return;
  const uint32_t forgotten = failed_.top();
  failed_.Remove(forgotten);
  rows_[forgotten].failures = 0;
  rows_[forgotten].retry_at = base::kInfinitePast;
  if (forgotten != slot) DropIfUnused(forgotten);
}

void SlackPolicy::SetWorkers(uint32_t n, MonoTime now, Actions* actions) {
  const Call call = Begin(now, actions);
  ExpireDue(call);
  workers_ = n;
  if (running_.size() < n) running_.resize(n);
  if (n == 0) {
    while (!by_answer_by_.empty()) {
      CloseTicket(by_answer_by_.top(), Obtained::kStaleShed, call);
    }
  }
  End(call);
}

}  // namespace freshline::schedule
