// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "bench/commands/commands.h"
#include "bench/commands/simulated_slice.h"
#include "bench/commands/study_command.h"
#include "bench/commands/workload_flags.h"
#include "bench/replay/workload.h"
#include "bench/report/run_report.h"
#include "bench/score/state_ranker.h"
#include "bench/shelf/shelf.h"
#include "bench/sim/trace/condition_options.h"
#include "bench/sim/trace/slice_function.h"
#include "bench/sim/trace/slice_simulation.h"
#include "bench/sim/trace/time_profile.h"
#include "bench/study/plan.h"
#include "schedule/policies.h"

namespace freshline::bench {
namespace {

struct Flags {
  WorkloadOptions workload{"out/quickstart/trace/trace.csv",
                           "out/quickstart/tables", "auto", 60, 1};
  std::string definitions = "config/rees46.textproto";
  std::string out = "out/simulate";
  std::string policies = "slo_aware,edf,fifo,stale_then_refresh,eager_fifo";
  bool list_policies = false;
  std::vector<double> loads = {0.5, 0.9, 2};
  std::vector<double> slos_ms = {30};
  std::vector<uint64_t> seeds = {1};
  double gap_ms = 0;
  double guard_ms = 2;
  std::string metric;
  bool approximate = false;
  TimesOptions times;
  std::string study;
  bool dry_run = false;
  uint32_t threads = 2;
};

absl::StatusOr<RunReport> SimulateOne(const Workload& workload, double load,
                                      double superpose,
                                      const ProfiledTimes& times,
                                      const SliceRunOptions& options,
                                      const std::string& metric,
                                      SimulatedSlice* slice) {
  FRESHLINE_ASSIGN_OR_RETURN(SliceRun run, slice->Run(times, options));
  DescribeSlice(workload, superpose, load, *slice, &run.report);
  run.report.metric = metric;
  const RunReport& r = run.report;
  Say(absl::StrFormat("%s, load %g, SLO %g ms: actions %016x", r.policy, load,
                      r.slo_ms, run.actions_hash));
  return std::move(run.report);
}

// "all", "shelf" (those that the daemon does not have), or names.
absl::StatusOr<std::vector<schedule::PolicyConfig>> PoliciesOf(
    const std::string& names) {
  const schedule::PolicyCatalogue catalogue = ShelfCatalogue();
  const std::span<const schedule::PolicyConfig> all = catalogue.policies();
  std::vector<schedule::PolicyConfig> policies;
  if (names == "all" || names == "shelf") {
    const size_t skipped = names == "all" ? 0 : schedule::PolicyNames().size();
    policies.assign(all.begin() + static_cast<ptrdiff_t>(skipped), all.end());
    return policies;
  }
  for (const absl::string_view name : absl::StrSplit(names, ',')) {
    FRESHLINE_ASSIGN_OR_RETURN(schedule::PolicyConfig policy,
                               catalogue.Find(name));
    policies.push_back(std::move(policy));
  }
  return policies;
}

absl::Status SimulateSeed(const Flags& flags,
                          const std::vector<schedule::PolicyConfig>& policies,
                          Workload* workload, const SliceFunction& function,
                          const Calibrated& calibrated,
                          std::vector<RunReport>* runs) {
  for (const double load : flags.loads) {
    const double superpose =
        load * calibrated.rows_per_second / workload->natural_rate();
    Say(absl::StrFormat("load %g is %.2f times the trace; scoring its models",
                        load, superpose));
    FRESHLINE_ASSIGN_OR_RETURN(const PreparedSlice* prepared,
                               workload->Prepare(superpose));
    SimulatedSlice slice(*prepared, *workload, function, ScoreOptions{});
    for (const double slo_ms : flags.slos_ms) {
      for (const schedule::PolicyConfig& policy : policies) {
        Condition at;
        at.metric = flags.metric;
        at.gap_ms = flags.gap_ms;
        at.approximate = flags.approximate;
        at.batch_max = std::min(flags.times.batch_max, function.batch_max());
        at.slo_ms = slo_ms;
        FRESHLINE_ASSIGN_OR_RETURN(
            const SliceRunOptions options,
            OptionsOf(at, workload->options().seed, policy, workload->shape(),
                      {flags.times.workers, base::FromMillis(flags.guard_ms),
                       function.approximation()}));
        FRESHLINE_ASSIGN_OR_RETURN(
            RunReport run,
            SimulateOne(*workload, load, superpose, calibrated.times, options,
                        flags.metric, &slice));
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
  if (flags.list_policies) {
    const schedule::PolicyCatalogue catalogue = ShelfCatalogue();
    for (const schedule::PolicyConfig& policy : catalogue.policies()) {
      std::cout << absl::StrFormat("%-26s %s\n", policy.name, policy.summary);
    }
    return absl::OkStatus();
  }
  flags.times.definitions = flags.definitions;
  if (!flags.study.empty()) {
    flags.workload.workload.clear();  // it has its own
    return Study(call,
                 {flags.study, flags.workload, flags.definitions, flags.times,
                  flags.guard_ms, flags.threads, flags.out, flags.dry_run},
                 ShelfCatalogue());
  }
  FRESHLINE_ASSIGN_OR_RETURN(const std::vector<schedule::PolicyConfig> policies,
                             PoliciesOf(flags.policies));
  FRESHLINE_ASSIGN_OR_RETURN(
      const std::unique_ptr<SliceFunction> function,
      SliceFunction::Load(flags.definitions, flags.workload.tables,
                          "next_items"));
  std::vector<RunReport> runs;
  std::optional<Calibrated> calibrated;
  const auto book = std::make_shared<ListBook>(function->table());
  for (const uint64_t seed : flags.seeds) {
    flags.workload.seed = seed;
    FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Workload> workload,
                               LoadWorkload(flags.workload, book));
    if (!calibrated.has_value()) {
      FRESHLINE_ASSIGN_OR_RETURN(calibrated,
                                 Calibrate(*workload, *function, flags.times));
    }
    FRESHLINE_RETURN_IF_ERROR(SimulateSeed(flags, policies, workload.get(),
                                           *function, *calibrated, &runs));
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

void AddTimes(CLI::App* sub, Flags* f) {
  sub->add_option("--times", f->times.file,
                  "File of run times: used where it exists (of a profile, or "
                  "the decision log of replay --record), else written");
  sub->add_option("--times-last", f->times.last_s,
                  "Of a decision log, take its last seconds only: those of "
                  "the slice, which come after the warm-up")
      ->check(CLI::Range(0.0, 86'400.0));
  sub->add_flag("--steady-times", f->times.steady,
                "Every run takes the mean of its size, so that nothing can be "
                "known of it beforehand: what is left between a policy and the "
                "bound is the policy's");
  sub->add_option("--profile-seconds", f->times.profile_seconds,
                  "How long the function is timed")
      ->check(CLI::Range(0.1, 10.0))
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
  sub->add_option("--policies", f->policies,
                  "Separated by commas; all; or shelf, which are those that "
                  "the daemon does not have")
      ->capture_default_str();
  sub->add_flag("--list-policies", f->list_policies,
                "List the policies and do nothing else");
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
  sub->add_option("--metric", f->metric,
                  "What the policies weigh: share (default), pending, age, "
                  "curve:FILE, learned (from outcomes that callers report, "
                  "whether the next click was in their list), learned:FILE "
                  "or sql:EXPRESSION; docs/staleness.md");
  sub->add_flag("--approximate", f->approximate,
                "Stale answers are approximated, as the definitions say, "
                "under every policy");
  sub->add_option("--workers", f->times.workers,
                  "Virtual workers; so many threads "
                  "are timed at once")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  sub->add_option("--batch", f->times.batch_max,
                  "Rows computed together, at most")
      ->check(CLI::Range(1U, TimeProfile::kBatchMax))
      ->capture_default_str();
  AddTimes(sub, f.get());
  sub->add_option("--study", f->study,
                  "quick (minutes) or full (an hour): policies, loads, SLOs, "
                  "seeds, workloads and settings of its own, whatever else "
                  "was said of them. Writes study.json, report.json and "
                  "report.html; what it has run is kept in the directory, so "
                  "that it goes on where it was broken off")
      ->check(CLI::IsMember(StudyNames()));
  sub->add_flag("--dry-run", f->dry_run,
                "With --study: say what it would run, and run nothing");
  sub->add_option("--threads", f->threads,
                  "Slices of a study that are worked on at once")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  sub->add_option("--out", f->out, "Directory for report.json and report.html")
      ->capture_default_str();
  sub->callback(
      [f, call, run] { *run = [f, call] { return Simulate(call, *f); }; });
}

}  // namespace freshline::bench
