// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "schedule/policy.h"

namespace freshline::test {

// Passes every call on to a policy and checks, after each, all that a driver
// may rely on.
class CheckedPolicy final : public schedule::Policy {
 public:
  explicit CheckedPolicy(schedule::Policy* policy) : policy_(policy) {}

  uint64_t accepted = 0;
  uint64_t answered = 0;
  uint64_t cancelled = 0;
  uint64_t refreshed = 0;
  size_t waiting() const { return tickets_.size(); }
  // The least time between an answer and its answer_by; negative is late.
  base::Duration spare_min = base::Duration::max();

  void Arrive(const schedule::Ticket& ticket, base::MonoTime now,
              schedule::Actions* actions) override {
    Waiting& waiting = tickets_[ticket.id];
    waiting.answer_by = ticket.answer_by;
    for (const schedule::Need& need : ticket.needs) {
      waiting.open[need.row] = need.want;
    }
    ++accepted;
    policy_->Arrive(ticket, now, actions);
    Check(now, *actions);
  }
  void Cancel(base::TicketId ticket, base::MonoTime now,
              schedule::Actions* actions) override {
    if (tickets_.erase(ticket) > 0) ++cancelled;
    policy_->Cancel(ticket, now, actions);
    Check(now, *actions);
  }
  void Changed(base::RowId row, base::Seq newest,
               const schedule::Signals& signals, base::MonoTime now,
               schedule::Actions* actions) override {
    policy_->Changed(row, newest, signals, now, actions);
    Check(now, *actions);
  }
  void Probe(base::RowId row, const base::JobShape& shape, base::MonoTime now,
             schedule::Actions* actions) override {
    policy_->Probe(row, shape, now, actions);
    Check(now, *actions);
  }
  void Done(base::JobId job, std::span<const schedule::RowResult> results,
            base::MonoTime now, schedule::Actions* actions) override {
    ASSERT_TRUE(running_.contains(job));
    for (const base::RowId row : running_[job].second) rows_.erase(row);
    workers_.erase(running_[job].first);
    running_.erase(job);
    results_ = results;
    policy_->Done(job, results, now, actions);
    Check(now, *actions);
    results_ = {};
  }
  void Tick(base::MonoTime now, schedule::Actions* actions) override {
    policy_->Tick(now, actions);
    Check(now, *actions);
  }
  base::MonoTime NextWake() const override { return policy_->NextWake(); }
  void SetWorkers(uint32_t n, base::MonoTime now,
                  schedule::Actions* actions) override {
    usable_ = n;
    policy_->SetWorkers(n, now, actions);
    Check(now, *actions);
  }
  schedule::PolicyStats Stats() const override { return policy_->Stats(); }

 private:
  struct Waiting {
    base::MonoTime answer_by;
    std::map<base::RowId, base::Seq> open;  // row, want
  };

  void Check(base::MonoTime now, const schedule::Actions& actions) {
    for (const schedule::Action& action : actions.list) {
      switch (action.kind) {
        case schedule::Action::Kind::kStart:
          CheckStart(action, actions);
          break;
        case schedule::Action::Kind::kSettle:
          CheckSettle(action);
          break;
        case schedule::Action::Kind::kAnswer: {
          const auto it = tickets_.find(action.ticket);
          ASSERT_NE(it, tickets_.end()) << "answered twice, or after Cancel";
          ASSERT_TRUE(it->second.open.empty()) << "answered with open needs";
          spare_min = std::min(spare_min, it->second.answer_by - now);
          tickets_.erase(it);
          ++answered;
          break;
        }
      }
    }
    // Conservation: everybody accepted is answered, gone, or waiting.
    ASSERT_EQ(accepted, answered + cancelled + tickets_.size());
    const schedule::PolicyStats stats = policy_->Stats();
    ASSERT_EQ(stats.tickets_waiting, tickets_.size());
    // No worker idles while a row waits for a ticket.
    if (stats.rows_queued > 0) {
      ASSERT_GE(running_.size(), usable_);
    }
    if (!tickets_.empty()) {
      ASSERT_NE(policy_->NextWake(), base::kInfiniteFuture);
    }
  }
  void CheckStart(const schedule::Action& action,
                  const schedule::Actions& actions) {
    ASSERT_LT(base::ToInt(action.worker), usable_);
    ASSERT_TRUE(workers_.insert(action.worker).second) << "worker is busy";
    ASSERT_GT(action.rows_count, 0U);
    auto& job = running_[action.job];
    job.first = action.worker;
    for (uint32_t i = 0; i < action.rows_count; ++i) {
      const base::RowId row = actions.rows[action.rows_begin + i];
      ASSERT_TRUE(rows_.insert(row).second) << "row runs twice at once";
      ASSERT_EQ(row.group, actions.rows[action.rows_begin].group);
      job.second.push_back(row);
    }
  }
  void CheckSettle(const schedule::Action& action) {
    const auto it = tickets_.find(action.ticket);
    ASSERT_NE(it, tickets_.end()) << "settled a ticket that does not wait";
    const auto need = it->second.open.find(action.row);
    ASSERT_NE(need, it->second.open.end()) << "settled twice";
    if (action.reason == base::Obtained::kRefreshed) {
      ++refreshed;
      const auto result = std::find_if(
          results_.begin(), results_.end(),
          [&](const schedule::RowResult& r) { return r.row == action.row; });
      ASSERT_NE(result, results_.end()) << "refreshed by nothing";
      ASSERT_TRUE(result->ok);
      ASSERT_GE(result->as_of, need->second) << "refreshed by an older row";
    }
    it->second.open.erase(need);
  }

  schedule::Policy* const policy_;
  uint32_t usable_ = 0;
  std::map<base::TicketId, Waiting> tickets_;
  std::map<base::JobId, std::pair<base::WorkerId, std::vector<base::RowId>>>
      running_;
  std::set<base::RowId> rows_;
  std::set<base::WorkerId> workers_;
  std::span<const schedule::RowResult> results_;
};

}  // namespace freshline::test
