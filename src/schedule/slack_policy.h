// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/ids.h"
#include "base/job_shape.h"
#include "base/time.h"
#include "estimate/cost_model.h"
#include "schedule/admission_tree.h"
#include "schedule/background_gate.h"
#include "schedule/flow_shares.h"
#include "schedule/group_health.h"
#include "schedule/need_pool.h"
#include "schedule/policies.h"
#include "schedule/policy.h"
#include "schedule/query_hazard.h"
#include "schedule/recent_offers.h"
#include "schedule/slot_heap.h"

namespace freshline::schedule {

// The engine behind every PolicyConfig.
//
// Rows, not tickets, are what is queued: all open needs of a row share one
// job, their gains add up, and its deadline is the earliest answer_by among
// them. A need whose time is out of reach is settled stale, and the row goes
// on with the next. A row is in one place: queued for tickets (or by trigger),
// queued for idle workers, running, or nowhere. Needs that come while it runs
// wait for that job where it has seen enough (everything the policy was told
// of before the start), else for another one after it.
//
// With admission, the queue is kept feasible by AdmissionTree: every call ends
// by shedding the row of lowest density gain * P(in time) / E[time] until what
// is left fits; density is computed when the row is queued or changes, P as if
// it were next (a full queue must not make a newcomer look worthless). A shed
// row is settled at once and waits for an idle worker. With fairness, the row
// of lowest density is shed of the flow that is furthest ahead (FlowShares); a
// row that several flows wait for is on the account of the first to be
// answered; and rows of a flow whose rows all fit, beside another whose do not,
// are planned to end before their deadline, since the plan of a full queue has
// no time for runs that take longer than expected. A row that cannot make
// its time even alone is not queued at all; so that an estimate that is too
// high is found out, such rows are probed (GroupHealth), ahead of everything
// else.
//
// Thread-safety, errors, invariants: as Policy.
// Bounds: PolicyConfig; beside them, backoff is remembered for rows_max rows.
// Cost: Arrive and Cancel O(log n) per need, Done O(log n) per row and need
// settled, Changed and Tick O(log n), each plus O(W log W) in the workers;
// O(n) when a long job makes the queue be planned on fewer workers or more.
// Memory grows to the peak of use and is kept.
class SlackPolicy final : public Policy {
 public:
  // `costs` must outlive it.
  SlackPolicy(const PolicyConfig& config, const estimate::CostModel* costs,
              std::vector<GroupTraits> groups, std::vector<FlowTraits> flows);

  void Arrive(const Ticket& ticket, base::MonoTime now,
              Actions* actions) override;
  void Cancel(base::TicketId ticket, base::MonoTime now,
              Actions* actions) override;
  void Changed(base::RowId row, base::Seq newest, const Signals& signals,
               base::MonoTime now, Actions* actions) override;
  void Done(base::JobId job, std::span<const RowResult> results,
            base::MonoTime now, Actions* actions) override;
  void Tick(base::MonoTime now, Actions* actions) override;
  base::MonoTime NextWake() const override;
  void SetWorkers(uint32_t n, base::MonoTime now, Actions* actions) override;
  void Probe(base::RowId row, const base::JobShape& shape, base::MonoTime now,
             Actions* actions) override;
  PolicyStats Stats() const override;

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  enum class Place : uint8_t { kNowhere, kForeground, kBackground };
  struct Row {
    base::RowId id;
    NeedPool::RowNeeds needs;
    double gain = 0;             // sum over the open needs
    double changed_gain = 0;     // of one need, when the key last changed
    double background_gain = 0;  // of a refresh that nobody waits for
    base::JobShape shape;
    uint32_t pending = 0;  // as last told
    double regret = 0;     // "
    base::MonoTime pending_since = base::kInfiniteFuture;
    base::MonoTime refreshed_at = base::kInfinitePast;
    uint64_t refreshes = 0;
    uint64_t queries = 0;
    uint64_t queries_since = 0;  // the last refresh
    base::MonoTime asked_at = base::kInfinitePast;
    // The last event or query, the time before that, and the gain then.
    base::MonoTime active_at = base::kInfinitePast;
    base::Duration active_after{};
    double lost = 0;               // RowFacts::lost, until active_at
    base::Seq newest = 0;          // what the policy was told of
    uint32_t pending_covered = 0;  // by the running job
    base::Seq covered = 0;         // what the running job has seen at least
    uint64_t order = 0;            // when it was queued
    Place place = Place::kNowhere;
    bool running = false;
    uint32_t asked_by = FlowShares::kNone;  // the flow of the last query
    uint32_t flow = FlowShares::kNone;      // on whose account it is queued
    base::Duration work{};    // what it is expected to take, on that account
    bool charged = false;     // it runs on that account
    double chance_asked = 0;  // of ending in time, below which it is given up
    bool weak = false;        // below the price: runs after all others
    base::Duration early{};   // it is to end so long before its deadline
    bool probe = false;       // in the background queue, ahead of everything
    bool again = false;       // queued by trigger, or to be after its run
    // Without coalescing: the order of each event that is owed a run.
    std::vector<uint64_t> owed;
    uint32_t failures = 0;
    base::MonoTime retry_at = base::kInfinitePast;
  };
  struct WaitingTicket {
    base::TicketId id{};
    uint32_t flow = 0;
    base::MonoTime answer_by;
    NeedPool::TicketNeeds needs;
    bool held = false;  // not to be answered yet: its needs are in motion
  };
  struct Running {
    bool busy = false;
    base::JobId id{};
    std::vector<uint32_t> rows;
    base::MonoTime started;
    base::JobShape shape;
    base::Duration mean{};
    bool probe = false;
  };
  // The smallest first.
  struct Key {
    int64_t rank = 0;
    uint64_t order = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  // One call of a public method.
  struct Call {
    base::MonoTime now;
    Actions* actions;
  };

