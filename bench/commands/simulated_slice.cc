// SPDX-License-Identifier: Apache-2.0
#include "bench/commands/simulated_slice.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "bench/commands/commands.h"
#include "bench/sim/trace/profile_run.h"
#include "bench/stats/violations.h"
#include "bench/study/cache.h"
#include "bench/whatif/recorded_run.h"
#include "record/block.h"
#include "record/fingerprint.h"
#include "registry/textproto.h"

namespace freshline::bench {
namespace {

// Of a profile on a machine that does nothing else.
constexpr double kCpuShareMin = 0.97;

// The times of one group's runs in a decision log.
absl::StatusOr<TimeProfile> RecordedProfile(const RecordedRun& run,
                                            const std::string& group) {
  std::optional<uint32_t> id;
  for (int g = 0; g < run.header.groups_size(); ++g) {
    if (run.header.groups(g).name() == group) id = static_cast<uint32_t>(g);
  }
  if (!id) {
    return absl::InvalidArgumentError(
        absl::StrCat("--times: the log has no group \"", group, "\""));
  }
  TimeProfile profile;
  profile.source = "recorded";
  profile.function = group;
  profile.table_rows = run.header.table_rows();
  profile.kernel = run.header.kernel();
  profile.workers = run.header.workers();
  profile.overheads.assign(
      run.overheads.begin() + static_cast<ptrdiff_t>(run.overheads_begin),
      run.overheads.end());
  std::sort(profile.overheads.begin(), profile.overheads.end());
  // The newest of each size, as many as a profile holds.
  const auto take = [&](const estimate::Observation& one) {
    if (base::ToInt(one.shape.group) != *id) return;
    if (one.batch > TimeProfile::kBatchMax) return;
    std::vector<base::Duration>& times = profile.times[{
        std::min(one.shape.scans, TimeProfile::kScansMax), one.batch}];
    if (times.size() < TimeProfile::kTimesMax) {
      times.push_back(std::max(one.time, base::Duration(1)));
    }
  };
  std::for_each(run.runs.rbegin(),
                run.runs.rend() - static_cast<ptrdiff_t>(run.runs_begin), take);
  const bool alone =
      std::any_of(profile.times.begin(), profile.times.end(),
                  [](const auto& sized) { return sized.first.second == 1; });
  if (!alone) std::for_each(run.seeds.begin(), run.seeds.end(), take);
  if (profile.overheads.size() > TimeProfile::kTimesMax) {
    std::vector<base::Duration> some;
    const size_t step = profile.overheads.size() / TimeProfile::kTimesMax + 1;
    for (size_t i = 0; i < profile.overheads.size(); i += step) {
      some.push_back(profile.overheads[i]);
    }
    profile.overheads = std::move(some);
  }
  return profile;
}

// What a file of times has to agree with.
absl::Status CheckProfile(const TimeProfile& profile,
                          const SliceFunction& function,
                          const TimesOptions& options) {
  const auto differs = [&](absl::string_view what, const auto& has,
                           const auto& needs) {
    return absl::InvalidArgumentError(
        absl::StrCat("--times: ", options.file, " is of ", what, " ", has,
                     ", not of ", needs,
                     ": name a file that is not there yet "
                     "to have it measured"));
  };
  if (profile.function != function.name()) {
    return differs("function", profile.function, function.name());
  }
  if (profile.table_rows != function.table()->rows()) {
    return differs("table_rows", profile.table_rows, function.table()->rows());
  }
  if (profile.workers != options.workers) {
    return differs("workers", profile.workers, options.workers);
  }
  if (profile.batch_max() < std::min(options.batch_max, function.batch_max())) {
    return differs("batches up to", profile.batch_max(), options.batch_max);
  }
  return absl::OkStatus();
}

// Of a file as SaveProfile() writes it, or of a daemon's decision log.
absl::StatusOr<TimeProfile> LoadTimes(const TimesOptions& flags,
                                      const SliceFunction& function) {
  const std::string& file = flags.file;
  std::ifstream in(file, std::ios::binary);
  char magic[sizeof record::kMagic] = {};
  in.read(magic, sizeof magic);
  if (std::memcmp(magic, record::kMagic, sizeof magic) != 0) {
    return LoadProfile(file);
  }
  FRESHLINE_ASSIGN_OR_RETURN(RecordedRun run, LoadRecordedRun(file));
  const base::Duration skip = run.span - base::FromMillis(flags.last_s * 1e3);
  if (flags.last_s > 0 && skip > base::Duration::zero()) {
    FRESHLINE_ASSIGN_OR_RETURN(run, LoadRecordedRun(file, skip));
  }
  if (run.end != "closed") Say(absl::StrCat(file, " is ", run.end));
  FRESHLINE_ASSIGN_OR_RETURN(const std::string text,
                             registry::ReadTextFile(flags.definitions));
  record::Fingerprint fingerprint;
  fingerprint.Add(text);
  if (run.header.definitions() != fingerprint.hex()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--times: ", file, " was recorded with other definitions (",
        run.header.definitions(), ", not ", fingerprint.hex(),
        "), so that its times may be of another featurizer: record anew, or "
        "name the definitions that it was recorded with"));
  }
  return RecordedProfile(run, function.name());
}

// The file where there is one, else measured now (and written there).
absl::StatusOr<TimeProfile> TimesFor(const SliceFunction& function,
                                     const ShapedSlice& slice,
                                     const TimesOptions& flags) {
  if (!flags.file.empty() && std::filesystem::exists(flags.file)) {
    FRESHLINE_ASSIGN_OR_RETURN(TimeProfile profile, LoadTimes(flags, function));
    FRESHLINE_RETURN_IF_ERROR(CheckProfile(profile, function, flags));
    Say(absl::StrCat("run times of ", flags.file, " (", profile.source, ", ",
                     profile.kernel, ")"));
    return profile;
  }
  Say(absl::StrCat("timing ", function.name(), " on the slice's users for ",
                   flags.profile_seconds, " s, ", flags.workers,
                   " at once: keep the machine quiet"));
  ProfileRunOptions options;
  options.workers = flags.workers;
  options.batch_max = flags.batch_max;
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
  if (!flags.file.empty()) {
    FRESHLINE_RETURN_IF_ERROR(SaveProfile(profile, flags.file));
    Say("wrote " + flags.file);
  }
  return profile;
}

// The same, but that all runs of a size take their mean.
TimeProfile Steady(TimeProfile profile) {
  for (auto& [size, times] : profile.times) {
    base::Duration sum{};
    for (const base::Duration time : times) sum += time;
    times.assign(1, sum / static_cast<int64_t>(times.size()));
  }
  return profile;
}

// The workload's slice as it is, unscored. Views of its own members.
struct PlainSlice {
  std::vector<Click> clicks;
  QuerySet set;
  SliceView view;
  std::vector<base::JobShape> shapes;

