// SPDX-License-Identifier: Apache-2.0
#include "bench/commands/simulated_slice.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "bench/commands/commands.h"
#include "bench/sim/trace/profile_run.h"
#include "bench/stats/violations.h"
#include "bench/study/cache.h"

namespace freshline::bench {
namespace {

// Of a profile on a machine that does nothing else.
constexpr double kCpuShareMin = 0.97;

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

// The file where there is one, else measured now (and written there).
absl::StatusOr<TimeProfile> TimesFor(const SliceFunction& function,
                                     const ShapedSlice& slice,
                                     const TimesOptions& flags) {
  if (!flags.file.empty() && std::filesystem::exists(flags.file)) {
    FRESHLINE_ASSIGN_OR_RETURN(TimeProfile profile, LoadProfile(flags.file));
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

// A batch takes as long as the most passes of any of its rows: the mean over
// rows drawn from `shapes` follows from their distribution.
double BatchSpeedup(const std::vector<base::JobShape>& shapes,
                    const ProfiledTimes& times, uint32_t batch_max) {
  constexpr double kLimitMs = 30;
  std::array<double, TimeProfile::kScansMax + 1> share{};
  for (const base::JobShape& shape : shapes) {
    share[std::min(shape.scans, TimeProfile::kScansMax)] +=
        1 / static_cast<double>(shapes.size());
  }
  const auto mean_ms = [&](uint32_t batch) {
    double mean = 0;
    double below = 0;
    for (uint32_t scans = 0; scans < share.size(); ++scans) {
      if (share[scans] == 0) continue;
      const double up_to = below + share[scans];
      const double chance =
          std::pow(up_to, batch) - std::pow(below, batch);  // of the most
      mean += chance * base::ToMillis(times.Mean(scans, batch));
      below = up_to;
    }
    return mean;
  };
  double best = 1;
  for (uint32_t batch = 2; batch <= batch_max; ++batch) {
    const double ms = mean_ms(batch);
    if (ms > kLimitMs) break;
    best = std::max(best, batch * mean_ms(1) / ms);
  }
  return best;
}

}  // namespace

SimulatedSlice::SimulatedSlice(const PreparedSlice& prepared,
                               const StringPool& pool,
                               const SliceFunction& function,
                               const ScoreOptions& options)
    : prepared_(prepared),
      shapes_(ShapesOf(function, View(pool))),
      shaped_{View(pool), shapes_},
      ranker_(shaped_.view.trace, pool, prepared.set, prepared.models,
              function.table(), options) {}

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
  FRESHLINE_ASSIGN_OR_RETURN(const TimeProfile profile,
                             TimesFor(function, slice->shaped(), options));
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
