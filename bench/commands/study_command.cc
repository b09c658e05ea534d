// SPDX-License-Identifier: Apache-2.0
#include "bench/commands/study_command.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "bench/commands/workload_flags.h"
#include "bench/report/summary_page.h"
#include "bench/report/verdicts.h"
#include "bench/score/paired.h"
#include "bench/sim/trace/condition_options.h"
#include "bench/study/plan.h"
#include "bench/study/runner.h"
#include "bench/study/summarise.h"
#include "bench/trace/workload_shape.h"
#include "schedule/policies.h"
#include "version/version.h"

namespace freshline::bench {
namespace {

// Traces in memory at once.
constexpr size_t kWorkloadsMax = 6;

StudyChoices ChoicesOf(const SliceFunction& function,
                       const schedule::PolicyCatalogue& catalogue) {
  StudyChoices choices;
  for (const schedule::PolicyConfig& policy : catalogue.policies()) {
    choices.policies[policy.name] = {RoleOf(policy.name), "", policy.summary};
  }
  // By themselves: poster has no name, gaps are an axis of their own, and real
  // rows are another trace.
  for (const NamedWorkload& workload : NamedWorkloads()) {
    if (workload.kind != WorkloadKind::kPoster &&
        workload.kind != WorkloadKind::kReal &&
        workload.kind != WorkloadKind::kGap) {
      choices.workloads.emplace_back(workload.name);
    }
  }
  choices.metrics = {"pending", "age", "learned"};
  choices.batch_max = std::min<uint32_t>(16, function.batch_max());
  choices.approximate = function.approximation().has_value();
  return choices;
}

std::string DigestOfFile(const std::string& path) {
  std::ifstream in(path);
  return StudyDigest(std::string((std::istreambuf_iterator<char>(in)), {}));
}

// A large file by what changes with it.
std::string StampOf(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  const auto written = std::filesystem::last_write_time(path, error);
  return absl::StrCat(size, "@", written.time_since_epoch().count());
}

// What tells this code from other code: a build of no commit by itself.
std::string StampOfCode() {
  std::string commit(version::Commit());
  if (!absl::EndsWith(commit, "-dirty")) return commit;
  return absl::StrCat(commit, " ", StampOf("/proc/self/exe"));
}

// A workload's users come and go within the slice.
std::string FittedTo(int64_t slice_seconds, const std::string& workload) {
  if (workload != "flash_crowd" && workload != "ingest_storm") return workload;
  return absl::StrCat(workload,
                      ":seconds=", std::max<int64_t>(1, slice_seconds / 3));
}

// A trace with the jitter of one seed, and what load 1 is on it.
struct LoadedTrace {
  std::unique_ptr<Workload> workload;
  double rows_per_second = 0;

  double SuperposeOf(double load) const {
    return load * rows_per_second / workload->natural_rate();
  }
};

class TraceSlice;

// Runs cells on slices of the real trace.
class TraceBench final : public StudyBench {
 public:
  // All arguments outlive it.
  TraceBench(const StudyFlags& flags,
             const schedule::PolicyCatalogue& catalogue,
             const SliceFunction& function, const Calibrated& calibrated,
             const std::string& trace_sha256)
      : flags_(flags),
        catalogue_(catalogue),
        function_(function),
        calibrated_(calibrated),
        inputs_(absl::StrCat(
            StampOfCode(), " trace ", trace_sha256, " ", flags.workload.window,
            " ", flags.workload.slice_seconds, "s table ",
            StampOf(flags.workload.tables + "/items.fltab"), " definitions ",
            DigestOfFile(flags.definitions), " times ", calibrated.digest,
            " workers ", flags.times.workers)),
        book_(std::make_shared<ListBook>(function.table())) {}

