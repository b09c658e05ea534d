// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "bench/commands/commands.h"
#include "bench/commands/workload_flags.h"
#include "bench/replay/replay.h"
#include "bench/replay/workload.h"
#include "bench/report/run_report.h"
#include "schedule/policies.h"

namespace freshline::bench {
namespace {

struct Flags {
  WorkloadOptions workload{"out/quickstart/trace/trace.csv",
                           "out/quickstart/tables", "auto", 60, 1};
  ReplayOptions replay;
  std::string out = "out/replay";
  std::string policies = "slo_aware,edf,fifo,stale_then_refresh,eager_fifo";
  std::string loads = "0.5,0.9,2";
  std::string slos = "30";
  std::string seeds = "1";
  std::string preset;
  double echo_block_s = 5;
};

// The researchers' policies are in a daemon of their own beside freshlined.
std::string BinaryFor(absl::string_view policy, const std::string& daemon) {
  constexpr absl::string_view kResearch = "-research";
  const auto own = schedule::PolicyNames();
  if (std::find(own.begin(), own.end(), policy) != own.end() ||
      absl::EndsWith(daemon, kResearch)) {
    return daemon;
  }
  return absl::StrCat(daemon, kResearch);
}

void AddCommon(CLI::App* sub, const Invocation& call, Flags* f) {
  f->replay.daemon.binary = call.daemon;
  f->replay.daemon.definitions = "config/rees46.textproto";
  f->replay.self = call.program;
  DaemonOptions& daemon = f->replay.daemon;
  AddTraceFlags(sub, &f->workload);
  AddSliceFlag(sub, &f->workload);
  sub->add_option("--gap", f->replay.gap_ms,
                  "Milliseconds from a click's push to its query; 0: the "
                  "query carries it")
      ->capture_default_str();
  sub->add_option("--definitions", daemon.definitions,
                  "Definitions for the daemons")
      ->capture_default_str();
  sub->add_option("--daemon", daemon.binary,
                  "freshlined to start; for policies that it does not have "
                  "(simulate --list-policies), this name and -research")
      ->capture_default_str();
  sub->add_option("--workers", daemon.workers, "Worker threads")
      ->capture_default_str();
  sub->add_option("--batch", daemon.batch_max, "scheduler.batch_max")
      ->capture_default_str();
  sub->add_option("--guard-floor-us", daemon.guard_floor_us,
                  "scheduler.guard_floor_us")
      ->capture_default_str();
  sub->add_flag("--approximate", daemon.approximate,
                "Let the daemons approximate stale rows while answering, as "
                "the definitions say, under every policy");
  sub->add_option_function<std::string>(
         "--client",
         [f](const std::string& client) {
           f->replay.ordinary_client = client == "ordinary";
         },
         "cooperating: realtime threads where granted, and sends budget and "
         "overhead, as the C++ library does. ordinary: threads of normal "
         "class, and sends neither, as most clients")
      ->check(CLI::IsMember({"cooperating", "ordinary"}))
      ->default_str("cooperating");
  sub->add_flag("--report-outcomes", f->replay.report_outcomes,
                "Callers report whether their next click was in the list they "
                "got (ReportOutcome), which feeds regret and learned curves; "
                "only within a turn of the daemon: use --echo-block 0")
      ->capture_default_str();
  sub->add_option("--echo-block", f->echo_block_s,
                  "Seconds of each turn of daemon and echo, of the first "
                  "policy at each load and SLO; 0: no echo")
      ->capture_default_str();
  sub->add_option("--out", f->out, "Directory for report.json and report.html")
      ->capture_default_str();
}

absl::Status Finish(const Invocation& call, const Flags& flags,
                    const std::vector<RunReport>& runs) {
  FRESHLINE_RETURN_IF_ERROR(WriteRuns(call, runs, flags.out));
  std::cout << ReportText(runs);
  Say("wrote " + flags.out + "/report.json and report.html");
  return absl::OkStatus();
}

// Text of numbers, separated by commas.
absl::StatusOr<std::vector<double>> Numbers(absl::string_view flag,
                                            const std::string& text) {
  std::vector<double> numbers;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    double number = 0;
    if (!absl::SimpleAtod(part, &number) || !(number > 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat(flag, ": \"", part, "\" is not a number above 0"));
    }
    numbers.push_back(number);
  }
  return numbers;
}

absl::Status Replay(const Invocation& call, Flags flags) {
  flags.replay.daemon.tables = flags.workload.tables;
  flags.replay.daemon.directory = flags.out + "/daemon";
  flags.replay.echo_block_s = flags.echo_block_s;
  flags.replay.progress = Say;
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Workload> workload,
                             LoadWorkload(flags.workload));
  flags.replay.gap_ms = workload->shape().GapOr(flags.replay.gap_ms);
  flags.replay.daemon.binary =
      BinaryFor(flags.replay.daemon.policy, flags.replay.daemon.binary);
  FRESHLINE_ASSIGN_OR_RETURN(const RunReport run,
                             RunReplay(workload.get(), flags.replay));
  return Finish(call, flags, {run});
}

