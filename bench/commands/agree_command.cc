// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "bench/commands/commands.h"
#include "bench/commands/simulated_slice.h"
#include "bench/commands/workload_flags.h"
#include "bench/replay/replay.h"
#include "bench/replay/workload.h"
#include "bench/report/run_report.h"
#include "bench/sim/trace/condition_options.h"
#include "bench/sim/trace/slice_function.h"
#include "bench/sim/trace/slice_simulation.h"
#include "bench/whatif/recorded_run.h"
#include "bench/whatif/what_if.h"

namespace freshline::bench {
namespace {

struct Flags {
  WorkloadOptions workload{"out/quickstart/trace/trace.csv",
                           "out/quickstart/tables", "auto", 20, 1};
  ReplayOptions replay;
  std::string out = "out/agree";
};

// One figure of two live runs and of the simulation of the first.
struct Figure {
  std::string name;
  double live = 0;
  double again = 0;
  double simulated = 0;
  double allowed = 0;  // of |simulated - live|
  bool agrees() const { return std::abs(simulated - live) <= allowed; }
};

std::string Table(const std::vector<Figure>& figures) {
  std::string table = absl::StrFormat("%-30s %9s %9s %10s %9s\n", "", "live",
                                      "again", "simulated", "within");
  for (const Figure& f : figures) {
    absl::StrAppendFormat(&table, "%-30s %9.3f %9.3f %10.3f %9.3f  %s\n",
                          f.name, f.live, f.again, f.simulated, f.allowed,
                          f.agrees() ? "agrees" : "DIFFERS");
  }
  return table;
}

double QuantileMs(std::vector<base::Duration> times, double q) {
  if (times.empty()) return 0;
  std::sort(times.begin(), times.end());
  const auto i = static_cast<size_t>(q * static_cast<double>(times.size()));
  return base::ToMillis(times[std::min(i, times.size() - 1)]);
}

struct Live {
  RunReport report;
  RecordedRun log;  // of the slice, without the warm-up
};

absl::StatusOr<Live> RunLive(Workload* workload, ReplayOptions replay,
                             const std::string& log) {
  replay.daemon.decision_log = log;
  Live live;
  FRESHLINE_ASSIGN_OR_RETURN(live.report, RunReplay(workload, replay));
  FRESHLINE_ASSIGN_OR_RETURN(const RecordedRun all, LoadRecordedRun(log));
  const base::Duration skip =
      all.span - std::chrono::seconds(workload->slice_seconds());
  FRESHLINE_ASSIGN_OR_RETURN(
      live.log, LoadRecordedRun(log, std::max(skip, base::Duration::zero())));
  return live;
}

// The same slice in virtual time, with the run times and the guard of the log.
absl::StatusOr<RunReport> Simulate(const Flags& flags, Workload* workload,
                                   const Live& live, const std::string& log) {
  FRESHLINE_ASSIGN_OR_RETURN(
      const std::unique_ptr<SliceFunction> function,
      SliceFunction::Load(flags.replay.daemon.definitions,
                          flags.workload.tables, "next_items"));
  TimesOptions times;
  times.workers = flags.replay.daemon.workers;
  times.batch_max = flags.replay.daemon.batch_max;
  times.file = log;
  times.definitions = flags.replay.daemon.definitions;
  times.last_s = static_cast<double>(workload->slice_seconds());
  FRESHLINE_ASSIGN_OR_RETURN(const Calibrated calibrated,
                             Calibrate(*workload, *function, times));
  FRESHLINE_ASSIGN_OR_RETURN(const PreparedSlice* prepared,
                             workload->Prepare(flags.replay.superpose));
  SimulatedSlice slice(*prepared, *workload, *function, ScoreOptions{});
  FRESHLINE_ASSIGN_OR_RETURN(const schedule::PolicyConfig policy,
                             schedule::FindPolicy(flags.replay.daemon.policy));
  Condition at;
  at.batch_max = std::min(times.batch_max, function->batch_max());
  at.slo_ms = flags.replay.slo_ms;
  at.gap_ms = flags.replay.gap_ms;
  at.approximate = flags.replay.daemon.approximate;
  FRESHLINE_ASSIGN_OR_RETURN(
      const SliceRunOptions options,
      OptionsOf(at, flags.workload.seed, policy, workload->shape(),
                {times.workers,
                 std::chrono::microseconds(
                     static_cast<int64_t>(live.report.guard_us)),
                 function->approximation()}));
  FRESHLINE_ASSIGN_OR_RETURN(SliceRun run,
                             slice.Run(calibrated.times, options));
  DescribeSlice(*workload, flags.replay.superpose, 0, slice, &run.report);
  return std::move(run.report);
}

std::vector<Figure> Compare(const Live& live, const Live& again,
                            const RunReport& simulated,
                            const WhatIfResult& replayed) {
  std::vector<Figure> figures;
  const RunReport& a = live.report;
  const RunReport& b = again.report;
  figures.push_back({"fraction fresh, slice", a.fraction_fresh,
                     b.fraction_fresh, simulated.fraction_fresh, 0.02});
  const auto fresh_of = [](const RecordedRun& log) {
    return static_cast<double>(log.outcome.refreshed) /
           static_cast<double>(std::max<uint64_t>(1, log.outcome.needs));
  };
  figures.push_back({"fraction fresh, log", fresh_of(live.log),
                     fresh_of(again.log), replayed.fraction_fresh(), 0.02});
  // Half the width of what the gap's own interval makes of the hit rate.
  const double span = a.quality.hr20_infinite - a.quality.hr20_never;
  const double half =
      span * (a.quality.gap_closed_high - a.quality.gap_closed_low) / 2;
  figures.push_back({"HR@20, slice", a.quality.hr20, b.quality.hr20,
                     simulated.quality.hr20, half});
  for (const double q : {0.5, 0.9, 0.99}) {
    const double one = QuantileMs(live.log.outcome.decision, q);
    const double two = QuantileMs(again.log.outcome.decision, q);
    figures.push_back(
        {absl::StrFormat("decision p%g in ms, log", 100 * q), one, two,
         static_cast<double>(replayed.decision_ns.Quantile(q)) / 1e6,
         std::max(0.1 * one, std::abs(one - two))});
  }
  return figures;
}

absl::Status Agree(const Invocation& call, Flags flags) {
  flags.replay.daemon.tables = flags.workload.tables;
  flags.replay.daemon.directory = flags.out + "/daemon";
  flags.replay.echo_block_s = 0;
  flags.replay.progress = Say;
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Workload> workload,
                             LoadWorkload(flags.workload));
  flags.replay.gap_ms = workload->shape().GapOr(flags.replay.gap_ms);
  const std::string first = flags.out + "/daemon/live.log";
  FRESHLINE_ASSIGN_OR_RETURN(const Live live,
                             RunLive(workload.get(), flags.replay, first));
  FRESHLINE_ASSIGN_OR_RETURN(
      const Live again,
      RunLive(workload.get(), flags.replay, flags.out + "/daemon/again.log"));
  FRESHLINE_ASSIGN_OR_RETURN(const RunReport simulated,
                             Simulate(flags, workload.get(), live, first));
  WhatIfSettings settings;
  FRESHLINE_ASSIGN_OR_RETURN(const RecordedRun all, LoadRecordedRun(first));
  settings.skip = all.span - live.log.span;
  FRESHLINE_ASSIGN_OR_RETURN(const WhatIfResult replayed,
                             WhatIf(live.log, settings));
  FRESHLINE_RETURN_IF_ERROR(
      WriteRuns(call, {live.report, again.report, simulated}, flags.out));
  const std::vector<Figure> figures = Compare(live, again, simulated, replayed);
  std::cout << Table(figures)
            << "slice: the trace simulated with the run times of the log; "
               "log: the log's own queries simulated (whatif)\n";
  const auto differs =
      std::count_if(figures.begin(), figures.end(),
                    [](const Figure& figure) { return !figure.agrees(); });
  if (differs == 0) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat(differs,
                   " figures of the simulation differ from what ran: "
                   "quote no figure of it for this setting"));
}

}  // namespace