  // Tickets and needs (slack_policy.cc).
  Call Begin(base::MonoTime now, Actions* actions);
  void End(const Call& call);
  void EmitSettle(base::TicketId ticket, uint32_t flow, base::RowId row,
                  base::Obtained reason, const Call& call);
  void EmitAnswer(base::TicketId ticket, const Call& call);
  void AnswerAtOnce(const Ticket& ticket, base::Obtained reason,
                    const Call& call);
  void AddNeed(uint32_t ticket, const Need& need, const Call& call);
  // Queues the row of a query that does not wait.
  void EnqueueForQuery(const Need& need, uint32_t flow, const Call& call);
  void NoteQuery(uint32_t row, const Need& need, uint32_t flow,
                 const Call& call);
  // Refreshed less than the policy's ttl ago.
  bool IsYoung(base::RowId row, base::MonoTime now) const;
  void EnqueueForEvent(uint32_t row, const Call& call);
  // Why the row may not be tried now; kUnset when it may.
  base::Obtained Barred(base::RowId id, const base::JobShape& shape,
                        const Call& call);
  void CloseNeed(uint32_t need, base::Obtained reason, const Call& call);
  void CloseFirst(uint32_t row, base::Obtained reason, const Call& call);
  // Closes every need of a ticket, which answers it, and moves their rows.
  void CloseTicket(uint32_t ticket, base::Obtained reason, const Call& call);
  void Forget(uint32_t ticket);
  void ExpireDue(const Call& call);

  // Rows and their places (slack_policy.cc).
  uint32_t FindRow(base::RowId id) const;
  uint32_t FindOrMakeRow(base::RowId id);
  void DropIfUnused(uint32_t row);
  // Puts a row where its needs, gain and trigger say it belongs.
  void Reposition(uint32_t row, const Call& call);
  // Queues for tickets or by trigger, or renews the row's keys. False when it
  // was refused by a bound or cannot end in time.
  bool Queue(uint32_t row, const Call& call);
  // Whether the row can end in time and be worth it; then its place in the
  // admission tree, from which it is taken.
  bool Admissible(uint32_t row, AdmissionTree::Entry* entry, const Call& call);
  Key KeyOf(const Row& row, const Call& call) const;
  uint32_t FlowOf(const Row& row) const;
  double PriceOf(uint32_t flow) const {
    return flow == FlowShares::kNone ? flows_.price() : flows_.price(flow);
  }

  // Order and places (slack_policy_order.cc).
  RowFacts FactsOf(const Row& row, double gain, base::MonoTime now) const;
  // An event or a query of the row comes.
  void NoteActivity(Row* row, bool query, base::MonoTime now);
  // For indices that move with time.
  void RerankForeground(const Call& call);
  void RerankBackground(const Call& call);
  // The keys of background rows change with time: some, by turns.
  void RenewBackgroundKeys(const Call& call);
  void LeaveForeground(uint32_t row);
  void ToBackground(uint32_t row, const Call& call);
  void LeaveBackground(uint32_t row);
  Key BackgroundKeyOf(const Row& row, const Call& call) const;
  // Queues a row that is nowhere else ahead of everything, to run once.
  void QueueProbe(uint32_t row);
  void ProbeIfStarved(uint32_t row, const Call& call);

