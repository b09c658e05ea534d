// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/time.h"
#include "estimate/cost_model.h"
#include "schedule/policies.h"
#include "schedule/recorder.h"

namespace freshline::test {

// Every row takes exactly cost_ms times max(scans, 1); a batch of n takes
// (1 + n) / 2 times that. Prediction and truth are one, but that it is told to
// be so with chance `certain`, and to last for an hour otherwise.
class FixedCosts final : public estimate::CostModel {
 public:
  double cost_ms = 3;
  double certain = 1;
  std::vector<double> worker_factors;

  double WorkerFactor(base::WorkerId worker) const override {
    const size_t i = base::ToInt(worker);
    return i < worker_factors.size() ? worker_factors[i] : 1;
  }
  base::Duration Mean(const base::JobShape& shape,
                      uint32_t batch) const override {
    return base::FromMillis(cost_ms * std::max(shape.scans, 1U) * (1 + batch) /
                            2);
  }
  base::Duration Quantile(const base::JobShape& shape, uint32_t batch,
                          double q) const override {
    return q > certain ? std::chrono::hours(1) : Mean(shape, batch);
  }
  double ChanceWithin(const base::JobShape& shape, uint32_t batch,
                      base::Duration limit) const override {
    return limit >= Mean(shape, batch) ? certain : 0;
  }
};

// One policy on literal times in ms. Actions are read as text: "start 7",
// "start 7 8", "background 7", "settle 1/7 REFRESHED", "answer 1", with rows
// named by key (and ".group" beyond group 0).
class PolicyHarness {
 public:
  explicit PolicyHarness(schedule::PolicyConfig config, uint32_t workers = 1,
                         uint32_t batch_max = 1)
      : policy_(schedule::MakePolicy(config, &costs, {{batch_max}})) {
    SetWorkers(0, workers);
  }
  explicit PolicyHarness(const char* name, uint32_t workers = 1)
      : PolicyHarness(*schedule::FindPolicy(name), workers) {}

  struct NeedSpec {
    uint64_t key = 0;
    base::Seq want = 1;
    double gain = 1;
    uint32_t scans = 1;
    uint32_t group = 0;
    bool cold = false;
  };
  using Log = std::vector<std::string>;

  static base::MonoTime At(double ms) {
    return base::MonoTime(std::chrono::hours(1)) + base::FromMillis(ms);
  }

  Log Arrive(double at, uint64_t ticket, double answer_by,
             const std::vector<NeedSpec>& specs) {
    std::vector<schedule::Need> needs;
    for (const NeedSpec& spec : specs) {
      schedule::Need need;
      need.row = Row(spec.key, spec.group);
      need.want = spec.want;
      need.levels.push_back(
          {base::Fidelity::kFull, spec.gain, {need.row.group, 1, spec.scans}});
      need.cold = spec.cold;
      needs.push_back(need);
    }
    policy_->Arrive(
        {base::TicketId{ticket}, base::FlowId{0}, At(answer_by), needs}, At(at),
        &actions_);
    return Take();
  }
  Log Cancel(double at, uint64_t ticket) {
    policy_->Cancel(base::TicketId{ticket}, At(at), &actions_);
    return Take();
  }
  Log Changed(double at, uint64_t key, base::Seq newest, double gain = 1,
              uint32_t pending = 1) {
    policy_->Changed(Row(key, 0), newest,
                     {pending, gain, {base::GroupId{0}, 1, 1}}, At(at),
                     &actions_);
    return Take();
  }
  // Ends the oldest job that still runs.
  Log Done(double at, base::Seq as_of, bool ok = true) {
    const RunningJob job = running_.front();
    running_.erase(running_.begin());
    std::vector<schedule::RowResult> results;
    for (const base::RowId row : job.rows) results.push_back({row, as_of, ok});
    policy_->Done(job.id, results, At(at), &actions_);
    return Take();
  }
  Log Tick(double at) {
    policy_->Tick(At(at), &actions_);
    return Take();
  }
  Log SetWorkers(double at, uint32_t n) {
    policy_->SetWorkers(n, At(at), &actions_);
    return Take();
  }
  Log Probe(double at, uint64_t key) {
    policy_->Probe(Row(key, 0), {base::GroupId{0}, 1, 1}, At(at), &actions_);
    return Take();
  }
  // In ms; -1 when it never wakes.
  double NextWake() const {
    const base::MonoTime wake = policy_->NextWake();
    return wake == base::kInfiniteFuture ? -1 : base::ToMillis(wake - At(0));
  }
  schedule::PolicyStats Stats() const { return policy_->Stats(); }
  size_t running() const { return running_.size(); }
  // The worker of the last start.
  uint32_t started_on() const { return started_on_; }

  FixedCosts costs;

 private:
  struct RunningJob {
    base::JobId id{};
    std::vector<base::RowId> rows;
  };

  static base::RowId Row(uint64_t key, uint32_t group) {
    return {base::KeyId{key}, base::GroupId{group}};
  }
  static std::string Name(base::RowId row) {
    std::string name = std::to_string(base::ToInt(row.key));
    if (base::ToInt(row.group) > 0) {
      name += "." + std::to_string(base::ToInt(row.group));
    }
    return name;
  }
  static std::string Name(base::Obtained reason) {
    switch (reason) {
      case base::Obtained::kRefreshed:
        return "REFRESHED";
      case base::Obtained::kStaleShed:
        return "SHED";
      case base::Obtained::kStaleDeadline:
        return "DEADLINE";
      case base::Obtained::kStaleError:
        return "ERROR";
      default:
        return "?";
    }
  }
  Log Take() {
    Log log;
    for (const schedule::Action& action : actions_.list) {
      const std::string ticket = std::to_string(base::ToInt(action.ticket));
      switch (action.kind) {
        case schedule::Action::Kind::kStart: {
          RunningJob job{action.job, {}};
          std::string text = action.background ? "background" : "start";
          for (uint32_t i = 0; i < action.rows_count; ++i) {
            job.rows.push_back(actions_.rows[action.rows_begin + i]);
            text += " " + Name(job.rows.back());
          }
          running_.push_back(job);
          started_on_ = base::ToInt(action.worker);
          log.push_back(text);
          break;
        }
        case schedule::Action::Kind::kSettle:
          log.push_back("settle " + ticket + "/" + Name(action.row) + " " +
                        Name(action.reason));
          break;
        case schedule::Action::Kind::kAnswer:
          log.push_back("answer " + ticket);
          break;
      }
    }
    actions_.Clear();
    return log;
  }

  std::unique_ptr<schedule::Policy> policy_;
  schedule::Actions actions_;
  uint32_t started_on_ = 0;
  std::vector<RunningJob> running_;
};

}  // namespace freshline::test