  ShapedSlice shaped() const { return {view, shapes}; }
};

absl::StatusOr<std::unique_ptr<PlainSlice>> CutPlain(
    const Workload& workload, const SliceFunction& function) {
  FRESHLINE_ASSIGN_OR_RETURN(const Slice slice, workload.CutMix(1));
  auto plain = std::make_unique<PlainSlice>();
  plain->clicks = slice.warm_up;
  plain->clicks.insert(plain->clicks.end(), slice.queries.begin(),
                       slice.queries.end());
  const ScoringTrace trace{plain->clicks, slice.warm_up.size(),
                           plain->clicks.size()};
  FRESHLINE_ASSIGN_OR_RETURN(plain->set, FindTruths(trace));
  plain->view = {trace, &workload.pool(), &plain->set};
  plain->shapes = ShapesOf(function, plain->view);
  return plain;
}

// Of rows drawn from `shapes`: a batch takes as long as its average row's
// passes say (base::BatchShape).
double BatchSpeedup(const std::vector<base::JobShape>& shapes,
                    const ProfiledTimes& times, uint32_t batch_max) {
  constexpr double kLimitMs = 30;
  double scans = 0;
  double alone_ms = 0;
  for (const base::JobShape& shape : shapes) {
    scans += shape.scans;
    alone_ms += base::ToMillis(times.Mean(shape.scans, 1));
  }
  const auto rows = static_cast<double>(shapes.size());
  const auto mean_scans = static_cast<uint32_t>(std::ceil(scans / rows));
  double best = 1;
  for (uint32_t batch = 2; batch <= batch_max; ++batch) {
    const double ms = base::ToMillis(times.Mean(mean_scans, batch));
    if (ms > kLimitMs) break;
    best = std::max(best, batch * alone_ms / rows / ms);
  }
  return best;
}

}  // namespace

