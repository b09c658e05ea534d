// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/job_shape.h"
#include "base/time.h"
#include "estimate/estimator.h"
#include "schedule/policy.h"

namespace freshline::schedule {

// One input of a policy, or of the estimator that it asks, and what the policy
// did about it.
struct RecordedCall {
  enum class Kind : uint8_t {
    kArrive,
    kCancel,
    kChanged,
    kDone,
    kTick,
    kSetWorkers,
    kProbe,
    kSeed,     // of the estimator
    kObserve,  // "
  };
  Kind kind = Kind::kTick;
  base::MonoTime now{};

  // kArrive: all of these. kCancel: ticket.
  base::TicketId ticket{};
  base::FlowId flow{};
  base::MonoTime answer_by{};
  std::vector<Need> needs;
  // kChanged.
  base::RowId row;
  base::Seq newest = 0;
  Signals signals;
  // kDone.
  base::JobId job{};
  std::vector<RowResult> results;
  // kSetWorkers.
  uint32_t workers = 0;
  // kProbe: row and shape. kSeed, kObserve: all of these; `now` is that of the
  // call before.
  base::JobShape shape;
  uint32_t batch = 0;
  base::Duration time{};
  std::optional<base::WorkerId> worker;
  std::optional<base::Duration> predicted_p99;
  std::optional<base::Duration> cpu_time;

  Actions actions;
};

class CallSink {
 public:
  virtual ~CallSink() = default;
  // On the thread of the policy. `call` is valid during the call only.
  virtual void Take(const RecordedCall& call) = 0;
};

// Calls in memory: the first `calls_max` of them. Not thread-safe.
class Recording final : public CallSink {
 public:
  explicit Recording(size_t calls_max) : calls_max_(calls_max) {}

  void Take(const RecordedCall& call) override {
    if (calls.size() < calls_max_) {
      calls.push_back(call);
    } else {
      ++calls_dropped;
    }
  }

  std::vector<RecordedCall> calls;
  uint64_t calls_dropped = 0;  // beyond the bound

 private:
  size_t calls_max_;
};

// A policy that passes every call on to another and tells it to a sink: what a
// driver with threads and a real clock did can be fed to a fresh policy, and
// must give the same actions.
//
// Thread-safety: as the policy inside. Allocates nothing once its buffers have
// grown.
class PolicyRecorder final : public Policy {
 public:
  // `policy` and `sink` must outlive it.
  PolicyRecorder(Policy* policy, CallSink* sink)
      : policy_(policy), sink_(sink) {}

  // Records what `estimator` learns from now on as well. It must not learn
  // after the recorder ends, unless its listener is replaced.
  void ListenTo(estimate::Estimator* estimator);

  void Arrive(const Ticket& ticket, base::MonoTime now,
              Actions* actions) override;
  void Cancel(base::TicketId ticket, base::MonoTime now,
              Actions* actions) override;
  void Changed(base::RowId row, base::Seq newest, const Signals& signals,
               base::MonoTime now, Actions* actions) override;
  void Done(base::JobId job, std::span<const RowResult> results,
            base::MonoTime now, Actions* actions) override;
  void Tick(base::MonoTime now, Actions* actions) override;
  base::MonoTime NextWake() const override { return policy_->NextWake(); }
  void SetWorkers(uint32_t n, base::MonoTime now, Actions* actions) override;
  void Probe(base::RowId row, const base::JobShape& shape, base::MonoTime now,
             Actions* actions) override;
  PolicyStats Stats() const override { return policy_->Stats(); }

 private:
  RecordedCall* Begin(RecordedCall::Kind kind, base::MonoTime now);
  template <typename Forward>
  void Pass(Actions* actions, Forward forward);

  Policy* const policy_;
  CallSink* const sink_;
  RecordedCall call_;  // reused
};

struct ReplayResult {
  size_t calls = 0;    // replayed
  size_t actions = 0;  // of them
  // The first call whose actions differ, and how; none: all agree.
  std::optional<size_t> differs_at;
  std::string difference;
};

// Feeds recorded calls, one by one, to a fresh policy and the fresh estimator
// that it asks, up to the first difference. Both must outlive it.
class Replayer {
 public:
  Replayer(Policy* policy, estimate::Estimator* estimator)
      : policy_(policy), estimator_(estimator) {}

  // Returns false from the first difference on.
  bool Take(const RecordedCall& call);
  const ReplayResult& result() const { return result_; }

 private:
  void Feed(const RecordedCall& call);

  Policy* const policy_;
  estimate::Estimator* const estimator_;
  Actions actions_;
  ReplayResult result_;
};

// Feeds a recording to a fresh policy and the fresh estimator that it asks, up
// to the first difference. The estimator's options, the policy's configuration
// and what either knew before the recording began must be as they were.
ReplayResult Replay(const Recording& recording, Policy* policy,
                    estimate::Estimator* estimator);

// One line, for people: "answer ticket 7".
std::string DescribeAction(const Action& action, const Actions& all);

}  // namespace freshline::schedule
