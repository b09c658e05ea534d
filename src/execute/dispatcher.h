// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "base/bounded_queue.h"
#include "base/clock.h"
#include "base/histogram.h"
#include "base/mutex.h"
#include "base/waker.h"
#include "estimate/estimator.h"
#include "estimate/inline_costs.h"
#include "execute/guard.h"
#include "execute/reprofiler.h"
#include "execute/run_watch.h"
#include "execute/waiting_query.h"
#include "execute/worker_pool.h"
#include "featurize/feature_function.h"
#include "schedule/policy.h"
#include "table/table.h"

namespace freshline::execute {

// Counters of one dispatcher since its start.
struct DispatcherStats {
  schedule::PolicyStats policy;
  uint64_t tickets_refused_full = 0;
  uint64_t cancelled = 0;
  uint64_t late = 0;  // sent after their deadline
  uint64_t rows_computed = 0;
  uint64_t rows_wasted =
      0;  // replaced, or too late, before any query read them
  uint64_t failures = 0;
  uint64_t runs_hung = 0;  // given up; they count as failures too
  // Kept from the processor by other programs for most of their time.
  uint64_t runs_starved = 0;
  uint64_t rows_refused = 0;  // of groups that are disabled
  uint64_t reprofiles = 0;    // rows asked for so that estimates stay true
  uint64_t stalls = 0;        // times that the process had stopped
  uint32_t workers_busy = 0;
  uint32_t workers_usable = 0;
  uint32_t workers_hung = 0;  // threads whose runs were given up, still away
  uint32_t spares_left = 0;
  base::Duration guard{};      // the largest of all services
  base::Duration overshoot{};  // kept for it, the largest of all services
  int64_t decision_ns_p50 = 0;
  int64_t decision_ns_p99 = 0;
};

// Predictions against reality of one feature group.
struct GroupRunStats {
  base::GroupId group{};
  uint64_t failures = 0;
  uint64_t hung = 0;
  bool disabled = false;
  bool quarantined = false;  // PolicyStats::quarantined
  base::Duration actual_p50{};
  base::Duration actual_p99{};
  estimate::Calibration calibration;
};

// Drives the policy: the one thread that owns the waiting queries, starts
// jobs, commits what the workers bring home, and sends every answer at its
// time.
//
// A run beyond the bound of RunWatch is given up: its rows count as failed
// and a spare thread takes the place of the one that hangs. A group that used
// the last spare is disabled (its rows fail without being tried) until a
// thread comes back, so that the workers left stay with the others; without a
// spare there is a worker less.
//
// A thread that runs kStallMin later than it was to stood still with everything
// else: answers that were due meanwhile leave at once, and do not teach the
// guard, which could not have averted it; runs under way neither count as hung
// for it nor teach the estimator.
//
// A query with many needs arrives in slices, each a ticket of its own for the
// policy, with whatever else came in between: no query keeps the others waiting
// for longer than a slice takes. It is sent when all of its slices are
// answered.
//
// Thread-safety: NewTicket(), Submit(), Cancel(), Changed(), guard() and the
// statistics from any thread; Step() and Run() from the one that drives.
// Bounds: `inbox_max` messages; a full inbox refuses, it never blocks.
// Cost: Submit() is one short lock and at most one wake-up.
class Dispatcher {
 public:
  // Needs of a query that arrive at once.
  static constexpr size_t kSliceNeeds = 64;
  static constexpr int kSliceBits = 12;
  static constexpr size_t kNeedsMax = kSliceNeeds << kSliceBits;
  static constexpr base::Duration kStallMin = std::chrono::milliseconds(20);

  struct Options {
    Guard::Options guard;
    RunWatch::Options hang;
    Reprofiler::Options reprofile;
    size_t inbox_max = 10'000;
  };
  struct Rooms {
    const base::Clock* clock;
    base::Waker* waker;
    table::Table* table;
    const std::vector<std::unique_ptr<featurize::FeatureFunction>>* functions;
    estimate::Estimator* estimator;  // owned by the driving thread
    schedule::Policy* policy;        // "
    WorkerPool* workers;
    estimate::InlineCosts* inline_costs;
    // Index into Revision::sources() of each group, by GroupId.
    std::vector<uint32_t> source_of_group;
    // Of each flow, by FlowId.
    std::vector<base::Duration> slo_of_flow = {};
  };
  Dispatcher(Options options, Rooms rooms);
  // Unsent queries are sent as they stand.
  ~Dispatcher();

  // A ticket for Submit(), not used before.
  base::TicketId NewTicket() {
    const uint64_t number =
        next_ticket_.fetch_add(1, std::memory_order_relaxed);
    return base::TicketId{number << kSliceBits};
  }

  // Takes `query` under its ticket, or leaves it and returns false when the
  // inbox is full or Stop() was called: the caller then answers with what is
  // stored. REQUIRES: at most kNeedsMax needs.
  bool Submit(base::TicketId ticket, std::unique_ptr<WaitingQuery>&& query);

