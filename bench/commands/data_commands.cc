// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <iostream>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "base/time_text.h"
#include "bench/commands/commands.h"
#include "bench/commands/workload_flags.h"
#include "bench/replay/workload.h"
#include "bench/trace/generator.h"
#include "bench/trace/reader.h"
#include "bench/trace/statistics.h"
#include "bench/train/train.h"

namespace freshline::bench {

void Say(const std::string& line) {
  static const base::MonoTime begin = base::Clock::Real().Now();
  const double seconds =
      base::ToMillis(base::Clock::Real().Now() - begin) / 1000;
  std::fprintf(stderr, "[%6.1f s] %s\n", seconds, line.c_str());
}

namespace {

absl::Status Generate(GenerateOptions options) {
  options.progress = stderr;
  Say(absl::StrCat("generating ", options.history, " s of history and ",
                   options.seconds, " s of window, seed ", options.seed));
  FRESHLINE_ASSIGN_OR_RETURN(const GenerateReport report, RunGenerate(options));
  Say(absl::StrCat("wrote ", report.history_clicks, " + ", report.window_clicks,
                   " clicks to ", report.trace_path, " and ", options.items,
                   " items to ", report.catalogue_path));
  // With the hour before it: what a click follows counts, and is not counted.
  constexpr int64_t kHourUs = 3'600'000'000;
  ReadOptions read;
  read.since_us = kWindowStartUs - kHourUs;
  StringPool pool;
  ReadReport read_report;
  FRESHLINE_ASSIGN_OR_RETURN(
      const std::vector<Click> clicks,
      ReadTrace(report.trace_path, read, &pool, &read_report));
  const auto begin = std::lower_bound(
      clicks.begin(), clicks.end(), kWindowStartUs,
      [](const Click& click, int64_t time) { return click.time_us < time; });
  std::cout << ToText(
      Describe(clicks, static_cast<size_t>(begin - clicks.begin())));
  return absl::OkStatus();
}

struct TrainFlags {
  TrainOptions options;
  std::string window = "auto";
  std::string since;
  std::string until;
};

absl::StatusOr<int64_t> TimeOf(absl::string_view flag,
                               const std::string& text) {
  const absl::StatusOr<int64_t> time = base::ParseTime(text);
  if (time.ok()) return *time;
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": ", time.status().message()));
}

absl::Status Train(TrainFlags flags) {
  TrainOptions& o = flags.options;
  if (!flags.since.empty()) {
    FRESHLINE_ASSIGN_OR_RETURN(o.since_us, TimeOf("--since", flags.since));
  }
  if (!flags.until.empty()) {
    FRESHLINE_ASSIGN_OR_RETURN(o.until_us, TimeOf("--until", flags.until));
  } else {
    FRESHLINE_ASSIGN_OR_RETURN(
        const TraceWindow window,
        ResolveWindow(o.trace, flags.window, o.skipped_share_max, o.time_unit));
    o.until_us = window.start_us;
    Say(absl::StrCat("training on the rows before the window at ",
                     base::FormatTime(window.start_us)));
  }
  o.progress = stderr;
  FRESHLINE_ASSIGN_OR_RETURN(const TrainReport report, RunTrain(o));
  if (report.malformed > 0) {
    Say(absl::StrCat(report.malformed, " malformed rows were skipped"));
  }
  Say(absl::StrCat("wrote ", report.table_path, ": ", report.items,
                   " items that may be recommended, ", report.padded_items,
                   " rows of padding, from ", report.clicks, " clicks on ",
                   report.clicked_items, " items"));
  return absl::OkStatus();
}

}  // namespace

void AddGenerate(CLI::App* app, const Invocation&, Run* run) {
  CLI::App* sub = app->add_subcommand(
      "generate",
      "Make a click trace and its catalogue, deterministic by seed");
  auto o = std::make_shared<GenerateOptions>();
  sub->add_option("--queries", o->queries, "Clicks wanted in the window")
      ->capture_default_str();
  sub->add_option("--items", o->items, "Items of the catalogue")
      ->capture_default_str();
  sub->add_option("--seconds", o->seconds, "Length of the window")
      ->capture_default_str();
  sub->add_option("--history", o->history, "Seconds of clicks before it")
      ->capture_default_str();
  sub->add_option("--seed", o->seed, "Of the clicks")->capture_default_str();
  sub->add_option("--out", o->out, "Directory for trace.csv, catalogue.csv")
      ->capture_default_str();
  sub->callback([o, run] { *run = [o] { return Generate(*o); }; });
}

void AddTrain(CLI::App* app, const Invocation&, Run* run) {
  CLI::App* sub = app->add_subcommand(
      "train", "Make the recommender's table from the rows before a window");
  auto f = std::make_shared<TrainFlags>();
  sub->add_option("--trace", f->options.trace, "REES46 CSV, plain or .gz")
      ->required()
      ->envname("FRESHLINE_REES46");
  sub->add_option("--catalogue", f->options.catalogue,
                  "catalogue.csv: every item of it becomes a candidate");
  sub->add_option("--since", f->since, "First row, as 2019-10-01T02:00:00");
  sub->add_option("--until", f->until,
                  "Rows before this; default: the start of the window");
  AddReadFlags(sub, &f->options.skipped_share_max, &f->options.time_unit);
  sub->add_option("--window", f->window,
                  "auto (the ten busiest minutes) or START+SECONDS")
      ->capture_default_str();
  sub->add_option("--pad", f->options.model.pad,
                  "Fill the table up to so many rows that are scanned and "
                  "never recommended")
      ->capture_default_str();
  sub->add_option("--out", f->options.out, "Directory for items.fltab")
      ->capture_default_str();
  sub->callback([f, run] { *run = [f] { return Train(*f); }; });
}

}  // namespace freshline::bench