  std::string SliceFingerprint(const StudyCell& cell) const override {
    return absl::StrFormat("%s seed %d workload %s load %.17g", inputs_,
                           cell.seed, cell.at.workload, cell.at.load);
  }
  std::string RunFingerprint(const StudyCell& cell) const override {
    const Condition& at = cell.at;
    return absl::StrFormat(
        "%s policy %s metric %s slo %.17g gap %.17g batch %d approximate %d "
        "guard %.17g",
        SliceFingerprint(cell), at.policy, at.metric, at.slo_ms, at.gap_ms,
        at.batch_max, at.approximate ? 1 : 0, flags_.guard_ms);
  }
  absl::StatusOr<std::unique_ptr<StudySlice>> Prepare(
      const StudyCell& first) override;

  absl::StatusOr<StudyRun> Run(const StudyCell& cell, const LoadedTrace& trace,
                               SimulatedSlice* slice,
                               const SliceUsers& users) const;
  absl::StatusOr<double> BoundOf(const StudyCell& cell,
                                 const LoadedTrace& trace,
                                 SimulatedSlice* slice) const;
  // Whether any query waits under the policy.
  absl::StatusOr<bool> Waits(const std::string& policy) const;

 private:
  absl::StatusOr<std::shared_ptr<const LoadedTrace>> TraceOf(
      const StudyCell& cell);
  absl::StatusOr<SliceRunOptions> OptionsFor(const StudyCell& cell,
                                             const LoadedTrace& trace) const;

  const StudyFlags& flags_;
  const schedule::PolicyCatalogue& catalogue_;
  const SliceFunction& function_;
  const Calibrated& calibrated_;
  const std::string inputs_;
  // Of all slices, which are of the same clicks.
  const std::shared_ptr<ListBook> book_;
  base::Mutex mu_;
  // The most recently used first.
  using TraceKey = std::pair<uint64_t, std::string>;  // seed and workload
  std::list<std::pair<TraceKey, std::shared_ptr<const LoadedTrace>>> traces_
      ABSL_GUARDED_BY(mu_);
};

class TraceSlice final : public StudySlice {
 public:
  TraceSlice(const TraceBench* bench, std::shared_ptr<const LoadedTrace> trace,
             std::unique_ptr<PreparedSlice> prepared,
             const SliceFunction& function, const ScoreOptions& options)
      : bench_(bench),
        trace_(std::move(trace)),
        prepared_(std::move(prepared)),
        slice_(*prepared_, *trace_->workload, function, options) {
    const auto row = [&](ModelRow r) -> const Ranks& {
      return prepared_->models[static_cast<size_t>(r)];
    };
    users_ = CountUsers(slice_.shaped().view.trace, prepared_->set,
                        row(ModelRow::kNever), row(ModelRow::kFresh));
  }

  const SliceUsers& users() const override { return users_; }
  absl::StatusOr<StudyRun> Run(const StudyCell& cell) override {
    FRESHLINE_ASSIGN_OR_RETURN(const bool waits, bench_->Waits(cell.at.policy));
    if (waits) return bench_->Run(cell, *trace_, &slice_, users_);
    // Who answers at once answers the same under every SLO.
    Condition any_slo = cell.at;
    any_slo.slo_ms = 0;
    const auto known = at_once_.find(any_slo);
    if (known != at_once_.end()) {
      StudyRun run = known->second;
      run.report.slo_ms = cell.at.slo_ms;
      FRESHLINE_ASSIGN_OR_RETURN(run.report.quality.value_bound,
                                 bench_->BoundOf(cell, *trace_, &slice_));
      return run;
    }
    FRESHLINE_ASSIGN_OR_RETURN(StudyRun run,
                               bench_->Run(cell, *trace_, &slice_, users_));
    at_once_.emplace(any_slo, run);
    return run;
  }