void AddAgree(CLI::App* app, const Invocation& call, Run* run) {
  CLI::App* sub = app->add_subcommand(
      "agree",
      "Run a slice live twice, simulate it with what was recorded of the "
      "first run, and say whether the simulation may be quoted: fraction fresh "
      "within 2 points, hit rate within its interval, times from arrival to "
      "decision within 10 % or what the live runs differ by");
  auto f = std::make_shared<Flags>();
  DaemonOptions& daemon = f->replay.daemon;
  daemon.definitions = "config/rees46.textproto";
  f->replay.self = call.program;
  AddTraceFlags(sub, &f->workload);
  AddSliceFlag(sub, &f->workload);
  AddDaemonFlags(sub, call, &daemon);
  sub->add_option("--policy", daemon.policy, "Policy of the daemon")
      ->capture_default_str();
  sub->add_option("--workers", daemon.workers, "Worker threads")
      ->capture_default_str();
  sub->add_option("--batch", daemon.batch_max, "scheduler.batch_max")
      ->capture_default_str();
  sub->add_option("--slo", f->replay.slo_ms, "Milliseconds")
      ->check(CLI::Range(0.1, 60'000.0))
      ->capture_default_str();
  sub->add_option("--superpose", f->replay.superpose,
                  "Times the trace's own rate, by more users at real gaps")
      ->capture_default_str();
  sub->add_option("--out", f->out, "Directory for report.json and the logs")
      ->capture_default_str();
  sub->callback(
      [f, call, run] { *run = [f, call] { return Agree(call, *f); }; });
}

}  // namespace freshline::bench
