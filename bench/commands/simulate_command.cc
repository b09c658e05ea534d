// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "bench/commands/commands.h"
#include "bench/commands/workload_flags.h"
#include "bench/replay/workload.h"
#include "bench/report/run_report.h"
#include "bench/score/state_ranker.h"
#include "bench/sim/trace/profile_run.h"
#include "bench/sim/trace/slice_function.h"
#include "bench/sim/trace/slice_simulation.h"
#include "bench/sim/trace/time_profile.h"
#include "bench/stats/violations.h"
#include "schedule/policies.h"

namespace freshline::bench {
namespace {

// Of a profile on a machine that does nothing else.
constexpr double kCpuShareMin = 0.97;

struct Flags {
  WorkloadOptions workload{"out/quickstart/trace/trace.csv",
                           "out/quickstart/tables", "auto", 60, 1};
  std::string definitions = "config/rees46.textproto";
  std::string out = "out/simulate";
  std::string policies = "slo_aware,edf,fifo,stale_then_refresh,eager_fifo";
  std::vector<double> loads = {0.5, 0.9, 2};
  std::vector<double> slos_ms = {30};
  std::vector<uint64_t> seeds = {1};
  double gap_ms = 0;
  double guard_ms = 2;
  uint32_t workers = 2;
  uint32_t batch = 1;
  std::string times;
  double profile_seconds = 5;
};

// Views of a prepared slice, and the ranker that all its runs share.
class SimulatedSlice {
 public:
  SimulatedSlice(const PreparedSlice& prepared, const StringPool& pool,
                 const SliceFunction& function)
      : prepared_(prepared),
        shapes_(ShapesOf(function, View(pool))),
        shaped_{View(pool), shapes_},
        ranker_(shaped_.view.trace, pool, prepared.set, prepared.models,
                function.table(), ScoreOptions{}) {}

  const ShapedSlice& shaped() const { return shaped_; }
  const PreparedSlice& prepared() const { return prepared_; }
  StateRanker* ranker() { return &ranker_; }

 private:
  SliceView View(const StringPool& pool) const {
    const Slice& slice = prepared_.slice;
    return {{prepared_.clicks, slice.warm_up.size(),
             slice.warm_up.size() + slice.queries.size()},
            &pool,
            &prepared_.set};
  }

  const PreparedSlice& prepared_;
  const std::vector<base::JobShape> shapes_;
  const ShapedSlice shaped_;
  StateRanker ranker_;
};

// What a file of times has to agree with.
absl::Status CheckProfile(const TimeProfile& profile,
                          const SliceFunction& function, const Flags& flags) {
  const auto differs = [&](absl::string_view what, const auto& has,
                           const auto& needs) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--times: ", flags.times, " is of ", what, " ", has, ", not of ", needs,
        ": name a file that is not there yet "
        "to have it measured"));
  };
  if (profile.function != function.name()) {
    return differs("function", profile.function, function.name());
  }
  if (profile.table_rows != function.table()->rows()) {
    return differs("table_rows", profile.table_rows, function.table()->rows());
  }
  if (profile.workers != flags.workers) {
    return differs("workers", profile.workers, flags.workers);
  }
  if (profile.batch_max() < std::min(flags.batch, function.batch_max())) {
    return differs("batches up to", profile.batch_max(), flags.batch);
  }
  return absl::OkStatus();
}

// The file where there is one, else measured now (and written there).
absl::StatusOr<TimeProfile> TimesFor(const SliceFunction& function,
                                     const ShapedSlice& slice,
                                     const Flags& flags) {
  if (!flags.times.empty() && std::filesystem::exists(flags.times)) {
    FRESHLINE_ASSIGN_OR_RETURN(TimeProfile profile, LoadProfile(flags.times));
    FRESHLINE_RETURN_IF_ERROR(CheckProfile(profile, function, flags));
    Say(absl::StrCat("run times of ", flags.times, " (", profile.source, ", ",
                     profile.kernel, ")"));
    return profile;
  }
  Say(absl::StrCat("timing ", function.name(), " on the slice's users for ",
                   flags.profile_seconds, " s, ", flags.workers,
                   " at once: keep the machine quiet"));
  ProfileRunOptions options;
  options.workers = flags.workers;
  options.batch_max = flags.batch;
  options.duration = base::FromMillis(flags.profile_seconds * 1e3);
  FRESHLINE_ASSIGN_OR_RETURN(TimeProfile profile,
                             MeasureProfile(function, slice.view, slice.shapes,
                                            options, base::Clock::Real()));
  if (profile.cpu_share < kCpuShareMin) {
    Say(absl::StrFormat(
        "the machine was busy: the runs had a processor for %.0f %% of their "
        "time only, so that they took too long and load 1 is too low",
        100 * profile.cpu_share));
  }
  if (!flags.times.empty()) {
    FRESHLINE_RETURN_IF_ERROR(SaveProfile(profile, flags.times));
    Say("wrote " + flags.times);
  }
  return profile;
}