 private:
  const TraceBench* const bench_;
  const std::shared_ptr<const LoadedTrace> trace_;
  const std::unique_ptr<PreparedSlice> prepared_;
  SimulatedSlice slice_;
  SliceUsers users_;
  std::map<Condition, StudyRun> at_once_;
};

absl::StatusOr<std::shared_ptr<const LoadedTrace>> TraceBench::TraceOf(
    const StudyCell& cell) {
  // Reading takes seconds and a slice a minute: threads may wait.
  base::MutexLock lock(&mu_);
  for (auto it = traces_.begin(); it != traces_.end(); ++it) {
    if (it->first != TraceKey(cell.seed, cell.at.workload)) continue;
    traces_.splice(traces_.begin(), traces_, it);
    return it->second;
  }
  WorkloadOptions options = flags_.workload;
  options.seed = cell.seed;
  options.workload = FittedTo(options.slice_seconds, cell.at.workload);
  auto trace = std::make_shared<LoadedTrace>();
  FRESHLINE_ASSIGN_OR_RETURN(trace->workload, Workload::Load(options, book_));
  FRESHLINE_ASSIGN_OR_RETURN(
      trace->rows_per_second,
      RowsPerSecond(*trace->workload, function_, calibrated_.times,
                    flags_.times.workers));
  traces_.emplace_front(TraceKey(cell.seed, cell.at.workload),
                        std::move(trace));
  if (traces_.size() > kWorkloadsMax) traces_.pop_back();
  return traces_.front().second;
}

absl::StatusOr<std::unique_ptr<StudySlice>> TraceBench::Prepare(
    const StudyCell& first) {
  FRESHLINE_ASSIGN_OR_RETURN(std::shared_ptr<const LoadedTrace> trace,
                             TraceOf(first));
  ScoreOptions options;
  options.threads = 1;  // others prepare theirs beside it
  FRESHLINE_ASSIGN_OR_RETURN(
      std::unique_ptr<PreparedSlice> prepared,
      trace->workload->Score(trace->SuperposeOf(first.at.load), options));
  return std::make_unique<TraceSlice>(this, std::move(trace),
                                      std::move(prepared), function_, options);
}

absl::StatusOr<SliceRunOptions> TraceBench::OptionsFor(
    const StudyCell& cell, const LoadedTrace& trace) const {
  FRESHLINE_ASSIGN_OR_RETURN(const schedule::PolicyConfig policy,
                             catalogue_.Find(cell.at.policy));
  return OptionsOf(cell.at, cell.seed, policy, trace.workload->shape(),
                   {flags_.times.workers, base::FromMillis(flags_.guard_ms),
                    function_.approximation()});
}

absl::StatusOr<double> TraceBench::BoundOf(const StudyCell& cell,
                                           const LoadedTrace& trace,
                                           SimulatedSlice* slice) const {
  FRESHLINE_ASSIGN_OR_RETURN(const SliceRunOptions options,
                             OptionsFor(cell, trace));
  return slice->BoundOf(calibrated_.times, options);
}

absl::StatusOr<StudyRun> TraceBench::Run(const StudyCell& cell,
                                         const LoadedTrace& trace,
                                         SimulatedSlice* slice,
                                         const SliceUsers& users) const {
  FRESHLINE_ASSIGN_OR_RETURN(const SliceRunOptions options,
                             OptionsFor(cell, trace));
  FRESHLINE_ASSIGN_OR_RETURN(SliceRun run,
                             slice->Run(calibrated_.times, options));
  DescribeSlice(*trace.workload, trace.SuperposeOf(cell.at.load), cell.at.load,
                *slice, &run.report);
  run.report.metric = cell.at.metric;
  return StudyRun{std::move(run.report),
                  HitsByUser(slice->shaped().view.trace, slice->prepared().set,
                             users, run.ranks)};
}

absl::StatusOr<bool> TraceBench::Waits(const std::string& policy) const {
  FRESHLINE_ASSIGN_OR_RETURN(const schedule::PolicyConfig config,
                             catalogue_.Find(policy));
  return config.trigger == schedule::Trigger::kQueryWaits ||
         config.trigger == schedule::Trigger::kQueryWaitsCold;
}

// What holds of every simulated study.
std::vector<std::string> NotesOf(const StudyFlags& flags,
                                 const LoadedTrace& trace) {
  const Workload& workload = *trace.workload;
  return {
      "Simulated: the daemon's own policies and estimator in virtual time, "
      "with run times of the real function. No answer is late and nothing "
      "but rows takes time; latency is from arrival to decision.",
      absl::StrFormat(
          "Load 1 is %.0f rows/s of %d workers; slices of %d s of %s "
          "(sha256 %s), a table of %d rows, %d of them padding.",
          trace.rows_per_second, flags.times.workers, workload.slice_seconds(),
          workload.options().trace, workload.sha256(), workload.table().rows(),
          workload.table().rows() - workload.table().items()),
      "Seeds are of the clicks' sub-second jitter and of the draws of run "
      "times: all of them are of the same clicks."};
}

absl::Status WriteStudy(const Invocation& call, const StudyFlags& flags,
                        const Summary& summary,
                        const std::vector<StudyResult>& results) {
  std::vector<RunReport> runs;
  runs.reserve(results.size());
  for (const StudyResult& result : results) runs.push_back(result.run.report);
  FRESHLINE_RETURN_IF_ERROR(WriteReport(HeaderOf(call), runs, flags.out));
  FRESHLINE_RETURN_IF_ERROR(WriteSummary(summary, flags.out + "/study.json"));
  FRESHLINE_RETURN_IF_ERROR(
      WriteSummaryPage(summary, flags.out + "/report.html"));
  for (const Verdict& v : VerdictsOf(summary)) {
    std::cout << absl::StrFormat("%-16s %s (%s): %s\n", VerdictName(v.state),
                                 v.what, v.target, v.measured);
  }
  Say("wrote " + flags.out + "/study.json, report.json and report.html");
  return absl::OkStatus();
}

}  // namespace

absl::Status Study(const Invocation& call, const StudyFlags& given,
                   const schedule::PolicyCatalogue& catalogue) {
  StudyFlags flags = given;
  FRESHLINE_ASSIGN_OR_RETURN(
      const std::unique_ptr<SliceFunction> function,
      SliceFunction::Load(flags.definitions, flags.workload.tables,
                          "next_items"));
  const StudyChoices choices = ChoicesOf(*function, catalogue);
  FRESHLINE_ASSIGN_OR_RETURN(const StudyPlan plan,
                             PlanStudy(flags.study, choices));
  if (flags.dry_run) {
    std::cout << plan.Outline();
    return absl::OkStatus();
  }
  flags.workload.slice_seconds = plan.slice_seconds;
  flags.times.batch_max = choices.batch_max;
  // Times measured twice are two times: a study that goes on needs the first.
  if (flags.times.file.empty()) flags.times.file = flags.out + "/times.txt";
  LoadedTrace first;
  FRESHLINE_ASSIGN_OR_RETURN(first.workload, LoadWorkload(flags.workload));
  FRESHLINE_ASSIGN_OR_RETURN(
      const Calibrated calibrated,
      Calibrate(*first.workload, *function, flags.times));
  first.rows_per_second = calibrated.rows_per_second;
  TraceBench bench(flags, catalogue, *function, calibrated,
                   first.workload->sha256());
  StudyOptions options;
  options.directory = flags.out;
  options.threads = flags.threads;
  options.progress = Say;
  FRESHLINE_ASSIGN_OR_RETURN(const std::vector<StudyResult> results,
                             RunStudy(plan, options, &bench));
  Say("drawing users for the intervals");
  Summary summary = SummariseStudy(plan.name, HeaderOf(call), choices.policies,
                                   results, BootstrapOptions{1000, 1});
  summary.name = absl::StrCat("the ", plan.name, " study");
  summary.notes = NotesOf(flags, first);
  if (choices.batch_max > 1) {
    summary.figures[kBatchSpeedup] = calibrated.batch_speedup;
  }
  return WriteStudy(call, flags, summary, results);
}

}  // namespace freshline::bench
