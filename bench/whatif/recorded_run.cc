// SPDX-License-Identifier: Apache-2.0
#include "bench/whatif/recorded_run.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "record/decision_log_reader.h"

namespace freshline::bench {

using base::Duration;
using base::MonoTime;
using schedule::Action;
using schedule::RecordedCall;

namespace {

class Loader {
 public:
  Loader(RecordedRun* run, Duration skip) : run_(run), skip_(skip) {}

  void Take(const RecordedCall& call) {
    if (call.kind == RecordedCall::Kind::kArrive && !first_) {
      first_ = call.now;
    }
    counts_ = first_.has_value() && call.now >= *first_ + skip_;
    if (!counts_) {
      run_->runs_begin = run_->runs.size();
      run_->overheads_begin = run_->overheads.size();
    }
    switch (call.kind) {
      case RecordedCall::Kind::kArrive:
        TakeArrival(call);
        break;
      case RecordedCall::Kind::kCancel:
        Input(call, RecordedRun::Input::Kind::kCancel);
        open_.erase(call.ticket);
        break;
      case RecordedCall::Kind::kChanged:
        Input(call, RecordedRun::Input::Kind::kChanged);
        break;
      case RecordedCall::Kind::kDone:
        TakeDone(call);
        break;
      case RecordedCall::Kind::kSeed:
      case RecordedCall::Kind::kObserve:
        TakeRun(call);
        break;
      case RecordedCall::Kind::kTick:
      case RecordedCall::Kind::kSetWorkers:
      case RecordedCall::Kind::kProbe:
        break;
    }
    for (const Action& action : call.actions.list) TakeAction(call, action);
    if (first_ && call.now >= *first_) run_->span = call.now - *first_ - skip_;
  }

 private:
  struct Open {
    MonoTime arrived;
    MonoTime answer_by;
    bool counts = false;
    std::vector<std::pair<base::RowId, double>> gains;
  };

  struct Started {
    MonoTime at;
    Duration ran{};  // RunTime() then
  };

  // Of all jobs together, until `now`.
  Duration RunTime(MonoTime now) const {
    return ran_ + (now - ran_at_) * running_;
  }
  void Count(MonoTime now, int jobs) {
    ran_ = RunTime(now);
    ran_at_ = now;
    running_ += jobs;
  }

  RecordedRun::Input& Input(const RecordedCall& call,
                            RecordedRun::Input::Kind kind) {
    RecordedRun::Input& input = run_->inputs.emplace_back();
    input.kind = kind;
    input.now = call.now;
    input.ticket = call.ticket;
    input.flow = call.flow;
    input.row = call.row;
    input.newest = call.newest;
    input.signals = call.signals;
    return input;
  }

  void TakeArrival(const RecordedCall& call) {
    RecordedRun::Input& input = Input(call, RecordedRun::Input::Kind::kArrive);
    input.answer_by = call.answer_by;
    input.needs_begin = run_->needs.size();
    Open& open = open_[call.ticket];
    open = {call.now, call.answer_by, counts_, {}};
    for (const schedule::Need& need : call.needs) {
      run_->needs.push_back(need);
      const double gain = need.levels.empty() ? 0 : need.levels[0].gain;
      open.gains.push_back({need.row, gain});
      if (!counts_) continue;
      ++run_->outcome.needs;
      run_->outcome.gain_offered += gain;
    }
    input.needs_end = run_->needs.size();
    if (counts_) ++run_->outcome.tickets;
  }

  void TakeRun(const RecordedCall& call) {
    const bool is_seed = call.kind == RecordedCall::Kind::kSeed;
    estimate::Observation run{call.shape,  call.batch, call.time,
                              call.worker, {},         is_seed};
    (is_seed ? run_->seeds : run_->runs).push_back(run);
    if (is_seed) return;
    run_->others.push_back(-1);
    last_run_ = call.time;
    if (counts_) run_->outcome.busy += call.time;
  }

