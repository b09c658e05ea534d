// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/histogram.h"
#include "base/thread.h"
#include "base/time.h"
#include "bench/load/process_runner.h"
#include "bench/stats/violations.h"
#include "client/overhead_meter.h"
#include "client/raw_client.h"
#include "freshline/answer.h"

namespace freshline::bench {

// One query of a trace, encoded before the run. The bytes must outlive it.
struct LoadRequest {
  // Intended send time, from the trace's origin.
  base::Duration offset{};
  // A GetFeaturesRequest. A budget in it is overridden by the runner's.
  absl::string_view query;
  // A PushEventsRequest, sent LoadOptions::gap before the query. Empty: none
  // (the query carries its own events).
  absl::string_view push = {};
  base::Duration slo{};  // of this query; 0: LoadOptions::slo
  // A PushEventsRequest of other keys, sent just before the query. Empty: none.
  absl::string_view beside = {};
  // A ReportOutcomeRequest of one earlier request, `report_back` requests
  // before this one, without its loss: sent just before the query, with a loss
  // of 0 where `chosen` stood in the list that the earlier one was served, and
  // 1 where not. Empty: none. Not sent where the earlier answer was violated,
  // or is not there yet, or was in another run.
  absl::string_view report = {};
  size_t report_back = 0;
  int64_t chosen = 0;
};

struct LoadOptions {
  std::string target;
  int channels = 8;
  int completion_threads = 1;
  // From the intended send to the answer in hand. Calls are given up a second
  // later.
  base::Duration slo = std::chrono::milliseconds(30);
  base::Duration gap{};
  // Sends budget = SLO - (now - intended), at least 0, as a caller would that
  // has a deadline of its own. Off for servers that are no freshlined.
  bool send_budget = true;
  // With it, tells what earlier answers cost beyond the server's part, as the
  // C++ client does.
  bool send_overhead = true;
  // The feature whose freshness is recorded, and whose list of INT64 is kept;
  // an answer without it is a violation. Empty: the first group's freshness.
  std::string served_feature = {};
  size_t served_max = 20;  // elements kept of the list; 0 to 1,000
  // Of the sending and the completion threads, where the kernel grants it: the
  // instrument must not queue behind what it measures. On Linux 6.18 a thread
  // of normal class was seen to wait a tick (4 ms) behind an idle-class worker
  // that had its share due.
  base::SchedClass sched_class = base::SchedClass::kRealtime;
};

// What became of one query.
struct QueryRecord {
  base::MonoTime intended;
  base::MonoTime sent;
  base::MonoTime received;
  absl::StatusCode code = absl::StatusCode::kUnknown;
  // The answer held every row asked for, and the served feature.
  bool complete = false;
  Obtained obtained{};
  Fidelity fidelity{};
  uint32_t pending = 0;
  uint32_t served = 0;  // elements in LoadResult::ServedBy()
  uint64_t as_of_sequence = 0;
  int64_t as_of_us = 0;
  int64_t event_time_us = 0;
  // Of the last event that the query, or the push before it, brought; 0 where
  // there was none or it was not accepted.
  uint64_t event_sequence = 0;
  base::Duration slo{};  // that it was sent with

  // Counted from the intended send: no coordinated omission.
  base::Duration latency() const { return received - intended; }
  bool Violated() const {
    return code != absl::StatusCode::kOk || !complete || latency() > slo;
  }
};

struct LoadResult {
  std::vector<QueryRecord> records;  // in the order of the requests
  base::Histogram dispatch_lag_ns;   // sent - intended, of the queries
  base::Histogram latency_ns;        // of all queries, failed ones too
  ViolationSummary violations;
  uint64_t errors = 0;       // queries that ended without OK
  uint64_t push_errors = 0;  // pushes that ended without OK
  uint64_t reports = 0;      // outcomes that were sent
  uint64_t report_errors = 0;
  base::Duration sender_cpu{};
  // Dispatch lag over 1 ms at p99: the client, not the server, was measured.
  bool client_limited = false;
  base::SchedClass sched_class{};  // what the kernel gave the sender

  // The list served to records[i].
  absl::Span<const int64_t> ServedBy(size_t i) const;

  // Appends a run of the same options; the summary is made anew.
  void Append(LoadResult other);

  size_t served_max = 0;
  std::vector<int64_t> served;  // [records x served_max], row-major
};

// Sends encoded queries at their own times, whatever the server does: there is
// no cap on what is in flight. A thread of its own sends (absolute waits, 1 ns
// timer slack); completion threads decode and record into storage that was
// made before the run.
//
// Cost on the client: 40 us of the sending thread per query at 2,000 queries/s,
// 140 us at 200/s (wake-ups, cold caches); gRPC writes to the socket there.
class OpenLoopRunner {
 public:
  // Connects every channel.
  // Returns: INVALID_ARGUMENT naming the option; UNAVAILABLE naming the target
  // where it is not reached within 10 s.
  static absl::StatusOr<std::unique_ptr<OpenLoopRunner>> Create(
      const LoadOptions& options);
  ~OpenLoopRunner();
  OpenLoopRunner(const OpenLoopRunner&) = delete;
  OpenLoopRunner& operator=(const OpenLoopRunner&) = delete;

  // Sends all and waits for every answer: until the last offset + SLO + 1 s at
  // the latest. `origin` is the trace time that is sent first, 20 ms + gap
  // after the call; requests before it are late. May be called again.
  // REQUIRES: requests ascend by offset.
  LoadResult Run(absl::Span<const LoadRequest> requests,
                 base::Duration origin = {});

  const LoadOptions& options() const { return options_; }

 private:
  struct Session;

  OpenLoopRunner(const LoadOptions& options,
                 std::unique_ptr<client::RawClient> client);
  void SendAll(Session& session);
  void SendQuery(Session& session, size_t index);
  // `sequence` is told what the push brought; null: nobody asks.
  void SendPush(Session& session, absl::string_view push,
                base::MonoTime intended, uint64_t* sequence);
  void SendReport(Session& session, size_t index);

  const LoadOptions options_;
  client::OverheadMeter overhead_;
  const std::unique_ptr<client::RawClient> client_;
};

// A server under test: the load sent to it and, where it is ours to freeze,
// its process.
struct LoadSide {
  LoadOptions options;
  ProcessRunner* process = nullptr;  // null: never frozen
};

struct AlternatingResult {
  LoadResult daemon;
  LoadResult echo;
};

// Sends the trace in blocks of `block`: each block to the daemon, then the same
// block, with the same times, to the echo. The process that is not under test
// is frozen meanwhile, so that neither disturbs the other. Both have met the
// same hours of the machine, and the echo's violations are the floor. Each
// block connects anew before it: any thread of the process that waits in gRPC
// may be the one that reads a socket, and a client left over from the other
// side would be a hop on the way of every answer. Returns: what
// OpenLoopRunner::Create() says. REQUIRES: requests ascend by offset; block >
// 0.
absl::StatusOr<AlternatingResult> RunAlternating(
    const LoadSide& daemon, const LoadSide& echo,
    absl::Span<const LoadRequest> requests, base::Duration block);

}  // namespace freshline::bench