SimulatedSlice::SimulatedSlice(const PreparedSlice& prepared,
                               const Workload& workload,
                               const SliceFunction& function,
                               const ScoreOptions& options)
    : prepared_(prepared),
      shapes_(ShapesOf(function, View(workload.pool()))),
      shaped_{View(workload.pool()), shapes_, prepared.slice.storm},
      ranker_(shaped_.view.trace, workload.pool(), prepared.set,
              prepared.models, workload.book(), options) {}

double SimulatedSlice::BoundOf(const ProfiledTimes& times,
                               const SliceRunOptions& options) {
  const auto [bound, made] =
      bounds_.try_emplace({options.slo, options.gap, options.batch_max,
                           options.workers, options.seed});
  if (made) bound->second = ValueBound(shaped_, times, options);
  return bound->second;
}

absl::StatusOr<SliceRun> SimulatedSlice::Run(const ProfiledTimes& times,
                                             SliceRunOptions options) {
  options.value_bound = BoundOf(times, options);
  return RunSlice(shaped_, times, prepared_.models, options, &ranker_);
}

SliceView SimulatedSlice::View(const StringPool& pool) const {
  const Slice& slice = prepared_.slice;
  return {{prepared_.clicks, slice.warm_up.size(),
           slice.warm_up.size() + slice.queries.size()},
          &pool,
          &prepared_.set};
}

absl::StatusOr<Calibrated> Calibrate(const Workload& workload,
                                     const SliceFunction& function,
                                     const TimesOptions& options) {
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<PlainSlice> slice,
                             CutPlain(workload, function));
  FRESHLINE_ASSIGN_OR_RETURN(TimeProfile profile,
                             TimesFor(function, slice->shaped(), options));
  if (options.steady) profile = Steady(profile);
  Calibrated calibrated{ProfiledTimes(profile),
                        StudyDigest(FormatProfile(profile)), 1, 0};
  calibrated.batch_speedup =
      BatchSpeedup(slice->shapes, calibrated.times, options.batch_max);
  std::string by_scans;
  for (uint32_t scans = 0; scans <= TimeProfile::kScansMax; ++scans) {
    const auto found = profile.times.find({scans, 1});
    if (found == profile.times.end()) continue;
    absl::StrAppendFormat(
        &by_scans, "%s%u: %.2f (%u runs)", by_scans.empty() ? "" : ", ", scans,
        base::ToMillis(calibrated.times.Mean(scans, 1)), found->second.size());
  }
  const double mean_ms =
      base::ToMillis(MeanTime(slice->shaped(), calibrated.times));
  calibrated.rows_per_second = options.workers * 1e3 / mean_ms;
  Say("ms a row by interests: " + by_scans);
  Say(absl::StrFormat("load 1 is %.0f rows/s: %u workers, %.2f ms a row",
                      calibrated.rows_per_second, options.workers, mean_ms));
  return calibrated;
}

absl::StatusOr<double> RowsPerSecond(const Workload& workload,
                                     const SliceFunction& function,
                                     const ProfiledTimes& times,
                                     uint32_t workers) {
  FRESHLINE_ASSIGN_OR_RETURN(const std::unique_ptr<PlainSlice> slice,
                             CutPlain(workload, function));
  return workers * 1e3 / base::ToMillis(MeanTime(slice->shaped(), times));
}

void DescribeSlice(const Workload& workload, double superpose, double load,
                   const SimulatedSlice& slice, RunReport* report) {
  const Slice& cut = slice.prepared().slice;
  report->trace = {workload.options().trace,
                   workload.sha256(),
                   cut.queries.size(),
                   cut.users,
                   workload.table().rows(),
                   superpose,
                   workload.table().rows() - workload.table().items()};
  report->workload = workload.shape().Text();
  report->load = load;
  report->duration_s = static_cast<double>(workload.slice_seconds());
  report->violations_upper95 =
      ClopperPearsonUpper(report->violations, report->queries);
}

}  // namespace freshline::bench