// One run of a comparison.
struct PlannedRun {
  double load = 1;
  double slo_ms = 30;
  std::string policy;
  double echo_block_s = 0;  // 0: no echo
  double seconds = 0;       // that it is expected to take
};

// Loads outermost, policies innermost: neighbours in time are compared.
absl::StatusOr<std::vector<PlannedRun>> PlanCross(const Flags& flags) {
  FRESHLINE_ASSIGN_OR_RETURN(const std::vector<double> loads,
                             Numbers("--loads", flags.loads));
  FRESHLINE_ASSIGN_OR_RETURN(const std::vector<double> slos,
                             Numbers("--slo", flags.slos));
  std::vector<PlannedRun> plan;
  for (const double load : loads) {
    for (const double slo : slos) {
      double echo_block_s = flags.echo_block_s;
      for (const absl::string_view policy :
           absl::StrSplit(flags.policies, ',')) {
        plan.push_back({load, slo, std::string(policy), echo_block_s, 0});
        echo_block_s = 0;  // one floor for each load and SLO
      }
    }
  }
  return plan;
}

// Ours at every load and SLO in turns with the echo, so that violations pool;
// the other policies where gaps are compared.
std::vector<PlannedRun> PlanFull(double echo_block_s) {
  std::vector<PlannedRun> plan;
  for (const double load : {0.5, 0.9, 1.5, 2.0, 3.0}) {
    for (const double slo : {10.0, 50.0, 30.0}) {
      plan.push_back({load, slo, "slo_aware", echo_block_s, 0});
    }
    for (const char* policy :
         {"edf", "fifo", "stale_then_refresh", "eager_fifo"}) {
      plan.push_back({load, 30, policy, 0, 0});
    }
  }
  return plan;
}

absl::StatusOr<std::vector<PlannedRun>> PlanOf(Flags* flags) {
  if (flags->preset == "full") {
    flags->workload.slice_seconds = 20;
    return PlanFull(5);
  }
  if (flags->preset == "smoke") {
    flags->policies = "slo_aware,fifo,eager_fifo";
    flags->loads = "0.5,2";
    flags->workload.slice_seconds = 5;
    flags->echo_block_s = 0;
  }
  return PlanCross(*flags);
}

double SuperposeOf(const Workload& workload, double load, double capacity) {
  return load * capacity / workload.natural_rate();
}

// Expects of every run: the warm-up, which computes a row for each user; the
// slice, twice beside an echo; a few seconds to start and to end; and of the
// first one at each load that the slice is scored.
absl::Status ExpectSeconds(const Workload& workload, double capacity,
                           std::vector<PlannedRun>* plan) {
  constexpr double kStart = 3;
  constexpr double kScorePerQuery = 0.0005;
  constexpr double kWarmUpSlower = 1.25;  // than the workers alone
  std::map<double, Slice> slices;         // by load
  for (PlannedRun& run : *plan) {
    auto slice = slices.find(run.load);
    const bool scored = slice != slices.end();
    if (!scored) {
      FRESHLINE_ASSIGN_OR_RETURN(
          Slice cut, workload.Cut(SuperposeOf(workload, run.load, capacity)));
      slice = slices.emplace(run.load, std::move(cut)).first;
    }
    run.seconds =
        kStart +
        kWarmUpSlower * static_cast<double>(slice->second.users) / capacity +
        static_cast<double>(workload.slice_seconds()) *
            (run.echo_block_s > 0 ? 2 : 1);
    if (!scored) {
      run.seconds +=
          kScorePerQuery * static_cast<double>(slice->second.queries.size());
    }
  }
  return absl::OkStatus();
}

std::string Minutes(double seconds) {
  if (seconds < 90) return absl::StrCat(std::lround(seconds), " s");
  return absl::StrCat(std::lround(seconds / 60), " min");
}

// Tells how far a comparison is, and how long it will take yet: what was
// expected of the runs that are left, times what the others took beyond it.
class Progress {
 public:
  explicit Progress(size_t repeats) : repeats_(repeats) {}

  void Begin(const std::vector<PlannedRun>& plan) {
    if (expected_ > 0) return;  // another seed of the same plan
    for (const PlannedRun& run : plan) expected_ += run.seconds;
    expected_ *= static_cast<double>(repeats_);
    runs_ = repeats_ * plan.size();
    began_ = base::Clock::Real().Now();
    Say(absl::StrCat(runs_, " runs, which will take about ",
                     Minutes(expected_)));
  }
  void Next(const PlannedRun& run) {
    std::string left;
    if (done_ > 0) {
      const double took =
          base::ToMillis(base::Clock::Real().Now() - began_) / 1e3;
      left = absl::StrCat("; about ",
                          Minutes((expected_ - done_) * took / done_), " left");
    }
    Say(absl::StrCat("run ", ++started_, " of ", runs_, ": ", run.policy,
                     ", load ", run.load, ", SLO ", run.slo_ms, " ms", left));
    done_ += run.seconds;
  }

