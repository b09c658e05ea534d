// SPDX-License-Identifier: Apache-2.0
#include "bench/replay/workload.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "bench/trace/shaped_cut.h"
#include "bench/train/train.h"

namespace freshline::bench {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kAutoWindowSeconds = 600;
constexpr int64_t kHistorySeconds = 3600;
constexpr int64_t kLaterSeconds = 1800;

std::string Sha256(const std::string& path) {
  std::string quoted = "'";
  for (const char c : path) {
    if (c == '\'') quoted += "'\\'";
    quoted += c;
  }
  std::FILE* pipe = popen(("sha256sum " + quoted + "'").c_str(), "r");
  if (pipe == nullptr) return "unknown";
  char digest[65] = {};
  const size_t n = std::fread(digest, 1, 64, pipe);
  pclose(pipe);
  return n == 64 ? digest : "unknown";
}

// An error about a file that a flag, or the flag's default, names: where it was
// looked for, and what makes one.
absl::Status SayWhere(const absl::Status& status, absl::string_view flag,
                      const std::string& path) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) return status;
  std::string text(status.message());
  if (!std::filesystem::path(path).is_absolute()) {
    absl::StrAppend(&text, "; ", path,
                    " is looked for from the working "
                    "directory, ",
                    std::filesystem::current_path(error).string());
  }
  absl::StrAppend(&text, ". Name another with ", flag,
                  ", or make it: scripts/quickstart does, and freshline-bench "
                  "generate and train");
  return absl::Status(status.code(), text);
}

}  // namespace

absl::StatusOr<TraceWindow> ResolveWindow(const std::string& trace,
                                          const std::string& window,
                                          double skipped_share_max,
                                          base::TimeUnit time_unit) {
  if (window == "auto") {
    ReadOptions options;
    options.skipped_share_max = skipped_share_max;
    options.time_unit = time_unit;
    return FindPeakWindow(trace, kAutoWindowSeconds, options);
  }
  const size_t plus = window.rfind('+');
  int64_t seconds = 0;
  const absl::StatusOr<int64_t> start_us =
      base::ParseTime(window.substr(0, plus));
  if (plus == std::string::npos || !start_us.ok() ||
      !absl::SimpleAtoi(window.substr(plus + 1), &seconds) || seconds < 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--window: \"", window,
        "\" is neither auto nor of the form 2019-10-01T02:40:00+600"));
  }
  return TraceWindow{*start_us, *start_us + seconds * kSecond, 0};
}

absl::StatusOr<std::unique_ptr<Workload>> Workload::Load(
    const WorkloadOptions& options, std::shared_ptr<ListBook> book) {
  auto workload = std::unique_ptr<Workload>(new Workload(options));
  FRESHLINE_ASSIGN_OR_RETURN(workload->shape_,
                             WorkloadShape::Parse(options.workload));
  workload->trained_until_us_ = TrainedUntil(options.tables);
  if (options.window == "auto" && workload->trained_until_us_.has_value()) {
    const int64_t start = *workload->trained_until_us_;
    workload->window_ = {start, start + kAutoWindowSeconds * kSecond, 0};
  } else {
    const auto window =
        ResolveWindow(options.trace, options.window, options.skipped_share_max,
                      options.time_unit);
    if (!window.ok()) {
      return SayWhere(window.status(), "--trace", options.trace);
    }
    workload->window_ = *window;
  }
  const TraceWindow& window = workload->window_;
  ReadOptions read;
  read.seed = options.seed;
  read.skipped_share_max = options.skipped_share_max;
  read.time_unit = options.time_unit;
  read.since_us = window.start_us - kHistorySeconds * kSecond;
  read.until_us = window.end_us + kLaterSeconds * kSecond;
  auto clicks =
      ReadTrace(options.trace, read, &workload->pool_, &workload->read_report_);
  if (!clicks.ok()) return SayWhere(clicks.status(), "--trace", options.trace);
  workload->clicks_ = *std::move(clicks);
  auto table = featurize::ItemTable::Open(options.tables + "/items.fltab", 0);
  if (!table.ok()) return SayWhere(table.status(), "--tables", options.tables);
  workload->table_ = *std::move(table);
  workload->book_ = book != nullptr
                        ? std::move(book)
                        : std::make_shared<ListBook>(workload->table_);
  const int64_t window_seconds = (window.end_us - window.start_us) / kSecond;
  workload->slice_seconds_ =
      options.slice_seconds == 0
          ? window_seconds
          : std::min(options.slice_seconds, window_seconds);
  const auto in_slice = [&](const Click& c) {
    return c.time_us >= window.start_us &&
           c.time_us < window.start_us + workload->slice_seconds_ * kSecond;
  };
  const auto queries = std::count_if(workload->clicks_.begin(),
                                     workload->clicks_.end(), in_slice);
  if (queries == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--window: no click of ", options.trace, " is in it"));
  }
  workload->natural_rate_ = static_cast<double>(queries) /
                            static_cast<double>(workload->slice_seconds_);
  workload->sha256_ = Sha256(options.trace);
  return workload;
}

SliceOptions Workload::SliceAt(double superpose) const {
  SliceOptions options;
  options.window_start_us = window_.start_us;
  options.window_end_us = window_.end_us;
  options.start_us = window_.start_us;
  options.end_us = window_.start_us + slice_seconds_ * kSecond;
  options.superpose = superpose;
  return options;
}

absl::StatusOr<Slice> Workload::Cut(double superpose) const {
  return CutShaped(clicks_, SliceAt(superpose), shape_, options_.seed);
}

absl::StatusOr<Slice> Workload::CutMix(double superpose) const {
  if (shape_.kind() != WorkloadKind::kFlashCrowd) return Cut(superpose);
  return CutSlice(clicks_, SliceAt(superpose));
}

absl::StatusOr<const PreparedSlice*> Workload::Prepare(double superpose) {
  const auto it = slices_.find(superpose);
  if (it != slices_.end()) return it->second.get();
  FRESHLINE_ASSIGN_OR_RETURN(std::unique_ptr<PreparedSlice> prepared,
                             Score(superpose, ScoreOptions{}));
  const PreparedSlice* result = prepared.get();
  slices_[superpose] = std::move(prepared);
  return result;
}

absl::StatusOr<std::unique_ptr<PreparedSlice>> Workload::Score(
    double superpose, const ScoreOptions& options) const {
  auto prepared = std::make_unique<PreparedSlice>();
  FRESHLINE_ASSIGN_OR_RETURN(prepared->slice, Cut(superpose));
  const Slice& slice = prepared->slice;
  for (const auto* part : {&slice.warm_up, &slice.queries, &slice.later}) {
    prepared->clicks.insert(prepared->clicks.end(), part->begin(), part->end());
  }
  const ScoringTrace trace{prepared->clicks, slice.warm_up.size(),
                           slice.warm_up.size() + slice.queries.size()};
  FRESHLINE_ASSIGN_OR_RETURN(prepared->set, FindTruths(trace));
  prepared->models =
      RankModels(trace, pool_, prepared->set, book_.get(), options);
  return prepared;
}

}  // namespace freshline::bench