  // Jobs (slack_policy_jobs.cc).
  // Rows that a batch with this one will have: with batches a row costs its
  // share of the one that is likely to form, as large as the queue allows
  // while it takes half the time left at most.
  uint32_t LikelyBatch(const Row& row, base::Duration time_left) const;
  // Time left of the job on each worker in ns, the least first; 0 where idle.
  const std::vector<int64_t>& SortedRemaining(base::MonoTime now);
  // Plans the queue on those workers on which its end starts soonest. Returns
  // the time in ns until they are free on average.
  int64_t UseBestWorkers(base::MonoTime now);
  void ShedUntilFeasible(const Call& call);
  uint32_t RowToShed(int64_t limit) const;
  // Puts a queued row on the account of its flow, or takes it off.
  void Account(uint32_t row, base::Duration work);
  void Unaccount(uint32_t row);
  void Admit(uint32_t row, const AdmissionTree::Entry& entry);
  void AdmitOf(uint32_t row);
  void Unadmit(uint32_t row);
  void StartJobs(const Call& call);
  void StartForeground(uint32_t worker, const Call& call);
  bool StartBackground(uint32_t worker, const Call& call);
  void FillBatch(base::GroupId group, const Call& call);
  // Adds the next background rows of the group that share its pass.
  void FillBackgroundBatch(const Call& call);
  void Start(uint32_t worker, bool background, bool probe, const Call& call);
  void RowDone(uint32_t row, const RowResult& result, base::MonoTime started,
               const Call& call);
  void RowFailed(uint32_t row, const Call& call);
  void RememberFailure(uint32_t row);
  uint32_t IdleWorker() const;
  uint32_t idle_workers() const {
    return busy_ < workers_ ? workers_ - busy_ : 0;
  }
  uint32_t BatchMaxOf(base::GroupId group) const;
  SlotHeap<Key>& QueueOf(base::GroupId group);
  void SyncGroup(base::GroupId group);

  const PolicyConfig config_;
  const estimate::CostModel* const costs_;
  const std::vector<GroupTraits> traits_;

  uint64_t sequence_ = 0;  // of arrivals
  uint64_t next_job_ = 1;
  base::MonoTime last_now_ = base::kInfinitePast;

  std::vector<WaitingTicket> tickets_;
  std::vector<uint32_t> free_tickets_;
  absl::flat_hash_map<base::TicketId, uint32_t> ticket_slots_;
  SlotHeap<Key> by_answer_by_;
  NeedPool needs_;

  std::vector<Row> rows_;
  std::vector<uint32_t> free_rows_;
  absl::flat_hash_map<base::RowId, uint32_t> row_slots_;
  std::vector<SlotHeap<Key>> queues_;  // of rows, by GroupId
  SlotHeap<Key> group_order_;          // of the queues that are not empty
  uint32_t queued_ = 0;
  AdmissionTree admitted_;  // the queued rows, where admission is on
  // The same by flow first, where there is fairness and a second flow came.
  AdmissionTree admitted_of_;
  bool shares_ = false;
  SlotHeap<Key> background_;  // of rows
  SlotHeap<Key> failed_;      // of rows, by retry_at
  SlotHeap<Key> remembered_;  // of rows, the longest unused first
  uint64_t owed_ = 0;         // runs, of all rows, without coalescing
  GroupHealth health_;
  BackgroundGate gate_;
  QueryHazard hazard_;
  FlowShares flows_;
  RecentOffers offers_;
  uint64_t offers_made_ = 0;
  base::MonoTime renew_at_ = base::kInfinitePast;
  uint32_t renew_next_ = 0;

  uint32_t workers_ = 0;
  uint32_t busy_ = 0;
  std::vector<Running> running_;  // by WorkerId
  std::vector<int64_t> remaining_;
  std::vector<uint32_t> batch_;  // of the job being started
  std::vector<uint32_t> visited_;
  PolicyStats stats_;
};

}  // namespace freshline::schedule