  // Forgets a ticket without sending it. Does nothing if it is gone.
  void Cancel(base::TicketId ticket);

  // An event changed a row. Dropped when the inbox is full: the next event or
  // query of the key tells again.
  void Changed(base::RowId row, base::Seq newest,
               const schedule::Signals& signals);

  // What queries ask how long before their deadline to leave. Any thread.
  Guard& guard() { return guard_; }

  // Does all that is due at the clock's now. Returns when to be called next,
  // unless woken before.
  base::MonoTime Step();

  // Step() and wait, until Stop() and the last waiting query is sent.
  void Run();
  // Refuses what comes from now on; Run() returns once nothing waits.
  void Stop();

  DispatcherStats Stats() const;
  std::vector<GroupRunStats> GroupStats() const;
  // By FlowId.
  std::vector<Guard::FlowState> FlowStats() const;

 private:
  struct Message {
    enum class Kind : uint8_t { kSubmit, kCancel, kChanged };
    Kind kind = Kind::kSubmit;
    base::TicketId ticket{};
    std::unique_ptr<WaitingQuery> query;
    base::RowId row;
    base::Seq newest = 0;
    schedule::Signals signals;
  };
  struct GroupRuns {
    uint64_t failures = 0;
    uint64_t hung = 0;
    bool disabled = false;
    base::Histogram actual_ns;
  };
  // A job that was started and must not run.
  struct Stillborn {
    base::JobId job{};
    std::vector<base::RowId> rows;
  };

  void Handle(Message* message);
  void Arrive(base::TicketId id, std::unique_ptr<WaitingQuery> query);
  // Tells the policy of the next needs of a query.
  void ArriveSlice(base::TicketId id);
  void Cancelled(base::TicketId id, base::MonoTime now);
  // The query that a ticket of the policy belongs to, by its first.
  static base::TicketId FirstOf(base::TicketId ticket) {
    return base::TicketId{base::ToInt(ticket) >> kSliceBits << kSliceBits};
  }
  void TakeFinished();
  void TakeResults(base::WorkerId worker);
  void TickIfDue();
  void Apply();
  void StartJob(const schedule::Action& action);
  void Settle(const schedule::Action& action);
  void Answer(base::TicketId ticket);
  void SendNow(WaitingQuery* query, base::MonoTime answer_by);
  // Recognises a stop of the whole process (or machine): this thread runs much
  // later than it was to.
  void NoticeStall(base::MonoTime now);
  void RecordRun(const Job& job, base::WorkerId worker,
                 const RunWatch::Run& run);
  void GiveUpHung();
  // Tells the policy how many workers there are, if that has changed.
  void SyncWorkers();
  // Applies actions until no job was started that must not run.
  void ApplyOnce();
  void ReprofileIfDue();
  void PublishStats();

  // Constant after construction.
  const Options options_;
  const Rooms rooms_;

  // Their own synchronization.
  base::BoundedQueue<Message> inbox_;
  std::atomic<uint64_t> next_ticket_{1};
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> refused_full_{0};
  Guard guard_;

  // Of the driving thread.
  struct Waiting {
    std::unique_ptr<WaitingQuery> query;
    base::MonoTime answer_by;
    size_t needs_told = 0;  // that have arrived
    size_t slices_open = 0;
    bool waited = false;  // at least one slice could
  };
  // Sends what has no slice open or to come.
  void SendIfSettled(base::TicketId id);
  std::vector<Message> batch_;
  schedule::Actions actions_;
  std::vector<schedule::RowResult> results_;
  std::vector<schedule::Need> open_needs_;
  absl::flat_hash_map<base::TicketId, Waiting> waiting_;  // by first ticket
  std::deque<base::TicketId> arriving_;  // of them, those with slices to come
  const Job* finished_job_ = nullptr;    // while its settlements are applied
  std::vector<bool> row_used_;           // of finished_job_
  uint64_t decisions_ = 0;
  base::Histogram decision_ns_;
  std::vector<GroupRuns> group_runs_;
  RunWatch watch_;
  Reprofiler reprofiler_;
  uint32_t workers_told_ = 0;
  std::vector<Stillborn> stillborn_;
  DispatcherStats own_;
  base::MonoTime next_publish_ = base::kInfinitePast;
  // When this thread is to run again, or ran last.
  base::MonoTime expected_ = base::kInfiniteFuture;
  base::MonoTime stalled_until_ = base::kInfinitePast;
  bool unpublished_ = false;

  mutable base::Mutex stats_mu_;
  DispatcherStats published_ ABSL_GUARDED_BY(stats_mu_);
  std::vector<GroupRunStats> published_groups_ ABSL_GUARDED_BY(stats_mu_);
  std::vector<Guard::FlowState> published_flows_ ABSL_GUARDED_BY(stats_mu_);
};

}  // namespace freshline::execute
