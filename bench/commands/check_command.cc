// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "bench/commands/commands.h"
#include "bench/commands/workload_flags.h"
#include "bench/load/absolute_sleep.h"
#include "bench/load/open_loop.h"
#include "bench/load/self_check.h"
#include "bench/load/spinners.h"
#include "bench/replay/daemon_under_test.h"
#include "bench/replay/requests.h"
#include "bench/replay/workload.h"

namespace freshline::bench {
namespace {

constexpr int kRounds = 4;
constexpr base::Duration kBlock = std::chrono::seconds(3);
constexpr base::Duration kFreeze = std::chrono::milliseconds(200);
// So many queries that a 99th percentile of the blocks means something.
constexpr double kRateMin = 180;

struct CheckFlags {
  WorkloadOptions workload{"out/quickstart/trace/trace.csv",
                           "out/quickstart/tables", "auto",
                           3 * kRounds* kBlock / std::chrono::seconds(1), 1};
  DaemonOptions daemon{"",          "config/rees46.textproto",
                       "",          "out/check",
                       "slo_aware", 2,
                       1,           1500,
                       false,       ""};
};

// Sends one block after the other, each on a connection of its own.
class Blocks {
 public:
  Blocks(const LoadOptions& options, absl::Span<const LoadRequest> requests)
      : options_(options), requests_(requests) {}

  // The next kBlock of the trace; `beside` runs on a thread meanwhile.
  absl::Status SendNext(const std::function<void()>& beside, LoadResult* into) {
    const base::Duration origin = block_++ * kBlock;
    const auto at = [&](base::Duration offset) {
      return static_cast<size_t>(
          std::partition_point(
              requests_.begin(), requests_.end(),
              [&](const LoadRequest& r) { return r.offset < offset; }) -
          requests_.begin());
    };
    const size_t begin = at(origin);
    const auto part = requests_.subspan(begin, at(origin + kBlock) - begin);
    FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<OpenLoopRunner> runner,
                               OpenLoopRunner::Create(options_));
    std::thread other([&] {
      if (beside) beside();
    });
    LoadResult result = runner->Run(part, origin);
    other.join();
    into->Append(std::move(result));
    return absl::OkStatus();
  }

 private:
  const LoadOptions options_;
  const absl::Span<const LoadRequest> requests_;
  int64_t block_ = 0;
};

void FreezeOnce(ProcessRunner* process) {
  const base::Clock& clock = base::Clock::Real();
  SleepUntil(clock.Now() + kBlock / 2);
  process->Pause();
  SleepUntil(clock.Now() + kFreeze);
  process->Resume();
}

absl::StatusOr<SelfCheckRuns> RunRounds(const LoadOptions& load,
                                        absl::Span<const LoadRequest> requests,
                                        ProcessRunner* process) {
  SelfCheckRuns runs;
  runs.frozen_span = kRounds * kBlock;
  runs.freezes = kRounds;
  runs.freeze = kFreeze;
  runs.slo = load.slo;
  Blocks blocks(load, requests);
  for (int round = 1; round <= kRounds; ++round) {
    Say(absl::StrCat("round ", round, " of ", kRounds,
                     ": left alone, frozen for 200 ms, beside spinners"));
    FRESHLINE_RETURN_IF_ERROR(blocks.SendNext(nullptr, &runs.calm));
    FRESHLINE_RETURN_IF_ERROR(
        blocks.SendNext([process] { FreezeOnce(process); }, &runs.frozen));
    const Spinners spinners;
    FRESHLINE_RETURN_IF_ERROR(blocks.SendNext(nullptr, &runs.crowded));
  }
  return runs;
}

absl::Status Check(CheckFlags flags) {
  flags.daemon.tables = flags.workload.tables;
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Workload> workload,
                             LoadWorkload(flags.workload));
  FRESHLINE_ASSIGN_OR_RETURN(
      const Slice slice,
      workload->Cut(std::max(1.0, kRateMin / workload->natural_rate())));
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<DaemonUnderTest> daemon,
                             DaemonUnderTest::Start(flags.daemon));
  EncodeOptions encode;
  encode.origin_us = base::Clock::Real().WallNowMicros();
  const EncodedQueries queries =
      EncodeQueries(slice.queries, workload->pool(), encode);
  LoadOptions load;
  load.target = daemon->target();
  load.served_feature = "next_items:items";
  FRESHLINE_ASSIGN_OR_RETURN(
      const SelfCheckRuns runs,
      RunRounds(load, queries.requests, &daemon->process()));
  int failed = 0;
  for (const Verdict& verdict : JudgeSelfCheck(runs)) {
    std::cout << (verdict.passed ? "PASS  " : "FAIL  ") << verdict.what << ": "
              << verdict.figures << "\n";
    failed += verdict.passed ? 0 : 1;
  }
  std::cout << std::flush;
  if (failed > 0) {
    return absl::InternalError(
        absl::StrCat(failed,
                     " of the checks failed: figures of this instrument on "
                     "this machine, as busy as it is, mean nothing"));
  }
  return absl::OkStatus();
}

}  // namespace

void AddCheck(CLI::App* app, const Invocation& call, Run* run) {
  CLI::App* sub = app->add_subcommand(
      "check",
      "Prove the instrument, in about 40 s: freezing the daemon must show, "
      "spinning neighbours must not break the guard");
  auto f = std::make_shared<CheckFlags>();
  AddDaemonFlags(sub, call, &f->daemon);
  AddTraceFlags(sub, &f->workload);
  sub->add_option("--out", f->daemon.directory, "For logs")
      ->capture_default_str();
  sub->callback([f, run] { *run = [f] { return Check(*f); }; });
}

}  // namespace freshline::bench