// What is timed, and what load 1 is: the mix of the trace itself.
struct Calibrated {
  ProfiledTimes times;
  double rows_per_second = 0;
};

absl::StatusOr<Calibrated> Calibrate(const Workload& workload,
                                     const SliceFunction& function,
                                     const Flags& flags) {
  FRESHLINE_ASSIGN_OR_RETURN(const Slice slice, workload.Cut(1));
  std::vector<Click> clicks = slice.warm_up;
  clicks.insert(clicks.end(), slice.queries.begin(), slice.queries.end());
  const ScoringTrace trace{clicks, slice.warm_up.size(), clicks.size()};
  FRESHLINE_ASSIGN_OR_RETURN(const QuerySet set, FindTruths(trace));
  const SliceView view{trace, &workload.pool(), &set};
  const std::vector<base::JobShape> shapes = ShapesOf(function, view);
  FRESHLINE_ASSIGN_OR_RETURN(const TimeProfile profile,
                             TimesFor(function, {view, shapes}, flags));
  Calibrated calibrated{ProfiledTimes(profile), 0};
  std::string by_scans;
  for (uint32_t scans = 0; scans <= TimeProfile::kScansMax; ++scans) {
    const auto found = profile.times.find({scans, 1});
    if (found == profile.times.end()) continue;
    absl::StrAppendFormat(
        &by_scans, "%s%u: %.2f (%u runs)", by_scans.empty() ? "" : ", ", scans,
        base::ToMillis(calibrated.times.Mean(scans, 1)), found->second.size());
  }
  const double mean_ms =
      base::ToMillis(MeanTime({view, shapes}, calibrated.times));
  calibrated.rows_per_second = flags.workers * 1e3 / mean_ms;
  Say("ms a row by interests: " + by_scans);
  Say(absl::StrFormat("load 1 is %.0f rows/s: %u workers, %.2f ms a row",
                      calibrated.rows_per_second, flags.workers, mean_ms));
  return calibrated;
}

absl::StatusOr<RunReport> SimulateOne(const Workload& workload, double load,
                                      double superpose,
                                      const ProfiledTimes& times,
                                      const SliceRunOptions& options,
                                      SimulatedSlice* slice) {
  FRESHLINE_ASSIGN_OR_RETURN(
      SliceRun run, RunSlice(slice->shaped(), times, slice->prepared().models,
                             options, slice->ranker()));
  RunReport& r = run.report;
  const Slice& cut = slice->prepared().slice;
  r.trace = {workload.options().trace,
             workload.sha256(),
             cut.queries.size(),
             cut.users,
             workload.table().rows(),
             superpose,
             workload.table().rows() - workload.table().items()};
  r.load = load;
  r.duration_s = static_cast<double>(workload.slice_seconds());
  r.violations_upper95 = ClopperPearsonUpper(r.violations, r.queries);
  Say(absl::StrFormat("%s, load %g, SLO %g ms: actions %016x", r.policy, load,
                      r.slo_ms, run.actions_hash));
  return std::move(r);
}

absl::Status SimulateSeed(const Flags& flags, Workload* workload,
                          const SliceFunction& function,
                          const Calibrated& calibrated,
                          std::vector<RunReport>* runs) {
  const std::vector<std::string> policies = absl::StrSplit(flags.policies, ',');
  for (const double load : flags.loads) {
    const double superpose =
        load * calibrated.rows_per_second / workload->natural_rate();
    Say(absl::StrFormat("load %g is %.2f times the trace; scoring its models",
                        load, superpose));
    FRESHLINE_ASSIGN_OR_RETURN(const PreparedSlice* prepared,
                               workload->Prepare(superpose));
    SimulatedSlice slice(*prepared, workload->pool(), function);
    for (const double slo_ms : flags.slos_ms) {
      for (const std::string& policy : policies) {
        SliceRunOptions options;
        FRESHLINE_ASSIGN_OR_RETURN(options.policy,
                                   schedule::FindPolicy(policy));
        options.workers = flags.workers;
        options.batch_max = std::min(flags.batch, function.batch_max());
        options.slo = base::FromMillis(slo_ms);
        options.guard = base::FromMillis(flags.guard_ms);
        options.gap = base::FromMillis(flags.gap_ms);
        options.seed = workload->options().seed;
        FRESHLINE_ASSIGN_OR_RETURN(
            RunReport run, SimulateOne(*workload, load, superpose,
                                       calibrated.times, options, &slice));
        runs->push_back(std::move(run));
      }
    }
  }
  return absl::OkStatus();
}