  void TakeDone(const RecordedCall& call) {
    const auto started = started_.find(call.job);
    if (started != started_.end()) {
      const Duration took = call.now - started->second.at;
      if (last_run_) {
        run_->overheads.push_back(
            std::max(Duration::zero(), took - *last_run_));
        if (took > Duration::zero()) {
          run_->others.back() =
              static_cast<double>(
                  (RunTime(call.now) - started->second.ran - took).count()) /
              static_cast<double>(took.count());
        }
      }
      Count(call.now, -1);
      started_.erase(started);
    }
    last_run_.reset();
    if (counts_) run_->outcome.rows_computed += call.results.size();
  }

  void TakeAction(const RecordedCall& call, const Action& action) {
    if (action.kind == Action::Kind::kStart) {
      started_[action.job] = {call.now, RunTime(call.now)};
      Count(call.now, 1);
      return;
    }
    const auto found = open_.find(action.ticket);
    if (found == open_.end()) return;
    const Open& open = found->second;
    if (action.kind == Action::Kind::kSettle) {
      if (!open.counts || action.reason != base::Obtained::kRefreshed) return;
      ++run_->outcome.refreshed;
      for (const auto& [row, gain] : open.gains) {
        if (row == action.row) run_->outcome.gain_captured += gain;
      }
      return;
    }
    if (call.now >= open.answer_by) {
      run_->overshoots.push_back(call.now - open.answer_by);
    }
    if (open.counts) {
      run_->outcome.decision.push_back(call.now - open.arrived);
    }
    open_.erase(found);
  }

  RecordedRun* const run_;
  const Duration skip_;
  std::optional<MonoTime> first_;
  bool counts_ = false;
  absl::flat_hash_map<base::TicketId, Open> open_;
  absl::flat_hash_map<base::JobId, Started> started_;
  int64_t running_ = 0;
  Duration ran_{};  // of all jobs, until ran_at_
  MonoTime ran_at_{};
  std::optional<Duration> last_run_;
};

}  // namespace

Duration RecordedRun::GuardOf(base::FlowId flow) const {
  const int index = static_cast<int>(base::ToInt(flow));
  if (index >= header.flows_size()) return Duration::zero();
  const Duration slo(header.flows(index).slo_ns());
  Duration longest{};
  for (const Input& input : inputs) {
    if (input.kind != Input::Kind::kArrive || input.flow != flow) continue;
    const Duration left = input.answer_by - input.now;
    if (left <= slo) longest = std::max(longest, left);
  }
  return longest == Duration::zero() ? longest : slo - longest;
}

absl::StatusOr<RecordedRun> LoadRecordedRun(const std::string& path,
                                            Duration skip, size_t inputs_max) {
  FRESHLINE_ASSIGN_OR_RETURN(
      const std::unique_ptr<record::DecisionLogReader> log,
      record::DecisionLogReader::Open(path));
  RecordedRun run;
  run.header = log->header();
  Loader loader(&run, skip);
  RecordedCall call;
  while (true) {
    FRESHLINE_ASSIGN_OR_RETURN(const bool more, log->Next(&call));
    if (!more) break;
    loader.Take(call);
    if (run.inputs.size() > inputs_max) {
      return absl::InvalidArgumentError(
          absl::StrCat("decision log \"", path, "\" holds more than ",
                       inputs_max, " queries and events"));
    }
  }
  run.end = log->end();
  const auto none = [&](const char* what) {
    return absl::InvalidArgumentError(
        absl::StrCat("decision log \"", path, "\" holds no ", what,
                     skip > Duration::zero() ? " after what is skipped" : "",
                     " (it is ", run.end, "): record a daemon under load"));
  };
  if (run.outcome.tickets == 0) return none("query that waited");
  if (run.runs.empty() && run.seeds.empty()) return none("run");
  return run;
}

}  // namespace freshline::bench