 private:
  const size_t repeats_;
  double expected_ = 0;  // seconds of all runs
  double done_ = 0;      // of those before the next one
  size_t runs_ = 0;
  size_t started_ = 0;
  base::MonoTime began_;
};

absl::Status CompareAll(Workload* workload, const Flags& flags,
                        const std::vector<PlannedRun>& plan, double capacity,
                        Progress* progress, std::vector<RunReport>* runs) {
  for (const PlannedRun& planned : plan) {
    ReplayOptions replay = flags.replay;
    replay.seed = flags.workload.seed;
    replay.gap_ms = workload->shape().GapOr(replay.gap_ms);
    replay.slo_ms = planned.slo_ms;
    replay.load = planned.load;
    replay.superpose = SuperposeOf(*workload, planned.load, capacity);
    replay.echo_block_s = planned.echo_block_s;
    replay.daemon.policy = planned.policy;
    replay.daemon.binary =
        BinaryFor(planned.policy, flags.replay.daemon.binary);
    progress->Next(planned);
    FRESHLINE_ASSIGN_OR_RETURN(RunReport run, RunReplay(workload, replay));
    std::cerr << ReportTable({run});
    runs->push_back(std::move(run));
  }
  return absl::OkStatus();
}

absl::Status Compare(const Invocation& call, Flags flags) {
  FRESHLINE_ASSIGN_OR_RETURN(std::vector<PlannedRun> plan, PlanOf(&flags));
  flags.replay.daemon.tables = flags.workload.tables;
  flags.replay.daemon.directory = flags.out + "/daemon";
  flags.replay.echo_block_s = flags.echo_block_s;
  flags.replay.progress = Say;
  FRESHLINE_ASSIGN_OR_RETURN(const std::vector<double> seeds,
                             Numbers("--seeds", flags.seeds));
  std::vector<RunReport> runs;
  std::optional<double> capacity;
  Progress progress(seeds.size());
  for (const double seed : seeds) {
    flags.workload.seed = static_cast<uint64_t>(seed);
    FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Workload> workload,
                               LoadWorkload(flags.workload));
    if (!capacity.has_value()) {
      FRESHLINE_ASSIGN_OR_RETURN(
          capacity, MeasureCapacity(workload.get(), flags.replay.daemon));
      Say(absl::StrCat("load 1 is ", static_cast<int>(*capacity),
                       " rows/s: ", flags.replay.daemon.workers, " workers, ",
                       flags.replay.daemon.workers * 1e3 / *capacity,
                       " ms a row"));
    }
    FRESHLINE_RETURN_IF_ERROR(ExpectSeconds(*workload, *capacity, &plan));
    progress.Begin(plan);
    FRESHLINE_RETURN_IF_ERROR(
        CompareAll(workload.get(), flags, plan, *capacity, &progress, &runs));
  }
  return Finish(call, flags, runs);
}

}  // namespace

void AddReplay(CLI::App* app, const Invocation& call, Run* run) {
  CLI::App* sub = app->add_subcommand(
      "replay",
      "Replay clicks against a daemon, open loop, and score what it served");
  auto f = std::make_shared<Flags>();
  AddCommon(sub, call, f.get());
  CLI::Option* const target =
      sub->add_option("--target", f->replay.target,
                      "A daemon that runs already; default: start one");
  sub->add_option("--record", f->replay.daemon.decision_log,
                  "File for the decision log of the daemon that is started: "
                  "for verify-log, whatif and simulate --times")
      ->excludes(target);
  sub->add_option("--policy", f->replay.daemon.policy,
                  "Policy of the daemon that is started")
      ->capture_default_str();
  sub->add_option("--slo", f->replay.slo_ms, "Milliseconds")
      ->check(CLI::Range(0.1, 60'000.0))
      ->capture_default_str();
  sub->add_option("--superpose", f->replay.superpose,
                  "Times the trace's own rate, by more users at real gaps")
      ->capture_default_str();
  sub->callback(
      [f, call, run] { *run = [f, call] { return Replay(call, *f); }; });
}

void AddCompare(CLI::App* app, const Invocation& call, Run* run) {
  CLI::App* sub = app->add_subcommand(
      "compare", "Replay under several policies, loads and SLOs, in turns");
  auto f = std::make_shared<Flags>();
  f->out = "out/compare";
  AddCommon(sub, call, f.get());
  sub->add_option("--policies", f->policies, "Separated by commas")
      ->capture_default_str();
  sub->add_option("--loads", f->loads, "1 is what the workers can compute")
      ->capture_default_str();
  sub->add_option("--slo", f->slos, "Milliseconds")->capture_default_str();
  sub->add_option("--seeds", f->seeds, "Of the jitter")->capture_default_str();
  sub->add_option("--preset", f->preset,
                  "smoke: three policies, 5 s each; full: ours at 10, 30 and "
                  "50 ms beside the echo and the others at 30 ms, five loads, "
                  "within the hour. Both override policies, loads, SLOs, "
                  "slice and echo")
      ->check(CLI::IsMember({"smoke", "full"}));
  sub->callback(
      [f, call, run] { *run = [f, call] { return Compare(call, *f); }; });
}

}  // namespace freshline::bench