std::string ValueTable(const std::vector<RunReport>& runs) {
  std::string table =
      absl::StrFormat("%-19s %4s %5s %9s %8s %8s %7s\n", "policy", "SLO",
                      "load", "captured", "bound", "of bound", "rows/q");
  for (const RunReport& r : runs) {
    const double captured = r.quality.value_captured.value_or(0);
    const std::optional<double> bound = r.quality.value_bound;
    absl::StrAppendFormat(
        &table, "%-19s %4.0f %5.2f %8.1f%% %8s %8s %7.3f\n", r.policy, r.slo_ms,
        r.load, 100 * captured,
        bound ? absl::StrFormat("%.1f%%", 100 * *bound) : "-",
        bound ? absl::StrFormat("%.1f%%", 100 * captured / *bound) : "-",
        static_cast<double>(r.featurizations) /
            static_cast<double>(std::max<uint64_t>(1, r.queries)));
  }
  return table;
}

absl::Status Simulate(const Invocation& call, Flags flags) {
  FRESHLINE_ASSIGN_OR_RETURN(
      const std::unique_ptr<SliceFunction> function,
      SliceFunction::Load(flags.definitions, flags.workload.tables,
                          "next_items"));
  std::vector<RunReport> runs;
  std::optional<Calibrated> calibrated;
  for (const uint64_t seed : flags.seeds) {
    flags.workload.seed = seed;
    FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Workload> workload,
                               LoadWorkload(flags.workload));
    if (!calibrated.has_value()) {
      FRESHLINE_ASSIGN_OR_RETURN(calibrated,
                                 Calibrate(*workload, *function, flags));
    }
    FRESHLINE_RETURN_IF_ERROR(
        SimulateSeed(flags, workload.get(), *function, *calibrated, &runs));
  }
  FRESHLINE_RETURN_IF_ERROR(WriteRuns(call, runs, flags.out));
  std::cout << ReportTable(runs) << "\n" << ValueTable(runs);
  Say("wrote " + flags.out + "/report.json and report.html");
  return absl::OkStatus();
}

void AddWorkload(CLI::App* sub, Flags* f) {
  AddTraceFlags(sub, &f->workload);
  AddSliceFlag(sub, &f->workload);
  sub->add_option("--definitions", f->definitions,
                  "Definitions of next_items, which is simulated")
      ->capture_default_str();
  sub->add_option("--seeds", f->seeds, "Of the jitter and the run times")
      ->delimiter(',')
      ->capture_default_str();
}

}  // namespace

void AddSimulate(CLI::App* app, const Invocation& call, Run* run) {
  CLI::App* sub = app->add_subcommand(
      "simulate",
      "Run the daemon's policies over a slice in virtual time, with run times "
      "of the real function, and score the lists it would have served. The "
      "times are of a profile taken now or of --times, beside no daemon and no "
      "client: they are not those of a recorded live run. Nothing else takes "
      "time, so that no answer is late; quote no figure without a live run "
      "that agrees. Equal actions hashes mean equal decisions");
  auto f = std::make_shared<Flags>();
  AddWorkload(sub, f.get());
  sub->add_option("--policies", f->policies, "Separated by commas")
      ->capture_default_str();
  sub->add_option("--loads", f->loads, "1 is what the workers can compute")
      ->delimiter(',')
      ->check(CLI::Range(0.01, 100.0))
      ->capture_default_str();
  sub->add_option("--slo", f->slos_ms, "Milliseconds")
      ->delimiter(',')
      ->check(CLI::Range(0.1, 60'000.0))
      ->capture_default_str();
  sub->add_option("--gap", f->gap_ms,
                  "Milliseconds from a click's push to its query; 0: the "
                  "query carries it")
      ->capture_default_str();
  sub->add_option("--guard-ms", f->guard_ms,
                  "Milliseconds before its deadline that an answer leaves")
      ->capture_default_str();
  sub->add_option("--workers", f->workers,
                  "Virtual workers; so many threads "
                  "are timed at once")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  sub->add_option("--batch", f->batch, "Rows computed together, at most")
      ->check(CLI::Range(1U, TimeProfile::kBatchMax))
      ->capture_default_str();
  sub->add_option("--times", f->times,
                  "File of run times: used where it exists (whether of a "
                  "profile or recorded), else written");
  sub->add_option("--profile-seconds", f->profile_seconds,
                  "How long the function is timed")
      ->check(CLI::Range(0.1, 10.0))
      ->capture_default_str();
  sub->add_option("--out", f->out, "Directory for report.json and report.html")
      ->capture_default_str();
  sub->callback(
      [f, call, run] { *run = [f, call] { return Simulate(call, *f); }; });
}

}  // namespace freshline::bench
